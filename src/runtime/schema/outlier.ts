import { z } from 'zod';
import { OUTLIER_DEFAULTS, type OutlierOptions, outlierOptions } from '../../policy/outlier.ts';
import { consistent, count, milliseconds, millisecondsOrNone, offable, ratio, setting } from './unit.ts';

const options = {
  failureCount: offable(count, 'Failed answers in a row.', OUTLIER_DEFAULTS.failureCount),
  localFailureCount: offable(
    count,
    'Faults in a row on our side of it: no connection, a reset, a timeout.',
    OUTLIER_DEFAULTS.localFailureCount,
  ),
  failureRatio: offable(ratio, 'Share of failed answers in the window.', OUTLIER_DEFAULTS.failureRatio),
  windowMs: setting(milliseconds, 'How far back answers count for ratio and latency.', OUTLIER_DEFAULTS.windowMs),
  volumeMinCount: setting(count, 'Fewer answers in the window say nothing.', OUTLIER_DEFAULTS.volumeMinCount),
  latencyRatio: offable(
    ratio,
    'Too slow is one of whose latency the median of all endpoints is this share or less: 0.25 is four times as slow.',
    OUTLIER_DEFAULTS.latencyRatio,
  ),
  latencyMinMs: setting(millisecondsOrNone, 'A lower latency is never too slow.', OUTLIER_DEFAULTS.latencyMinMs),
  ejectMs: setting(milliseconds, 'The first ejection takes so long, the n-th n times that.', OUTLIER_DEFAULTS.ejectMs),
  ejectMaxMs: setting(milliseconds, 'No ejection takes longer.', OUTLIER_DEFAULTS.ejectMaxMs),
  ejectedMaxRatio: setting(
    ratio,
    'Never more than this share of the endpoints is out at once, and never all.',
    OUTLIER_DEFAULTS.ejectedMaxRatio,
  ),
} satisfies Record<keyof OutlierOptions, z.ZodType>;

/** When an endpoint is taken out because of how it answers requests. */
export const outlier = consistent(z.strictObject(options), outlierOptions);
