import { measure } from './measures.ts';
import type { Panel } from './picture/panel.ts';
import { heightOn } from './picture/track.ts';
import type { Run } from './run.ts';

const SPARKS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

type Row = readonly string[];
/** The first row is the head. */
export type Table = readonly Row[];

const HEAD: Row = [
  'policy',
  'good',
  'errors',
  'good/s in fault',
  'p50',
  'p99',
  'p99 in fault',
  'attempts',
  'recovers',
  'shares even',
];

/** A scenario under several policies. */
export const scenarioTable = (runs: readonly Run[]): Table => [HEAD, ...runs.map(row)];

/** For a terminal. */
export function table(rows: Table): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: Row): string =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ');
  return rows.map((cells) => `  ${line(cells)}`).join('\n');
}

function row(run: Run): Row {
  const measures = measure(run);
  return [
    run.policy.title,
    `${(100 * measures.goodRatio).toFixed(2)} %`,
    String(measures.errorCount),
    measures.faultGoodPerSec.toFixed(0),
    milliseconds(measures.p50Ms),
    milliseconds(measures.p99Ms),
    milliseconds(measures.faultP99Ms),
    measures.attemptsPerRequest.toFixed(2),
    seconds(measures.recoverMs),
    seconds(measures.shareRecoverMs),
  ];
}

/** What is drawn of a run, step by step, as lines of blocks. */
export function plot({ axis, shades, tracks }: Panel): string {
  const steps = Array.from({ length: axis.stepCount }, (_, step) => step);
  const shade = steps.map((step) => (shades.some(({ from, until }) => step >= from && step < until) ? '─' : ' '));
  const lines = tracks.flatMap((track) => {
    const heightOf = heightOn(track.kind === 'plot' ? track.scale : { kind: 'linear', top: track.top }, 8);
    return track.series.map(({ name, values }) => {
      const sparks = steps.map((step) => {
        const value = values[step] ?? null;
        return value === null ? ' ' : SPARKS[value > 0 ? Math.max(1, heightOf(value)) : 0];
      });
      return [name, sparks.join('')] as const;
    });
  });
  const all = shades.length === 0 ? lines : [['fault', shade.join('')] as const, ...lines];
  const width = Math.max(...all.map(([name]) => name.length));
  return all.map(([name, sparks]) => `    ${name.padEnd(width)}  ${sparks}`).join('\n');
}

/** What requests ended with, other than well. */
export function errorLine({ recording }: Run): string {
  return [...recording.errors].map(([outcome, count]) => `${outcome} × ${count}`).join(', ');
}

export const milliseconds = (ms: number | null): string => (ms === null ? '–' : `${ms.toFixed(0)} ms`);
export const seconds = (ms: number | null, digitCount = 0): string =>
  ms === null ? 'never' : `${(ms / 1000).toFixed(digitCount)} s`;
