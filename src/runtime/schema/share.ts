import { z } from 'zod';
import { SLOW_START_DEFAULTS, type SlowStartOptions } from '../../policy/slow-start.ts';
import { SPILL_DEFAULTS, type SpillOptions } from '../../policy/tiers.ts';
import { millisecondsOrNone, offable, ratio, setting } from './unit.ts';

const start = {
  windowMs: setting(millisecondsOrNone, 'How long it takes; 0 is at once.', SLOW_START_DEFAULTS.windowMs),
  minRatio: setting(ratio, 'What it gets of its share from the beginning.', SLOW_START_DEFAULTS.minRatio),
  aggression: setting(
    z.number('a number above 0').gt(0, 'a number above 0'),
    '1 rises along a straight line; above it more quickly at first, below it more slowly.',
    SLOW_START_DEFAULTS.aggression,
  ),
} satisfies Record<keyof SlowStartOptions, z.ZodType>;

const spilling = {
  spareRatio: setting(
    ratio,
    'What tiers and zones can carry beyond their due: with 0.4 one holds all its traffic until less than 71 % of it stands well.',
    SPILL_DEFAULTS.spareRatio,
  ),
  panicRatio: offable(
    ratio,
    'When not all traffic can be carried, a tier of which less than this stands well sends requests to all its endpoints.',
    SPILL_DEFAULTS.panicRatio,
  ),
} satisfies Record<keyof SpillOptions, z.ZodType>;

/** How new and recovered endpoints come up to their share. */
export const slowStart = z.strictObject(start);

/** When traffic spills over between tiers and zones. */
export const spill = z.strictObject(spilling);
