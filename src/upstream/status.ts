import type { Phase } from '../core/lifecycle.ts';
import type { BreakerState } from '../policy/breaker.ts';
import type { HealthState } from '../policy/health.ts';
import type { Endpoint } from './endpoint.ts';
import type { Rank } from './standing.ts';

/** One endpoint, at this moment. */
export interface EndpointStatus {
  readonly url: string;
  readonly weight: number;
  readonly zone: string;
  readonly priority: number;
  /** It gets no new requests, and is gone when the last one is answered. */
  readonly draining: boolean;
  /** Requests that it is answering. */
  readonly activeCount: number;
  readonly idleCount: number;
  readonly connectingCount: number;
  /** How well it stands, by its probes and its answers. */
  readonly rank: Rank;
  /** What its probes say; `unknown` without them. */
  readonly health: HealthState;
  /** How much longer it is ejected for its answers; `null`: it is not. */
  readonly ejectedForMs: number | null;
  readonly breaker: BreakerState;
  /** What is expected of the time to the head of an answer: it rises with a slow one at once and falls slowly. `null`: not measured. */
  readonly latencyMs: number | null;
}

/** Counts of an upstream, at this moment. */
export interface UpstreamStatus {
  readonly name: string;
  readonly phase: Phase;
  /** Requests that wait for a connection. */
  readonly waitingCount: number;
  readonly endpoints: readonly EndpointStatus[];
}

export function endpointStatus(endpoint: Endpoint, nowMs: number): EndpointStatus {
  const { activeCount, connectingCount, draining, id, idle, standing, traits } = endpoint;
  const { breaker, ejectedUntilMs, healthState, latencyMs, rank } = standing;
  return {
    ...traits,
    url: id,
    draining,
    activeCount,
    idleCount: idle.length,
    connectingCount,
    rank,
    health: healthState,
    ejectedForMs: ejectedUntilMs === null ? null : ejectedUntilMs - nowMs,
    breaker: breaker?.state ?? 'closed',
    latencyMs,
  };
}
