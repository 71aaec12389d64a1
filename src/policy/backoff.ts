/** How long to wait before a request is sent again. */
export interface BackoffOptions {
  /** The first wait is at most so long. */
  baseMs: number;
  /** No wait is longer. */
  maxMs: number;
}

export const BACKOFF_DEFAULTS: Readonly<BackoffOptions> = { baseMs: 25, maxMs: 1000 };

/** Doublings after which any base is above any maximum, and a double not yet infinite. */
const DOUBLING_MAX_COUNT = 60;

/**
 * Before the `retry`-th retry, 0 for the first: anything up to baseMs × 2^retry. "Full jitter" of Brooker, Exponential
 * Backoff and Jitter (AWS Architecture Blog, 2015). `random` is in [0, 1).
 */
export function fullJitterMs(retry: number, options: Readonly<BackoffOptions>, random: number): number {
  return random * Math.min(options.maxMs, options.baseMs * 2 ** Math.min(retry, DOUBLING_MAX_COUNT));
}

/**
 * After a wait of `previousMs`, `null` for none: from baseMs to three times that. "Decorrelated jitter" of the same; it
 * never waits less than `baseMs` (or `maxMs`, when that is less).
 */
export function decorrelatedJitterMs(
  previousMs: number | null,
  options: Readonly<BackoffOptions>,
  random: number,
): number {
  const { baseMs, maxMs } = options;
  const upToMs = Math.max(baseMs, 3 * (previousMs ?? baseMs));
  return Math.min(maxMs, baseMs + random * (upToMs - baseMs));
}
