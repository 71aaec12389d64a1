import { millisecondsOrNone, positive } from '../core/option-kind.ts';
import { withDefaults } from '../core/options.ts';

/** How an endpoint that is new, or has recovered, comes up to its share. */
export interface SlowStartOptions {
  /** How long it takes; 0 is at once. */
  windowMs: number;
  /** What it gets of its share from the beginning; without any it would never be tried. */
  minRatio: number;
  /** 1 rises along a straight line; above it more quickly at first, below it more slowly at first. */
  aggression: number;
}

export const SLOW_START_DEFAULTS: Readonly<SlowStartOptions> = { windowMs: 30_000, minRatio: 0.1, aggression: 1 };

const KINDS = { windowMs: millisecondsOrNone, aggression: positive };

/** Fills options up. Throws `TypeError` naming every wrong field. */
export const slowStartOptions = (given: Partial<SlowStartOptions>): SlowStartOptions =>
  withDefaults('slowStart', SLOW_START_DEFAULTS, given, { kinds: KINDS });

/**
 * What part of its weight an endpoint has that began at `sinceMs`: max(minRatio, (time / windowMs) ^ (1 / aggression)), as
 * in Envoy's slow start.
 */
export function slowStartRatio(sinceMs: number, nowMs: number, options: Readonly<SlowStartOptions>): number {
  const { windowMs, minRatio, aggression } = options;
  const passedMs = nowMs - sinceMs;
  if (passedMs >= windowMs) return 1;
  return passedMs <= 0 ? minRatio : Math.max(minRatio, (passedMs / windowMs) ** (1 / aggression));
}
