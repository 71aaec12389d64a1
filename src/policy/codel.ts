import { withDefaults } from '../core/options.ts';

export interface CodelOptions {
  /** The wait that a queue may keep up. */
  targetMs: number;
  /** A wait above the target for less than this is a burst, which a queue is for. */
  intervalMs: number;
}

export const CODEL_DEFAULTS: Readonly<CodelOptions> = { targetMs: 5, intervalMs: 100 };

/**
 * Says of each request that leaves a queue whether to serve it or to refuse it. It looks at the time spent in this
 * server's own queue and nothing else: what a handler or an upstream takes is not a queue that refusing here would shorten.
 */
export interface QueueControl {
  /** The queue stands: it is not a burst that will pass. */
  readonly overloaded: boolean;
  /** Whether to refuse a request that has waited so long; `leftCount` are still in the queue. Asked once for each. */
  refuse(waitedMs: number, nowMs: number, leftCount: number): boolean;
}

const codelOptions = (given: Partial<CodelOptions> | undefined): CodelOptions =>
  withDefaults('codel', CODEL_DEFAULTS, given);

/** After a calm of so many intervals the pace of the last time tells nothing. */
const MEMORY_INTERVAL_COUNT = 16;

/**
 * CoDel (RFC 8289 §5): once every wait of an interval was above the target it refuses one, then the next after
 * interval / √n, until a wait is below. Gentle, made for senders who slow down when refused; under a load that
 * does not, its pace grows for seconds. There `deadlineCodel` is better. Throws `TypeError` for wrong options.
 */
export function codel(given?: Partial<CodelOptions>): QueueControl {
  return new Codel(codelOptions(given));
}

class Codel implements QueueControl {
  overloaded = false;
  private readonly options: CodelOptions;
  /** When the wait will have been above the target for an interval; `null` while it is not. */
  private aboveUntilMs: number | null = null;
  private refuseNextMs = 0;
  private count = 0;
  private countBefore = 0;

  constructor(options: CodelOptions) {
    this.options = options;
  }

  refuse(waitedMs: number, nowMs: number, leftCount: number): boolean {
    if (!this.standing(waitedMs, nowMs, leftCount)) {
      this.overloaded = false;
      return false;
    }
    if (!this.overloaded) this.begin(nowMs);
    else if (nowMs < this.refuseNextMs) return false;
    else this.count += 1;
    this.refuseNextMs =
      (this.count === 1 ? nowMs : this.refuseNextMs) + this.options.intervalMs / Math.sqrt(this.count);
    return true;
  }

  /** Whether the wait has been above the target for an interval. The last one in a queue is always served. */
  private standing(waitedMs: number, nowMs: number, leftCount: number): boolean {
    if (waitedMs < this.options.targetMs || leftCount === 0) {
      this.aboveUntilMs = null;
      return false;
    }
    this.aboveUntilMs ??= nowMs + this.options.intervalMs;
    return nowMs >= this.aboveUntilMs;
  }

  /** Takes up the pace of the last time when that is not long ago. */
  private begin(nowMs: number): void {
    const paceCount = this.count - this.countBefore;
    const recent = nowMs - this.refuseNextMs < MEMORY_INTERVAL_COUNT * this.options.intervalMs;
    this.overloaded = true;
    this.count = recent && paceCount > 1 ? paceCount : 1;
    this.countBefore = this.count;
    this.refuseNextMs = nowMs;
  }
}

/** Waits of overload are refused from this many times the target on. */
const DEADLINE_TARGETS = 2;

/**
 * CoDel as Facebook uses it for requests ("Fail at Scale", ACM Queue 2015; folly's Codel): when the least wait of an interval was
 * above the target, everything that has waited for twice the target is refused, until an interval has a shorter wait. A load
 * that never slows down waits about that long at most. Throws `TypeError` for wrong options.
 */
export function deadlineCodel(given?: Partial<CodelOptions>): QueueControl {
  return new DeadlineCodel(codelOptions(given));
}

class DeadlineCodel implements QueueControl {
  overloaded = false;
  private readonly options: CodelOptions;
  private intervalEndMs = Number.NEGATIVE_INFINITY;
  private leastMs = 0;

  constructor(options: CodelOptions) {
    this.options = options;
  }

  refuse(waitedMs: number, nowMs: number, leftCount: number): boolean {
    const { targetMs, intervalMs } = this.options;
    if (nowMs < this.intervalEndMs) this.leastMs = Math.min(this.leastMs, waitedMs);
    else {
      // An interval that ended long ago was followed by one in which nobody waited.
      this.overloaded = this.leastMs > targetMs && nowMs - this.intervalEndMs < intervalMs;
      this.intervalEndMs = nowMs + intervalMs;
      this.leastMs = waitedMs;
    }
    return this.overloaded && leftCount > 0 && waitedMs > DEADLINE_TARGETS * targetMs;
  }
}
