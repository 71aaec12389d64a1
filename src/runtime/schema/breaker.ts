import { z } from 'zod';
import { BREAKER_DEFAULTS, type BreakerOptions, breakerOptions } from '../../policy/breaker.ts';
import { consistent, count, milliseconds, millisecondsOrNone, offable, ratio, setting } from './unit.ts';

const options = {
  failureRatio: setting(
    ratio,
    'Share of failures in the window at which it opens, while the other endpoints have none; more of them raise it.',
    BREAKER_DEFAULTS.failureRatio,
  ),
  windowMs: setting(milliseconds, 'How far back calls count at most.', BREAKER_DEFAULTS.windowMs),
  windowMinMs: setting(millisecondsOrNone, 'And at least, however many there are.', BREAKER_DEFAULTS.windowMinMs),
  volumeMinCount: setting(count, 'Fewer calls in the window say nothing.', BREAKER_DEFAULTS.volumeMinCount),
  volumeEnoughCount: setting(
    count,
    'The window goes no further back than it takes to have so many: a fault is seen the sooner, the more calls there are.',
    BREAKER_DEFAULTS.volumeEnoughCount,
  ),
  slowCallMs: offable(milliseconds, 'A call that takes so long is slow.', BREAKER_DEFAULTS.slowCallMs),
  slowCallRatio: setting(ratio, 'Share of slow calls in the window at which it opens.', BREAKER_DEFAULTS.slowCallRatio),
  openMs: setting(
    milliseconds,
    'How long it stays open the first time, and while all are open; each time it opens again at once, twice as long.',
    BREAKER_DEFAULTS.openMs,
  ),
  openMaxMs: setting(milliseconds, 'It never stays open for longer.', BREAKER_DEFAULTS.openMaxMs),
  jitterRatio: setting(ratio, 'Added to that at random, as a share of it.', BREAKER_DEFAULTS.jitterRatio),
  calmMs: setting(
    millisecondsOrNone,
    'After being closed for so long it begins with `openMs` again.',
    BREAKER_DEFAULTS.calmMs,
  ),
  trialCount: setting(
    count,
    'Requests at a time while it is being tried; so many in a row must succeed.',
    BREAKER_DEFAULTS.trialCount,
  ),
  trialTimeoutMs: setting(
    milliseconds,
    'A trial that has not ended after so long makes room for another.',
    BREAKER_DEFAULTS.trialTimeoutMs,
  ),
} satisfies Record<keyof BreakerOptions, z.ZodType>;

/** When an endpoint is not asked for a while, because of how its last calls went. */
export const breaker = consistent(z.strictObject(options), breakerOptions);
