import type { UpstreamSettings } from './options.ts';

const SWEEP_MAX_MS = 250;
/** Clients set deadlines that nobody knows before. */
const HURRIED_SWEEP_MAX_MS = 25;

/**
 * How often deadlines are checked: four times within the shortest one, so that it is honoured, and every 250 ms at least;
 * every 25 ms where clients may set their own.
 */
export function sweepPeriodMs({ pool, retry, timeouts }: UpstreamSettings): number {
  const { connectMs, headMs, idleMs, totalMs } = timeouts;
  const offable = [totalMs, headMs, idleMs, retry?.perTryTimeoutMs ?? null].filter((limitMs) => limitMs !== null);
  const shortestMs = Math.min(pool.idleTimeoutMs, pool.queueTimeoutMs, connectMs, ...offable);
  return Math.max(1, Math.min(timeouts.deadlineTrusted ? HURRIED_SWEEP_MAX_MS : SWEEP_MAX_MS, shortestMs / 4));
}
