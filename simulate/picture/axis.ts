import type { Axis } from './panel.ts';
import type { Scale } from './track.ts';

/** Time from 0 on, in bins, with these moments named. */
export function timeAxis(durationMs: number, binMs: number, stepWidth: number, ticksMs: readonly number[]): Axis {
  const ticks = ticksMs.map((ms) => ({ at: ms / binMs, label: `${ms / 1000} s` }));
  return { stepCount: Math.ceil(durationMs / binMs), stepWidth, ticks };
}

/** Latencies, where they differ by decades. */
export const LATENCY_SCALE: Scale = {
  kind: 'logarithmic',
  from: 10,
  top: 3000,
  marks: [
    [10, '10 ms'],
    [100, '100 ms'],
    [1000, '1 s'],
  ],
};
