import { wholeNumber } from '../../core/option-kind.ts';
import { withDefaults } from '../../core/options.ts';
import { blankDecision, type RateDecision, type RateLimit } from './limit.ts';

export interface SlidingWindowOptions {
  /** Requests in any window; 67 108 863 at most. */
  requestMaxCount: number;
  /** The length of the window, above 0. */
  windowMs: number;
}

export const SLIDING_WINDOW_DEFAULTS: Readonly<SlidingWindowOptions> = { requestMaxCount: 6000, windowMs: 60_000 };

/** Two counts share the 52 whole bits of one number. */
const COUNT_BASE = 2 ** 26;

/** What its options may be, where their names do not tell. */
export const SLIDING_WINDOW_KINDS = { requestMaxCount: wholeNumber(1, COUNT_BASE - 1) };

/**
 * A window that slides, from two counts: that of the current fixed window, and of the one before by the share that the
 * sliding window still covers (as Cloudflare does). It takes the requests of the window before as spread evenly:
 *
 * - the estimate is wrong by less than the window before had: too high by as much as its covered share when they came
 *   early in it, too low by its uncovered share when they came late;
 * - a fixed window never admits more than the limit L, and any time T at most L + L × T / window. So the worst sliding
 *   window has 2 L: L at the very end of a window, then L evenly over the next, never twice L at once.
 *
 * Throws `TypeError` for wrong options.
 */
export function slidingWindow(given?: Partial<SlidingWindowOptions>): RateLimit {
  const { requestMaxCount, windowMs } = withDefaults('sliding window', SLIDING_WINDOW_DEFAULTS, given, {
    kinds: SLIDING_WINDOW_KINDS,
  });
  return new SlidingWindow(requestMaxCount, windowMs);
}

/** State: the number of the window from which on the counts mean nothing; then the current count × 2²⁶ + the count before. */
class SlidingWindow implements RateLimit {
  readonly wordCount = 2;
  readonly quotaCount: number;
  readonly windowMs: number;
  private readonly decision: RateDecision = blankDecision();

  constructor(quotaCount: number, windowMs: number) {
    this.quotaCount = quotaCount;
    this.windowMs = windowMs;
  }

  admit(words: Float64Array, at: number, nowMs: number, cost: number): RateDecision {
    const { decision, quotaCount, windowMs } = this;
    const index = Math.floor(nowMs / windowMs);
    const stored = words[at + 1] ?? 0;
    const age = index + 2 - (words[at] ?? 0);
    const storedCount = Math.floor(stored / COUNT_BASE);
    let current = age === 0 ? storedCount : 0;
    const before = age === 0 ? stored % COUNT_BASE : age === 1 ? storedCount : 0;

    const passedRatio = nowMs / windowMs - index;
    let estimate = before * (1 - passedRatio) + current;
    decision.admitted = estimate + cost <= quotaCount;
    decision.retryAfterMs = 0;
    if (decision.admitted) {
      current += cost;
      estimate += cost;
      words[at] = index + 2;
      words[at + 1] = current * COUNT_BASE + before;
    } else {
      decision.retryAfterMs = this.retryAfterMs(before, current, cost, passedRatio);
    }
    const windowsLeft = current > 0 ? 2 : before > 0 ? 1 : 0;
    decision.resetMs = windowsLeft === 0 ? 0 : (windowsLeft - passedRatio) * windowMs;
    decision.remainingCount = Math.max(0, Math.floor(quotaCount - estimate));
    return decision;
  }

  idle(words: Float64Array, at: number, nowMs: number): boolean {
    return (words[at] ?? 0) <= Math.floor(nowMs / this.windowMs);
  }

  /** When enough of the window before has slid out, or else enough of this one in the next. */
  private retryAfterMs(before: number, current: number, cost: number, passedRatio: number): number {
    const room = this.quotaCount - cost;
    if (room < 0) return Number.POSITIVE_INFINITY;
    const shareRatio = current <= room ? 1 - (room - current) / before : 1 + Math.max(0, 1 - room / current);
    // The next microsecond: who came a rounding error too early would be refused again.
    return Math.floor(Math.max(0, shareRatio - passedRatio) * this.windowMs * 1000 + 1) / 1000;
  }
}
