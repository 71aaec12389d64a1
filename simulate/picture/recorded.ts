import { quantile } from '../measures.ts';
import type { Bin, EndpointState, Recording } from '../recording.ts';
import { LATENCY_SCALE } from './axis.ts';
import type { Span } from './panel.ts';
import type { Plot, Row, Series } from './track.ts';

/** What was answered, and what failed on top of it: together that is what was asked. */
export function answerPlot({ bins, binMs }: Recording, top: number): Plot {
  const perSec = (count: (bin: Bin) => number): number[] => bins.map((bin) => (count(bin) * 1000) / binMs);
  return {
    kind: 'plot',
    height: 72,
    scale: { kind: 'linear', top, unit: '/s' },
    series: [
      { name: 'ended', kind: 'area', colour: 'error', values: perSec((bin) => bin.goodCount + bin.errorCount) },
      { name: 'good', kind: 'area', colour: 'good', values: perSec((bin) => bin.goodCount) },
    ],
  };
}

/** The same, and what servers were sent. */
export function attemptPlot(recording: Recording, top: number): Plot {
  const { bins, binMs } = recording;
  const values = bins.map(({ attemptCount }) => (attemptCount * 1000) / binMs);
  const plot = answerPlot(recording, top);
  return { ...plot, series: [...plot.series, { name: 'attempts', kind: 'line', colour: 'attempts', values }] };
}

export function latencyPlot({ bins }: Recording): Plot {
  const at = (name: 'p50' | 'p99', ratio: number): Series => ({
    name,
    kind: 'line',
    colour: name,
    values: bins.map(({ latenciesMs }) => quantile(latenciesMs, ratio)),
  });
  return { kind: 'plot', height: 48, scale: LATENCY_SCALE, series: [at('p50', 0.5), at('p99', 0.99)] };
}

/** Each server's attempts, on the colour of what it is taken for. `top`: so many in a bin fill a row. */
export function serverRows({ bins, binMs, changes }: Recording, top: number): Row[] {
  return (bins[0]?.shares ?? []).map((_, server) => {
    const own = changes.filter((change) => change.server === server);
    const spans = own.map(({ atMs, state }, index) => ({
      from: atMs / binMs,
      until: (own[index + 1]?.atMs ?? bins.length * binMs) / binMs,
      colour: state,
    }));
    const name = `#${server + 1}`;
    return {
      kind: 'row',
      label: name,
      top,
      series: [{ name, kind: 'area', colour: 'share', values: bins.map(({ shares }) => shares[server] ?? 0) }],
      spans: spans.filter((span): span is Span & { colour: Exclude<EndpointState, 'well'> } => span.colour !== 'well'),
    };
  });
}
