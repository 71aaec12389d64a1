import type { ConcurrencyAlgorithm, ConcurrencySample, ConcurrencyState } from './algorithm.ts';

/** What the adaptive algorithms have in common. */
export interface AdaptiveOptions {
  /** The limit at the start. */
  limitStartCount: number;
  /** The limit never goes below. */
  limitMinCount: number;
  /** Nor above. */
  limitMaxCount: number;
  /** The round trip without a queue is measured anew when low load has not shown it for this long. */
  probeIntervalMs: number;
}

export const ADAPTIVE_DEFAULTS: Readonly<AdaptiveOptions> = {
  limitStartCount: 20,
  limitMinCount: 4,
  limitMaxCount: 1000,
  probeIntervalMs: 30_000,
};

/**
 * A probe lets few requests through: while `draining` those that ran before leave, then `measuring` takes one window's
 * round trip as that without a queue, and the limit of before comes back.
 */
type Phase = 'steady' | 'draining' | 'measuring';

export interface AdaptiveState extends ConcurrencyState {
  readonly phase: Phase;
  /** The limit to go back to after a probe. */
  readonly heldLimit: number;
  /** The round trip that is compared with; `null` before the first sample. */
  readonly baselineMs: number | null;
  /** When the baseline was last seen without a queue. */
  readonly measuredAtMs: number;
  /** Windows that the probe has been draining. */
  readonly drainingCount: number;
}

/** What an algorithm makes of a sample taken at its limit. */
export type Adjust = (limit: number, baselineMs: number, sample: ConcurrencySample) => Adjustment;

interface Adjustment {
  readonly limit: number;
  readonly baselineMs: number;
}

/** A timeout says more than a delay does: the limit goes down by a share, however large it is. */
const DROP_RATIO = 0.9;
/** At low load a baseline that has become longer is followed in steps, for one window may be an outlier. */
const FOLLOW_RATIO = 0.1;
/** Requests that last forever must not hold a probe up. */
const DRAINING_MAX_COUNT = 8;

/** `log10(limit)`, whole and at least 1: the unit of steps and queues in Netflix's form of Vegas. */
export function logarithm(limit: number): number {
  return Math.max(1, Math.floor(Math.log10(limit)));
}

/**
 * Wraps a rule for the limit in what every such rule needs to be left alone in production:
 *
 * - application-limited: when less than half of the limit was in use, the sample says nothing about the limit. It is
 *   neither raised nor lowered, not even for drops, so low traffic never shrinks it;
 * - the baseline: a queue that stands for long looks like the normal round trip, and a server that has become slower
 *   looks like a queue. Low load, and else a probe, shows which it is;
 * - bounds.
 *
 * Checks the bounds; throws `TypeError`.
 */
export function adaptive(options: AdaptiveOptions, adjust: Adjust): ConcurrencyAlgorithm<AdaptiveState> {
  const { limitStartCount, limitMinCount, limitMaxCount, probeIntervalMs } = options;
  if (limitMinCount > limitStartCount || limitStartCount > limitMaxCount)
    throw new TypeError('adaptive concurrency: limitMinCount ≤ limitStartCount ≤ limitMaxCount must hold');

  const bounded = (limit: number): number => Math.min(limitMaxCount, Math.max(limitMinCount, limit));
  /** Surely below the knee: a limit in balance is at most 6 logarithms above it. */
  const probeLimit = (limit: number): number => bounded(Math.floor(limit / 2 - 6 * logarithm(limit)));

  return {
    start: {
      limit: limitStartCount,
      phase: 'steady',
      heldLimit: limitStartCount,
      baselineMs: null,
      measuredAtMs: 0,
      drainingCount: 0,
    },
    next(state, sample, nowMs) {
      if (state.phase !== 'steady') return probe(state, sample, nowMs);
      // What came first may have been a crowd: the first probe is soon.
      if (state.baselineMs === null)
        return { ...state, baselineMs: sample.rttMs, measuredAtMs: nowMs - probeIntervalMs * 0.9 };
      const measured = measure(state, state.baselineMs, sample, nowMs);
      if (sample.inFlightMaxCount * 2 < state.limit) return measured;
      if (sample.dropped) return { ...measured, limit: bounded(state.limit * DROP_RATIO) };
      const next = { ...measured, ...adjust(state.limit, measured.baselineMs, sample) };
      const limit = bounded(next.limit);
      if (nowMs - measured.measuredAtMs < probeIntervalMs) return { ...next, limit };
      return { ...next, limit: probeLimit(limit), heldLimit: limit, phase: 'draining', drainingCount: 0 };
    },
  };

  /** What a window shows of the round trip without a queue. */
  function measure(state: AdaptiveState, baselineMs: number, sample: ConcurrencySample, nowMs: number) {
    if (sample.dropped) return { ...state, baselineMs };
    const { rttMs } = sample;
    if (sample.inFlightMaxCount > probeLimit(state.limit)) return { ...state, baselineMs };
    const followMs = rttMs > baselineMs ? baselineMs + (rttMs - baselineMs) * FOLLOW_RATIO : rttMs;
    return { ...state, baselineMs: followMs, measuredAtMs: nowMs };
  }

  function probe(state: AdaptiveState, sample: ConcurrencySample, nowMs: number): AdaptiveState {
    if (state.phase === 'draining') {
      const drained = sample.inFlightMaxCount <= state.limit || state.drainingCount + 1 >= DRAINING_MAX_COUNT;
      return { ...state, phase: drained ? 'measuring' : 'draining', drainingCount: state.drainingCount + 1 };
    }
    const steady: AdaptiveState = { ...state, phase: 'steady', limit: state.heldLimit, measuredAtMs: nowMs };
    if (sample.dropped) return { ...steady, limit: bounded(state.heldLimit * DROP_RATIO) };
    return { ...steady, baselineMs: sample.rttMs };
  }
}
