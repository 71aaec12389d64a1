import { withDefaults } from '../../core/options.ts';
import { ADAPTIVE_DEFAULTS, type AdaptiveOptions, type AdaptiveState, adaptive, logarithm } from './adaptive.ts';
import type { ConcurrencyAlgorithm } from './algorithm.ts';

/**
 * TCP Vegas (Brakmo and Peterson, 1995) for requests, with the steps of Netflix's concurrency-limits. From the round
 * trip without a queue it tells how many of the requests at the limit stand in a queue, and keeps those between
 * α = 3 log10(limit) and β = 6 log10(limit): by β up while there is no queue, by log10 up below α, by log10 down above β.
 *
 * Unlike there, the baseline is probed with few requests in flight rather than taken from a busy moment, or each probe
 * would take a standing queue for the normal state; and a dropped request costs a tenth. Throws `TypeError` for wrong
 * options.
 */
export function vegas(given?: Partial<AdaptiveOptions>): ConcurrencyAlgorithm<AdaptiveState> {
  return adaptive(withDefaults('vegas', ADAPTIVE_DEFAULTS, given), (limit, longMs, { rttMs }) => {
    const baselineMs = Math.min(longMs, rttMs);
    const queueCount = Math.ceil(limit * (1 - baselineMs / rttMs));
    return { limit: limit + step(queueCount, logarithm(limit)), baselineMs };
  });
}

function step(queueCount: number, unit: number): number {
  if (queueCount <= unit) return 6 * unit;
  if (queueCount < 3 * unit) return unit;
  return queueCount > 6 * unit ? -unit : 0;
}
