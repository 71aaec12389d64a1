import { withDefaults } from '../../core/options.ts';
import { ADAPTIVE_DEFAULTS, type AdaptiveOptions, type AdaptiveState, adaptive } from './adaptive.ts';
import type { ConcurrencyAlgorithm } from './algorithm.ts';

export interface GradientOptions extends AdaptiveOptions {
  /** Requests that may stand in the queue. */
  queueCount: number;
  /** How much of each new limit is taken; 1 is all of it. */
  smoothingRatio: number;
  /** Windows over which the long-term round trip is averaged. */
  longWindowCount: number;
}

const GRADIENT_DEFAULTS: Readonly<GradientOptions> = {
  ...ADAPTIVE_DEFAULTS,
  queueCount: 4,
  smoothingRatio: 0.2,
  longWindowCount: 600,
};

/** No window lowers the limit by more than half: it may be an outlier. */
const GRADIENT_MIN = 0.5;
/** After a long overload the average is brought down faster than by averaging. */
const RECOVERY = { excess: 2, ratio: 0.9 } as const;

/**
 * Gradient2 of Netflix's concurrency-limits: the limit follows the ratio of the long-term round trip to the current one,
 * and a few requests more, so that it goes up while nothing gets slower. The average adapts by itself to a server that
 * changes slowly. Under a load that never ends it would also follow the queue that the limit allows, and the limit it;
 * a probe sets it right (see `adaptive`). Throws `TypeError` for wrong options.
 */
export function gradient(given?: Partial<GradientOptions>): ConcurrencyAlgorithm<AdaptiveState> {
  const options = withDefaults('gradient', GRADIENT_DEFAULTS, given);
  const { queueCount, smoothingRatio, longWindowCount } = options;
  return adaptive(options, (limit, longMs, { rttMs }) => {
    const averageMs = longMs + ((rttMs - longMs) * 2) / (longWindowCount + 1);
    const ratio = Math.min(1, Math.max(GRADIENT_MIN, averageMs / rttMs));
    const wanted = limit * ratio + queueCount;
    return {
      limit: limit + (wanted - limit) * smoothingRatio,
      baselineMs: averageMs > rttMs * RECOVERY.excess ? averageMs * RECOVERY.ratio : averageMs,
    };
  });
}
