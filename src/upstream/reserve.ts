import type { Endpoint } from './endpoint.ts';
import type { UpstreamSettings } from './options.ts';

/** How long an endpoint is left alone after a connection in reserve could not be opened; each further time twice as long. */
const REST_MS = 500;
const REST_MAX_MS = 30_000;
/** Each rest is shorter by up to this share of it, so that many instances do not come back at once. */
const JITTER_RATIO = 0.2;

interface Rest {
  readonly failureCount: number;
  readonly untilMs: number;
}

/**
 * Connections that are opened before anybody asks. To each endpoint one after the other, and ever more seldom to one that
 * cannot be reached: its return is not to be met by a storm.
 */
export class Reserve {
  private readonly minCount: number;
  private readonly random: () => number;
  private readonly rests = new Map<Endpoint, Rest>();

  constructor(minCount: number, random: () => number) {
    this.minCount = minCount;
    this.random = random;
  }

  /** Whether one is to be opened now. */
  wants(endpoint: Endpoint, nowMs: number): boolean {
    if (endpoint.draining || endpoint.connectingCount > 0 || endpoint.openCount >= this.minCount) return false;
    const rest = this.rests.get(endpoint);
    return rest === undefined || nowMs >= rest.untilMs;
  }

  /** It has been reached, by whomever, or is gone. */
  forget(endpoint: Endpoint): void {
    this.rests.delete(endpoint);
  }

  /** It could not be reached. */
  failed(endpoint: Endpoint, nowMs: number): void {
    const failureCount = (this.rests.get(endpoint)?.failureCount ?? 0) + 1;
    const restMs = Math.min(REST_MAX_MS, REST_MS * 2 ** (failureCount - 1)) * (1 - JITTER_RATIO * this.random());
    this.rests.set(endpoint, { failureCount, untilMs: nowMs + restMs });
  }
}

/** `null`: nothing is kept in reserve. */
export function reserveFor({ pool, random }: UpstreamSettings): Reserve | null {
  return pool.connectionMinCount === null ? null : new Reserve(pool.connectionMinCount, random);
}
