import type { Bin } from './recording.ts';
import type { Run } from './run.ts';

/** A run in numbers. Latencies are those of good answers; `null`: there were none. */
export interface Measures {
  readonly askedCount: number;
  readonly goodCount: number;
  /** Requests that ended otherwise, as their clients saw it. */
  readonly errorCount: number;
  readonly goodRatio: number;
  /** While something was wrong. */
  readonly faultGoodPerSec: number;
  readonly faultP99Ms: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly attemptsPerRequest: number;
  /** From the end of the fault to the last second in which requests failed or were slow; `null`: to the end of the run. */
  readonly recoverMs: number | null;
  /** From the end of the fault until every server has had its share ever after; `null`: it never had. */
  readonly shareRecoverMs: number | null;
  /** Of the attempts in the last ten seconds, by server. */
  readonly shares: readonly number[];
}

/** More of them failed: that second was bad. */
const ERROR_MAX_RATIO = 0.01;
/** They took so many times as long on average as before the fault: that second was bad. */
const SLOW_RATIO = 2;
/** A server has its share when it gets this part of what it would get if all got the same. */
const SHARE_MIN_RATIO = 0.5;
/** Shares are looked at over so many bins, for few requests are shared out by chance. */
const SHARE_BIN_COUNT = 3;
const END_BIN_COUNT = 10;

export function measure({ scenario, recording }: Run): Measures {
  const { bins, binMs } = recording;
  const sum = (over: readonly Bin[], count: (bin: Bin) => number): number =>
    over.reduce((total, bin) => total + count(bin), 0);
  const [faultFrom, faultUntil] = [scenario.faultFromMs / binMs, scenario.faultUntilMs / binMs];
  const during = bins.slice(faultFrom, faultUntil);
  const askedCount = sum(bins, (bin) => bin.askedCount);
  const goodCount = sum(bins, (bin) => bin.goodCount);
  const latenciesMs = bins.flatMap((bin) => bin.latenciesMs);
  const usualMs = mean(bins.slice(0, faultFrom).flatMap((bin) => bin.latenciesMs)) ?? 0;
  const after = bins.slice(faultUntil);
  const bad = after.findLastIndex((bin) => isBad(bin, usualMs));
  const starved = after.findLastIndex((_, at) => isStarving(after.slice(at, at + SHARE_BIN_COUNT)));
  return {
    askedCount,
    goodCount,
    errorCount: sum(bins, (bin) => bin.errorCount),
    goodRatio: goodCount / askedCount,
    faultGoodPerSec: sum(during, (bin) => bin.goodCount) / ((during.length * binMs) / 1000),
    faultP99Ms: quantile(
      during.flatMap((bin) => bin.latenciesMs),
      0.99,
    ),
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    attemptsPerRequest: sum(bins, (bin) => bin.attemptCount) / askedCount,
    recoverMs: bad === after.length - 1 ? null : (bad + 1) * binMs,
    shareRecoverMs: starved === after.length - SHARE_BIN_COUNT ? null : (starved + 1) * binMs,
    shares: shareOut(bins.slice(-END_BIN_COUNT)),
  };
}

function isBad(bin: Bin, usualMs: number): boolean {
  return bin.errorCount > bin.askedCount * ERROR_MAX_RATIO || (mean(bin.latenciesMs) ?? 0) > SLOW_RATIO * usualMs;
}

/** Whether some server does not get its share in these bins. */
function isStarving(bins: readonly Bin[]): boolean {
  if (bins.length < SHARE_BIN_COUNT) return false;
  const shares = shareOut(bins);
  return shares.some((share) => share < SHARE_MIN_RATIO / shares.length);
}

function shareOut(bins: readonly Bin[]): number[] {
  const counts =
    bins[0]?.shares.map((_, server) => bins.reduce((sum, bin) => sum + (bin.shares[server] ?? 0), 0)) ?? [];
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => (total === 0 ? 0 : count / total));
}

function mean(numbers: readonly number[]): number | null {
  return numbers.length === 0 ? null : numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

/** The number below which this share of them is; `null` when there are none. */
export function quantile(numbers: readonly number[], ratio: number): number | null {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * ratio), sorted.length - 1)] ?? null;
}
