/** What a rate limit says about one request. It belongs to the limit, which writes the next one over it: read it, do not keep it. */
export interface RateDecision {
  admitted: boolean;
  /** How long an admitted request must be held back; 0 except with a leaky bucket. */
  waitMs: number;
  /** After this long the same request is admitted if no other comes; 0 when it is admitted now, Infinity when it never will be. */
  retryAfterMs: number;
  /** Whole units that would be admitted now, after this decision. */
  remainingCount: number;
  /** Until the whole quota is there again. */
  resetMs: number;
}

/**
 * An algorithm that limits a rate, without the state of the keys that it limits: that is `wordCount` numbers of a
 * `Float64Array`, so a million keys are one block of memory. All words zero is a key that was never seen. Of two states the
 * one that compares less, word by word, is sooner like that again.
 */
export interface RateLimit {
  readonly wordCount: number;
  /** The most that is admitted at once. */
  readonly quotaCount: number;
  /** The time in which an empty quota fills up again. */
  readonly windowMs: number;
  /**
   * Decides, and writes what the decision changes to `words[at]` and those after it. `nowMs` is monotonic, 0 or more;
   * `cost` is a whole number, 1 or more. What is refused costs nothing.
   */
  admit(words: Float64Array, at: number, nowMs: number, cost: number): Readonly<RateDecision>;
  /** Whether the key whose state this is has its whole quota, so that nothing is lost when it is forgotten. */
  idle(words: Float64Array, at: number, nowMs: number): boolean;
}

/** A decision to write over. */
export function blankDecision(): RateDecision {
  return { admitted: false, waitMs: 0, retryAfterMs: 0, remainingCount: 0, resetMs: 0 };
}
