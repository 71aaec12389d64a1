import type { Clock, ClockTimer } from '../core/clock.ts';
import { type SlowStartOptions, slowStartRatio } from '../policy/slow-start.ts';
import type { Endpoint } from './endpoint.ts';
import type { Roster } from './roster.ts';

/** How often the weight of an endpoint that is warming up is raised. */
const STEP_MS = 500;

/** Brings new and recovered endpoints up to their share. While nobody is warming up there is no timer. */
export class Warmth {
  private readonly roster: Roster;
  private readonly options: SlowStartOptions;
  private readonly clock: Clock;
  private readonly since = new Map<Endpoint, number>();
  private timer: ClockTimer | null = null;

  constructor(roster: Roster, options: SlowStartOptions, clock: Clock) {
    this.roster = roster;
    this.options = options;
    this.clock = clock;
  }

  /** It is new, or has recovered. */
  begin(endpoint: Endpoint): void {
    const nowMs = this.clock.now();
    this.since.set(endpoint, nowMs);
    this.weigh(endpoint, nowMs, nowMs);
    this.timer ??= this.clock.every(Math.min(STEP_MS, Math.max(1, this.options.windowMs / 10)), () => this.step());
  }

  /** It has another weight than before. */
  reweigh(endpoint: Endpoint): void {
    const sinceMs = this.since.get(endpoint);
    if (sinceMs !== undefined) this.weigh(endpoint, sinceMs, this.clock.now());
  }

  /** Begins where another one of the same endpoint is. */
  adopt(endpoint: Endpoint, previous: Warmth, known: Endpoint): void {
    const sinceMs = previous.since.get(known);
    if (sinceMs === undefined) return;
    this.begin(endpoint);
    this.since.set(endpoint, sinceMs);
    this.reweigh(endpoint);
  }

  leave(endpoint: Endpoint): void {
    this.since.delete(endpoint);
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  private step(): void {
    const nowMs = this.clock.now();
    for (const [endpoint, sinceMs] of this.since) {
      this.weigh(endpoint, sinceMs, nowMs);
      if (nowMs - sinceMs >= this.options.windowMs) this.since.delete(endpoint);
    }
    if (this.since.size === 0) this.stop();
  }

  private weigh(endpoint: Endpoint, sinceMs: number, nowMs: number): void {
    endpoint.weight = endpoint.traits.weight * slowStartRatio(sinceMs, nowMs, this.options);
    this.roster.update(endpoint);
  }
}
