import { type OptionRules, withDefaults } from '../core/options.ts';
import { CALLS, type CallKind, CallWindow, type CallWindowOptions, FAILURES, SLOW } from './call-window.ts';

/** When a breaker opens, and how it closes again. */
export interface BreakerOptions extends CallWindowOptions {
  /** Share of failures in the window at which it opens, while the rest of the group has none. */
  failureRatio: number;
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
  // In an overload queues run full and empty within a second or two, which is not to be taken for a fault of one endpoint.
  windowMinMs: 3000,
  volumeMinCount: 20,
  // The standard error of a share is then 5 % at most.
  volumeEnoughCount: 100,
  slowCallMs: null,
  slowCallRatio: 0.8,
  openMs: 5000,
  openMaxMs: 60_000,
  jitterRatio: 0.2,
  calmMs: 60_000,
  trialCount: 1,
  trialTimeoutMs: 30_000,
};

const RULES: OptionRules<BreakerOptions> = {
  ordered: [
    ['windowMinMs', 'windowMs'],
    ['volumeMinCount', 'volumeEnoughCount'],
    ['openMs', 'openMaxMs'],
  ],
};

/** Fills options up. Throws `TypeError` naming every wrong field. */
export const breakerOptions = (given: Partial<BreakerOptions>): BreakerOptions =>
  withDefaults('breaker', BREAKER_DEFAULTS, given, RULES);

export type BreakerState = 'closed' | 'open' | 'half-open';

/** How a call ended. `slow`: it was given up as too slow. `none`: without a verdict, as when the client went away. */
export type CallOutcome = 'success' | 'failure' | 'slow' | 'none';

/** What `admit` answers when the call may not be made. */
export const REFUSED = 0;

/** What a breaker knows of the others of its group, and does with them. */
export interface Siblings {
  /** Calls to all of the group. */
  readonly calls: CallWindow;
  /** Whether no other one is closed. */
  areOut(except: Breaker): boolean;
  /** None of the others that are open waits for longer than this any more. They are spread over it. */
  hurry(except: Breaker, withinMs: number, nowMs: number): void;
}

/**
 * A circuit breaker (Nygard, Release It!; windows and slow calls as in Resilience4j) whose window adapts to how many calls
 * there are, and its threshold to its group.
 *
 * Closed: opens when the window has `volumeMinCount` calls and the share of failures, or of slow calls, is at its
 * threshold. The window is as far back as it takes to have `volumeEnoughCount` calls, between `windowMinMs` and `windowMs`.
 * The threshold t rises to t + (1 - t) × b, where b is the same share, in the same span, among all *other* endpoints of the
 * group. So one that is no worse than the rest stays closed in a brown-out of all, and in a total failure all open. The
 * idea, to judge an endpoint by the mean of its group, is that of Envoy's success-rate outlier detection.
 *
 * Open: refuses for `openMs` × 2ⁿ. Half-open: `trialCount` trials at a time; the first failed or slow one opens it again,
 * `trialCount` that succeed in a row close it, with nothing remembered.
 *
 * While none of the group is closed, to wait for longer protects nobody, and a trial costs nothing that is not lost: so the
 * time open does not grow, and the trials of the group are spread over it. The first one that closes shows that what was
 * wrong with all is over, and the rest are tried at once, give or take the jitter.
 */
export class Breaker {
  private readonly options: Readonly<BreakerOptions>;
  private readonly random: () => number;
  private readonly siblings: Siblings;
  /** What it is judged by: calls since it was closed. */
  private readonly calls: CallWindow;
  /** What it has added to the group. */
  private readonly given: CallWindow;
  /** Its endpoint is asked nothing for other reasons, so that it is closed helps nobody. */
  aside = false;
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

  constructor(options: Readonly<BreakerOptions>, siblings: Siblings, random: () => number) {
    this.options = options;
    this.random = random;
    this.siblings = siblings;
    this.calls = new CallWindow(options);
    this.given = new CallWindow(options);
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

  /** While it is open: it may be tried no later than then. */
  hurry(atMs: number): void {
    if (this.phase === 'open' && atMs < this.untilMs) this.untilMs = atMs;
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
    const { slowCallMs } = this.options;
    const slow = outcome === 'slow' || (slowCallMs !== null && durationMs >= slowCallMs);
    const failed = outcome === 'failure';
    if (outcome !== 'none') {
      this.siblings.calls.add(failed, slow, nowMs);
      this.given.add(failed, slow, nowMs);
    }
    if (this.phase === 'closed' && ticket === this.ticket) {
      if (outcome === 'none') return;
      this.calls.add(failed, slow, nowMs);
      if (this.isFailing(failed || slow, nowMs)) this.open(nowMs);
      return;
    }
    const trial = ticket === REFUSED ? -1 : this.trials.indexOf(ticket);
    if (trial === -1) return;
    this.trials[trial] = REFUSED;
    if (this.phase !== 'half-open' || ticket < this.judgedFrom || outcome === 'none') return;
    if (failed || slow) this.open(nowMs);
    else this.prove(nowMs);
  }

  /** `bad`: the last call has failed, or was slow. */
  private isFailing(bad: boolean, nowMs: number): boolean {
    const { failureRatio, slowCallRatio, volumeEnoughCount, volumeMinCount } = this.options;
    const volumeCount = this.calls.volumeCount(nowMs);
    if (volumeCount < volumeMinCount) return false;
    // A good one makes it fail only where it makes the volume full. So what is well need not look back.
    if (!bad && volumeCount > volumeEnoughCount) return false;
    const backCount = this.calls.backCount(nowMs);
    return (
      this.isAtThreshold(FAILURES, failureRatio, backCount, nowMs) ||
      this.isAtThreshold(SLOW, slowCallRatio, backCount, nowMs)
    );
  }

  private isAtThreshold(kind: CallKind, ratio: number, backCount: number, nowMs: number): boolean {
    const own = this.calls.sum(kind, backCount, nowMs);
    if (own === 0) return false;
    const share = own / this.calls.sum(CALLS, backCount, nowMs);
    return share >= ratio && share >= ratio + (1 - ratio) * this.baseline(kind, backCount, nowMs);
  }

  /** The share among all others of the group; 0 while these say too little. */
  private baseline(kind: CallKind, backCount: number, nowMs: number): number {
    const callCount = this.othersSum(CALLS, backCount, nowMs);
    return callCount < this.options.volumeMinCount ? 0 : this.othersSum(kind, backCount, nowMs) / callCount;
  }

  private othersSum(kind: CallKind, backCount: number, nowMs: number): number {
    return this.siblings.calls.sum(kind, backCount, nowMs) - this.given.sum(kind, backCount, nowMs);
  }

  private open(nowMs: number): void {
    const { calmMs, openMaxMs, openMs } = this.options;
    const wasClosed = this.phase === 'closed';
    this.phase = 'open';
    if (wasClosed && nowMs - this.closedSinceMs >= calmMs) this.openedCount = 0;
    if (this.siblings.areOut(this)) {
      this.untilMs = nowMs + this.jittered(Math.min(openMs, openMaxMs));
      // It was the last one. The others are tried one by one meanwhile, however long they were to wait.
      if (wasClosed) this.siblings.hurry(this, openMs, nowMs);
      return;
    }
    const grownMs = Math.min(openMaxMs, openMs * 2 ** Math.min(this.openedCount, 50));
    this.openedCount += 1;
    this.untilMs = nowMs + this.jittered(grownMs);
  }

  private prove(nowMs: number): void {
    const { jitterRatio, openMs, trialCount } = this.options;
    this.provenCount += 1;
    if (this.provenCount < trialCount) return;
    // What was wrong with all of them is over.
    if (this.siblings.areOut(this)) this.siblings.hurry(this, openMs * jitterRatio, nowMs);
    this.phase = 'closed';
    this.closedSinceMs = nowMs;
    this.nextTicket();
    this.calls.clear();
  }

  private jittered(ms: number): number {
    return ms * (1 + this.options.jitterRatio * this.random());
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
