import { WindowCounts } from './window.ts';

/** When a breaker opens, and how it closes again. */
export interface BreakerOptions {
  /** Share of failures in the window at which it opens, while the rest of the group has none. */
  failureRatio: number;
  windowMs: number;
  /** Fewer calls in the window say nothing. */
  volumeMinCount: number;
  /** A call that takes this long or longer is slow; `null`: none is. */
  slowCallMs: number | null;
  /** Share of slow calls in the window at which it opens, whether they fail or not. */
  slowCallRatio: number;
  /** How long it stays open the first time; each time it opens again at once it is twice as long. */
  openMs: number;
  openMaxMs: number;
  /** Added to that at random, as a share of it, so that not all instances try again at once. */
  jitterRatio: number;
  /** After being closed for so long it begins again with `openMs`. */
  calmMs: number;
  /** Calls at a time while it is being tried; so many in a row must succeed. */
  trialCount: number;
  /** A trial that has not reported after so long makes room for another. */
  trialTimeoutMs: number;
}

export const BREAKER_DEFAULTS: Readonly<BreakerOptions> = {
  failureRatio: 0.5,
  windowMs: 10_000,
  volumeMinCount: 20,
  slowCallMs: null,
  slowCallRatio: 0.8,
  openMs: 5000,
  openMaxMs: 60_000,
  jitterRatio: 0.2,
  calmMs: 60_000,
  trialCount: 1,
  trialTimeoutMs: 30_000,
};

export type BreakerState = 'closed' | 'open' | 'half-open';

/** How a call ended. `none`: without a verdict on the endpoint, as when the client went away. */
export type CallOutcome = 'success' | 'failure' | 'none';

/** What `admit` answers when the call may not be made. */
export const REFUSED = 0;

const CALLS = 0;
const FAILURES = 1;
const SLOW = 2;
const BUCKET_COUNT = 10;

/** Counts calls, for a breaker or for a group of them. */
export const callCounts = (windowMs: number): WindowCounts =>
  new WindowCounts(windowMs / BUCKET_COUNT, BUCKET_COUNT, 3);

/**
 * A circuit breaker (Nygard, Release It!; windows and slow calls as in Resilience4j) whose threshold adapts to its group.
 *
 * Closed: opens when the window has `volumeMinCount` calls and the share of failures, or of slow calls, is at its
 * threshold. What adapts: the threshold t rises to t + (1 - t) × b, where b is the same share among all *other* endpoints
 * of the group. So one that is no worse than the rest stays closed in a brown-out of all, and in a total failure all
 * open. The idea, to judge an endpoint by the mean of its group, is that of Envoy's success-rate outlier detection.
 *
 * Open: refuses for `openMs` × 2ⁿ. Half-open: `trialCount` trials at a time; the first failed or slow one opens it again,
 * `trialCount` that succeed in a row close it, with nothing remembered.
 */
export class Breaker {
  private readonly options: Readonly<BreakerOptions>;
  private readonly random: () => number;
  private readonly group: WindowCounts | null;
  /** What it is judged by: calls since it was closed. */
  private readonly counts: WindowCounts;
  /** What it has added to the group. */
  private readonly given: WindowCounts;
  private phase: BreakerState = 'closed';
  private forcedState: 'open' | 'closed' | null = null;
  /** The last ticket; while it is closed that of every call. */
  private ticket = 1;
  /** Trials with this ticket and later ones are judged. */
  private judgedFrom = 0;
  /** Tickets of trials under way, `REFUSED` where there is none, and until when each is waited for. */
  private readonly trials: number[];
  private readonly trialUntilMs: number[];
  private provenCount = 0;
  private openedCount = 0;
  private untilMs = 0;
  private closedSinceMs = Number.NEGATIVE_INFINITY;

  /** `group` is shared by all breakers of a group, each made with `callCounts(windowMs)`; `null`: nothing adapts. */
  constructor(options: Readonly<BreakerOptions>, group: WindowCounts | null, random: () => number) {
    this.options = options;
    this.random = random;
    this.group = group;
    this.counts = callCounts(options.windowMs);
    this.given = callCounts(options.windowMs);
    this.trials = new Array<number>(options.trialCount).fill(REFUSED);
    this.trialUntilMs = new Array<number>(options.trialCount).fill(0);
  }

  /** As it is now. An open one whose time is over is half-open from the next call on. */
  get state(): BreakerState {
    return this.forcedState ?? this.phase;
  }

  /** When it may be tried again; `null` while it is not open, or is held open. */
  get retryAtMs(): number | null {
    return this.forcedState === null && this.phase === 'open' ? this.untilMs : null;
  }

  /** Holds it open or closed, whatever happens; `null` lets go, and it is as it was, for it went on counting. */
  force(state: 'open' | 'closed' | null): void {
    this.forcedState = state;
  }

  /**
   * Begins where another one of the same endpoint is. What that has counted is left: its window may be another. One that
   * was being tried is tried again.
   */
  adopt(previous: Breaker): void {
    const { closedSinceMs, forcedState, openedCount, phase, untilMs } = previous;
    this.phase = phase === 'closed' ? 'closed' : 'open';
    this.forcedState = forcedState;
    this.openedCount = openedCount;
    this.untilMs = untilMs;
    this.closedSinceMs = closedSinceMs;
  }

  /** Whether `admit` would let a call through, without taking a trial's place. */
  wouldAdmit(nowMs: number): boolean {
    if (this.forcedState !== null) return this.forcedState === 'closed';
    if (this.phase === 'closed') return true;
    return !(this.phase === 'open' && nowMs < this.untilMs) && this.freeTrial(nowMs) !== -1;
  }

  /** A ticket for the call, with which its end is to be observed, exactly once; `REFUSED` when it may not be made. */
  admit(nowMs: number): number {
    if (this.forcedState === 'open') return REFUSED;
    if (this.phase === 'closed') return this.ticket;
    if (this.forcedState === 'closed') return this.nextTicket();
    if (this.phase === 'open') {
      if (nowMs < this.untilMs) return REFUSED;
      this.phase = 'half-open';
      this.provenCount = 0;
      this.judgedFrom = this.ticket + 1;
    }
    const trial = this.freeTrial(nowMs);
    if (trial === -1) return REFUSED;
    this.trials[trial] = this.nextTicket();
    this.trialUntilMs[trial] = nowMs + this.options.trialTimeoutMs;
    return this.ticket;
  }

  /** The call with that ticket has ended. What was admitted before the last change of state is not judged here. */
  observe(ticket: number, outcome: CallOutcome, durationMs: number, nowMs: number): void {
    const slow = this.options.slowCallMs !== null && durationMs >= this.options.slowCallMs;
    if (outcome !== 'none' && this.group !== null) {
      count(this.group, outcome, slow, nowMs);
      count(this.given, outcome, slow, nowMs);
    }
    if (this.phase === 'closed' && ticket === this.ticket) {
      if (outcome === 'none') return;
      count(this.counts, outcome, slow, nowMs);
      if (this.isFailing(nowMs)) this.open(nowMs);
      return;
    }
    const trial = ticket === REFUSED ? -1 : this.trials.indexOf(ticket);
    if (trial === -1) return;
    this.trials[trial] = REFUSED;
    if (this.phase !== 'half-open' || ticket < this.judgedFrom || outcome === 'none') return;
    if (outcome === 'failure' || slow) this.open(nowMs);
    else this.prove(nowMs);
  }

  private isFailing(nowMs: number): boolean {
    const { failureRatio, slowCallRatio, volumeMinCount } = this.options;
    const callCount = this.counts.sum(CALLS, nowMs);
    if (callCount < volumeMinCount) return false;
    if (this.isAtThreshold(FAILURES, failureRatio, callCount, nowMs)) return true;
    return this.isAtThreshold(SLOW, slowCallRatio, callCount, nowMs);
  }

  private isAtThreshold(kind: number, ratio: number, callCount: number, nowMs: number): boolean {
    const own = this.counts.sum(kind, nowMs);
    return own > 0 && own / callCount >= ratio + (1 - ratio) * this.baseline(kind, nowMs);
  }

  /** The share among all others of the group; 0 while these say too little. */
  private baseline(kind: number, nowMs: number): number {
    if (this.group === null) return 0;
    const callCount = this.group.sum(CALLS, nowMs) - this.given.sum(CALLS, nowMs);
    if (callCount < this.options.volumeMinCount) return 0;
    return (this.group.sum(kind, nowMs) - this.given.sum(kind, nowMs)) / callCount;
  }

  private open(nowMs: number): void {
    const { openMs, openMaxMs, jitterRatio, calmMs } = this.options;
    if (this.phase === 'closed' && nowMs - this.closedSinceMs >= calmMs) this.openedCount = 0;
    const grownMs = Math.min(openMaxMs, openMs * 2 ** Math.min(this.openedCount, 50));
    this.openedCount += 1;
    this.untilMs = nowMs + grownMs * (1 + jitterRatio * this.random());
    this.phase = 'open';
  }

  private prove(nowMs: number): void {
    this.provenCount += 1;
    if (this.provenCount < this.options.trialCount) return;
    this.phase = 'closed';
    this.closedSinceMs = nowMs;
    this.nextTicket();
    this.counts.clear();
  }

  /** A place where no trial is under way, or one that has been waited for too long; -1 when there is none. */
  private freeTrial(nowMs: number): number {
    for (let trial = 0; trial < this.trials.length; trial += 1) {
      if (this.trials[trial] === REFUSED || nowMs >= (this.trialUntilMs[trial] ?? 0)) return trial;
    }
    return -1;
  }

  private nextTicket(): number {
    this.ticket += 1;
    return this.ticket;
  }
}

function count(counts: WindowCounts, outcome: CallOutcome, slow: boolean, nowMs: number): void {
  counts.add(CALLS, nowMs);
  if (outcome === 'failure') counts.add(FAILURES, nowMs);
  if (slow) counts.add(SLOW, nowMs);
}
