import { measure } from './measures.ts';
import type { Run } from './run.ts';

const SPARKS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

type Row = readonly string[];

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

/** A scenario under several policies, as a table for a terminal. */
export function table(runs: readonly Run[]): string {
  const rows = [HEAD, ...runs.map(row)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
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

/** What happened second by second, as lines of blocks. */
export function plot({ recording, scenario }: Run): string {
  const { bins, binMs } = recording;
  const peak = Math.max(...bins.map(({ askedCount }) => askedCount));
  const spark = (value: (bin: (typeof bins)[number]) => number): string =>
    bins.map((bin) => SPARKS[Math.min(8, Math.ceil((8 * value(bin)) / peak))] ?? '█').join('');
  const fault = bins.map((_, at) =>
    at * binMs >= scenario.faultFromMs && at * binMs < scenario.faultUntilMs ? '─' : ' ',
  );
  return [
    `    fault     ${fault.join('')}`,
    `    good      ${spark((bin) => bin.goodCount)}`,
    `    errors    ${spark((bin) => bin.errorCount)}`,
    `    attempts  ${spark((bin) => bin.attemptCount)}`,
  ].join('\n');
}

/** What requests ended with, other than well. */
export function errorLine({ recording }: Run): string {
  return [...recording.errors].map(([outcome, count]) => `${outcome} × ${count}`).join(', ');
}

export const milliseconds = (ms: number | null): string => (ms === null ? '–' : `${ms.toFixed(0)} ms`);
export const seconds = (ms: number | null): string => (ms === null ? 'never' : `${(ms / 1000).toFixed(0)} s`);
