import type { Clock } from '../core/clock.ts';
import type { Failure, FaultCode } from '../core/failure.ts';
import { type Breaker, type BreakerOptions, type BreakerState, type CallOutcome, REFUSED } from '../policy/breaker.ts';
import { BreakerGroup } from '../policy/breaker-group.ts';
import { Ewma } from '../policy/ewma.ts';
import { Health, type HealthOptions, type HealthState } from '../policy/health.ts';
import { type EjectionReason, type Outlier, OutlierGroup, type OutlierOptions } from '../policy/outlier.ts';
import { EndpointCounts } from './counts.ts';

/** By what endpoints are judged; `null` is off. */
export interface JudgeOptions {
  readonly breaker: BreakerOptions | null;
  readonly passive: OutlierOptions | null;
  readonly active: (HealthOptions & { readonly unknownTakesRequests: boolean }) | null;
  /** After so long another endpoint is asked, too; `null`: never. Who is overtaken is slow then, if nothing else says what slow is. */
  readonly hedgeAfterMs: number | null;
  /** Somebody wants to know how long answers take. */
  readonly measuresLatency: boolean;
}

/**
 * How well an endpoint stands: `degraded` ones are asked when nobody stands well, those that are `out` only in a panic.
 * `untried`: it is not asked before its first probe has ended, not even in a panic.
 */
export type Rank = 'well' | 'degraded' | 'out' | 'untried';

/** A call that ended so is not the endpoint's fault. */
const OTHERS_FAULT: ReadonlySet<string> = new Set(['client', 'server']);
/** What a server may do at any time that is well: end a connection that was idle, and refuse what it will not see. */
const NOBODYS_FAULT: ReadonlySet<FaultCode> = new Set(['upstream-stale', 'upstream-refused']);

/** Who wants to know of changes. */
export interface StandingObserver {
  /** Its rank is another than `before`. */
  onRank(before: Rank): void;
  /** Its breaker is another than `before`. */
  onBreaker(state: BreakerState, before: BreakerState): void;
  /** It is out for its answers. */
  onEject(reason: EjectionReason, forMs: number): void;
}

/** What the endpoints of one upstream are judged by together. */
export class Judge {
  readonly options: JudgeOptions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly outliers: OutlierGroup | null;
  readonly breakers: BreakerGroup | null;

  constructor(options: JudgeOptions, clock: Clock, random: () => number) {
    this.options = options;
    this.clock = clock;
    this.random = random;
    this.outliers = options.passive === null ? null : new OutlierGroup(options.passive);
    this.breakers = options.breaker === null ? null : new BreakerGroup(options.breaker, random);
  }
}

/** How one endpoint has done so far, and whether it may be asked. */
export class Standing {
  readonly breaker: Breaker | null;
  readonly health: Health | null;
  /** What has been counted of it. */
  counts = new EndpointCounts();
  private readonly judge: Judge;
  private readonly outlier: Outlier | null;
  private latency: Ewma | null;
  private readonly observer: StandingObserver;
  private current: Rank;
  /** Of the last ejection that was told. */
  private ejectionMs = Number.NEGATIVE_INFINITY;

  constructor(judge: Judge, observer: StandingObserver) {
    const { active, measuresLatency } = judge.options;
    this.judge = judge;
    this.observer = observer;
    this.breaker = judge.breakers?.join() ?? null;
    this.outlier = judge.outliers?.join() ?? null;
    this.latency = measuresLatency ? new Ewma() : null;
    const nowMs = judge.clock.now();
    this.health = active === null ? null : new Health(active, judge.random, nowMs);
    this.current = this.rankAt(nowMs);
    this.tellBreakers();
  }

  /** Begins with what is known of the same endpoint elsewhere, as far as it is judged by the same here. Tells nobody. */
  adopt(previous: Standing): void {
    const nowMs = this.judge.clock.now();
    if (previous.health !== null) this.health?.adopt(previous.health);
    if (previous.breaker !== null) this.breaker?.adopt(previous.breaker);
    if (previous.outlier !== null) this.outlier?.adopt(previous.outlier, nowMs);
    if (previous.latency !== null && this.latency !== null) this.latency = previous.latency;
    this.counts = previous.counts;
    this.ejectionMs = this.outlier?.ejectedUntilMs ?? this.ejectionMs;
    this.current = this.rankAt(nowMs);
    this.tellBreakers();
  }

  get rank(): Rank {
    return this.current;
  }

  /** Who has asked it before may ask it again. */
  get takesRequests(): boolean {
    return this.current === 'well' || this.current === 'degraded';
  }

  /** The time to the head of an answer, as it was seen last: a slow one counts at once. `null` before the first. */
  get latencyMs(): number | null {
    return this.latency?.latencyMs ?? null;
  }

  /** What is to be expected of it: more after failures, and less and less while it is not asked. */
  get fadedLatencyMs(): number | null {
    return this.latency?.at(this.judge.clock.now()) ?? null;
  }

  get healthState(): HealthState {
    return this.health?.state ?? 'unknown';
  }

  /** Until when it is ejected for its answers; `null` when it is not. */
  get ejectedUntilMs(): number | null {
    const { outlier } = this;
    return outlier?.isEjected(this.judge.clock.now()) === true ? outlier.ejectedUntilMs : null;
  }

  /** Whether its breaker lets a call through now. */
  mayCall(clock: Clock): boolean {
    const { breaker } = this;
    return breaker === null || breaker.state === 'closed' || breaker.wouldAdmit(clock.now());
  }

  /** Holds its breaker open or closed; `null` lets go. Returns `false` when it has none. */
  forceBreaker(state: 'open' | 'closed' | null): boolean {
    const { breaker } = this;
    if (breaker === null) return false;
    const before = breaker.state;
    breaker.force(state);
    this.tellBreaker(breaker, before);
    return true;
  }

  /** Those of the others go by who takes requests. */
  private tellBreakers(): void {
    if (this.breaker !== null) this.breaker.aside = !this.takesRequests;
  }

  private tellBreaker({ state }: Breaker, before: BreakerState): void {
    if (state === before) return;
    this.counts.breakerChanges.add(state);
    this.observer.onBreaker(state, before);
  }

  /** A call to it begins; `null` when nobody wants to know how it ends. */
  begin(): Call | null {
    const { breaker } = this;
    if (breaker === null && this.outlier === null && this.latency === null) return null;
    const nowMs = this.judge.clock.now();
    if (breaker === null) return new Call(this, REFUSED, nowMs);
    const before = breaker.state;
    const ticket = breaker.admit(nowMs);
    this.tellBreaker(breaker, before);
    return new Call(this, ticket, nowMs);
  }

  /** A call has ended. */
  observe(call: Call, outcome: CallOutcome, local: boolean): void {
    const nowMs = this.judge.clock.now();
    const durationMs = nowMs - call.sinceMs;
    const { breaker } = this;
    if (breaker !== null) {
      const before = breaker.state;
      breaker.observe(call.ticket, outcome, durationMs, nowMs);
      this.tellBreaker(breaker, before);
    }
    if (outcome === 'none') return;
    if (outcome === 'success') this.latency?.observe(durationMs, nowMs);
    else this.latency?.fail(nowMs);
    const answer = outcome === 'success' ? 'success' : local ? 'local-fault' : 'failure';
    if (this.outlier?.observe(answer, durationMs, nowMs) === true) this.review(nowMs);
  }

  /** A call was given up because another endpoint has answered first. All that is known of it is that it takes longer. */
  overtaken(call: Call): void {
    const { breaker, latency } = this;
    const nowMs = this.judge.clock.now();
    const takenMs = nowMs - call.sinceMs;
    const { breaker: rules, hedgeAfterMs } = this.judge.options;
    const slowMs = rules?.slowCallMs ?? hedgeAfterMs ?? Number.POSITIVE_INFINITY;
    if (breaker !== null) {
      const before = breaker.state;
      breaker.observe(call.ticket, takenMs >= slowMs ? 'slow' : 'none', takenMs, nowMs);
      this.tellBreaker(breaker, before);
    }
    if (latency !== null && takenMs > (latency.at(nowMs) ?? 0)) latency.observe(takenMs, nowMs);
  }

  /** Looks again at what time may have changed, or a probe. */
  review(nowMs: number): void {
    const { outlier } = this;
    if (outlier !== null && outlier.ejectedUntilMs > this.ejectionMs) {
      this.ejectionMs = outlier.ejectedUntilMs;
      if (outlier.reason !== null) {
        this.counts.ejections.add(outlier.reason);
        this.observer.onEject(outlier.reason, outlier.ejectedUntilMs - nowMs);
      }
    }
    const before = this.current;
    const rank = this.rankAt(nowMs);
    if (rank === before) return;
    this.current = rank;
    this.tellBreakers();
    this.observer.onRank(before);
  }

  private rankAt(nowMs: number): Rank {
    if (this.outlier?.isEjected(nowMs) === true) return 'out';
    const state = this.healthState;
    if (state === 'unhealthy') return 'out';
    if (state === 'unknown' && this.judge.options.active?.unknownTakesRequests === false) return 'untried';
    return state === 'degraded' ? 'degraded' : 'well';
  }

  /** It is no endpoint of its upstream any more. */
  leave(): void {
    if (this.breaker !== null) this.judge.breakers?.leave(this.breaker);
    if (this.outlier !== null) this.judge.outliers?.leave(this.outlier);
  }
}

/** One call to an endpoint, from when it was chosen to the head of its answer. Its end is told exactly once. */
export class Call {
  readonly standing: Standing;
  /** What its breaker has given it. */
  readonly ticket: number;
  readonly sinceMs: number;

  constructor(standing: Standing, ticket: number, sinceMs: number) {
    this.standing = standing;
    this.ticket = ticket;
    this.sinceMs = sinceMs;
  }

  /** A 501 or 505 is about the request (RFC 9110 §15.6). */
  answered(status: number): void {
    const failed = status >= 500 && status !== 501 && status !== 505;
    this.standing.observe(this, failed ? 'failure' : 'success', false);
  }

  failed(failure: Failure): void {
    if (OTHERS_FAULT.has(failure.blame) || NOBODYS_FAULT.has(failure.code)) this.abandoned();
    else this.standing.observe(this, 'failure', failure.code !== 'upstream-invalid');
  }

  overtaken(): void {
    this.standing.overtaken(this);
  }

  /** It came to nothing, and that says nothing about the endpoint. */
  abandoned(): void {
    this.standing.observe(this, 'none', false);
  }
}
