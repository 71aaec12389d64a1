import { measure } from '../measures.ts';
import type { Run } from '../run.ts';
import type { Scenario } from '../scenarios.ts';
import { milliseconds, seconds } from '../table.ts';
import { timeAxis } from './axis.ts';
import type { Figure } from './figure.ts';
import type { LegendEntry } from './legend.ts';
import type { Panel } from './panel.ts';
import { attemptPlot, latencyPlot, serverRows } from './recorded.ts';

/** Pixels for a second. */
const STEP = 4;

/** A server's row is full when it gets so much of what usually comes to all. */
const SHARE_PEAK_RATIO = 0.75;

const LEGEND: readonly LegendEntry[] = [
  { words: 'answered/s', colour: 'good' },
  { words: 'errors/s', colour: 'error' },
  { words: 'attempts/s', colour: 'attempts', width: 1 },
  { words: 'p99', colour: 'p99', width: 2 },
  { words: 'p50', colour: 'p50', width: 2 },
  { words: 'attempts at server #n', colour: 'share' },
  { words: 'breaker open', colour: 'open' },
  { words: 'half-open', colour: 'half-open' },
  { words: 'ejected', colour: 'ejected' },
  { words: 'fault', colour: 'fault' },
];

/** A scenario under several policies: one panel for each, all to the same scale. */
export function scenarioFigure({ name, what }: Scenario, runs: readonly Run[]): Figure {
  const top = peakPerSec(runs);
  return { name, what, legend: LEGEND, columnCount: 3, panels: runs.map((run) => panelOf(run, top)) };
}

/** The top of the scale: what comes or is tried in a second at most, rounded up. */
function peakPerSec(runs: readonly Run[]): number {
  const counts = runs.flatMap(({ recording: { bins, binMs } }) =>
    bins.flatMap(({ askedCount, attemptCount }) => [askedCount, attemptCount].map((count) => (1000 * count) / binMs)),
  );
  return Math.ceil(Math.max(...counts) / 50) * 50;
}

/** Requests per second, latency, and each server with its share and what it was taken for. */
function panelOf(run: Run, top: number): Panel {
  const { recording, scenario } = run;
  const { durationMs, faultFromMs, faultUntilMs } = scenario;
  const { binMs } = recording;
  const measures = measure(run);
  const good = `${(100 * measures.goodRatio).toFixed(1)} % good, ${measures.attemptsPerRequest.toFixed(2)} attempts each`;
  const recovery = measures.recoverMs === null ? 'does not recover' : `recovers in ${seconds(measures.recoverMs)}`;
  return {
    title: run.policy.title,
    notes: [good, `p99 in the fault ${milliseconds(measures.faultP99Ms)}, ${recovery}`],
    axis: timeAxis(durationMs, binMs, STEP, [0, faultFromMs, faultUntilMs, durationMs]),
    shades: [{ from: faultFromMs / binMs, until: faultUntilMs / binMs, colour: 'fault' }],
    tracks: [
      attemptPlot(recording, top),
      latencyPlot(recording),
      ...serverRows(recording, SHARE_PEAK_RATIO * (recording.bins[0]?.askedCount ?? 0)),
    ],
  };
}
