import { measure, quantile } from '../measures.ts';
import type { Bin, EndpointState } from '../recording.ts';
import type { Run } from '../run.ts';
import type { Scenario } from '../scenarios.ts';
import { milliseconds, seconds } from '../table.ts';
import type { Figure } from './figure.ts';
import type { LegendEntry } from './legend.ts';
import type { Axis, Panel, Span } from './panel.ts';
import type { Plot, Row, Scale, Series } from './track.ts';

/** Pixels for a second, and the heights of what is drawn for one run. */
const STEP = 4;
const RATE_HEIGHT = 72;
const LATENCY_HEIGHT = 48;

/** A server's row is full when it gets so much of what usually comes to all. */
const SHARE_PEAK_RATIO = 0.75;

/** Latencies, where they differ by decades. */
const LATENCY_SCALE: Scale = {
  kind: 'logarithmic',
  from: 10,
  top: 3000,
  marks: [
    [10, '10 ms'],
    [100, '100 ms'],
    [1000, '1 s'],
  ],
};

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
    tracks: [ratePlot(recording.bins, binMs, top), latencyPlot(recording.bins), ...serverRows(run)],
  };
}

export function timeAxis(durationMs: number, binMs: number, stepWidth: number, ticksMs: readonly number[]): Axis {
  const ticks = ticksMs.map((ms) => ({ at: ms / binMs, label: `${ms / 1000} s` }));
  return { stepCount: Math.ceil(durationMs / binMs), stepWidth, ticks };
}

/** What was answered, what failed on top of it, and what servers were sent. */
function ratePlot(bins: readonly Bin[], binMs: number, top: number): Plot {
  const perSec = (count: (bin: Bin) => number): number[] => bins.map((bin) => (count(bin) * 1000) / binMs);
  return {
    kind: 'plot',
    height: RATE_HEIGHT,
    scale: { kind: 'linear', top, unit: '/s' },
    series: [
      { name: 'ended', kind: 'area', colour: 'error', values: perSec((bin) => bin.goodCount + bin.errorCount) },
      { name: 'good', kind: 'area', colour: 'good', values: perSec((bin) => bin.goodCount) },
      { name: 'attempts', kind: 'line', colour: 'attempts', values: perSec((bin) => bin.attemptCount) },
    ],
  };
}

function latencyPlot(bins: readonly Bin[]): Plot {
  const at = (name: 'p50' | 'p99', ratio: number): Series => ({
    name,
    kind: 'line',
    colour: name,
    values: bins.map(({ latenciesMs }) => quantile(latenciesMs, ratio)),
  });
  return { kind: 'plot', height: LATENCY_HEIGHT, scale: LATENCY_SCALE, series: [at('p50', 0.5), at('p99', 0.99)] };
}

/** Each server's attempts, on the colour of what it is taken for. */
function serverRows({ recording, scenario }: Run): Row[] {
  const { bins, binMs, changes } = recording;
  const serverCount = bins[0]?.shares.length ?? 0;
  const top = SHARE_PEAK_RATIO * (bins[0]?.askedCount ?? 0);
  return Array.from({ length: serverCount }, (_, server) => {
    const own = changes.filter((change) => change.server === server);
    const spans = own.map(({ atMs, state }, index) => ({
      from: atMs / binMs,
      until: (own[index + 1]?.atMs ?? scenario.durationMs) / binMs,
      colour: state,
    }));
    return {
      kind: 'row',
      label: `#${server + 1}`,
      top,
      series: [
        {
          name: `#${server + 1}`,
          kind: 'area',
          colour: 'share',
          values: bins.map(({ shares }) => shares[server] ?? 0),
        },
      ],
      spans: spans.filter((span): span is Span & { colour: Exclude<EndpointState, 'well'> } => span.colour !== 'well'),
    };
  });
}
