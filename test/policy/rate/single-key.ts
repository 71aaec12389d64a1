import type { RateDecision, RateLimit } from '../../../src/policy/rate/limit.ts';

/** A limit with the state of one key; each decision is kept as a copy. */
export function singleKey(limit: RateLimit): (nowMs: number, cost?: number) => RateDecision {
  const words = new Float64Array(limit.wordCount);
  return (nowMs, cost = 1) => ({ ...limit.admit(words, 0, nowMs, cost) });
}

/** Throws when more than `mostIn(time)` was admitted in any stretch of time that begins and ends with an admission. */
export function checkEveryStretch(
  admissions: readonly { readonly atMs: number; readonly cost: number }[],
  mostIn: (timeMs: number) => number,
): void {
  for (const [index, first] of admissions.entries()) {
    let sum = 0;
    for (const last of admissions.slice(index)) {
      sum += last.cost;
      const most = mostIn(last.atMs - first.atMs);
      if (sum > most) throw new Error(`${sum} admitted from ${first.atMs} to ${last.atMs}, at most ${most} allowed`);
    }
  }
}
