import type { Turn } from '../condition.ts';
import { quantile } from '../measures.ts';
import { timeAxis } from '../picture/axis.ts';
import { answerPlot, latencyPlot } from '../picture/recorded.ts';
import type { Plot } from '../picture/track.ts';
import type { Recording } from '../recording.ts';
import { type Run, run } from '../run.ts';
import { milliseconds } from '../table.ts';
import { compared, course } from './faults.ts';
import { between, total } from './series.ts';
import { type Case, study } from './study.ts';

const DURATION_MS = 60_000;
const BIN_MS = 1000;
export const JOIN_MS = 15_000;
export const WINDOW_MS = 20_000;
const REQUESTS_PER_SEC = 120;
const SERVER_COUNT = 4;

/** The new server is cold: six times as slow as usual, and less each second. */
const COLD_RATIO = 6;
const WARMING: readonly Turn[] = Array.from({ length: 21 }, (_, step) => ({
  atMs: JOIN_MS + (WINDOW_MS * step) / 20,
  servers: [SERVER_COUNT - 1],
  condition: { slowness: COLD_RATIO - ((COLD_RATIO - 1) * step) / 20 },
}));

/** A cold endpoint joins three warm ones, with its whole share at once and with a slow start. */
export const slowStartStudy = study<readonly Run[]>({
  name: 'slow-start',
  what: 'a fourth server joins, at first six times as slow as the others, and warm after twenty seconds',
  legend: [
    { words: 'answered/s', colour: 'good' },
    { words: 'errors/s', colour: 'error' },
    { words: 'p99', colour: 'p99', width: 2 },
    { words: 'p50', colour: 'p50', width: 2 },
    { words: 'share of the new server', colour: 'share' },
    { words: 'a quarter', colour: 'limit', width: 1 },
    { words: 'it is cold', colour: 'fault' },
  ],
  columnCount: 2,
  async observe(seed) {
    const runs: Run[] = [];
    const slowStart = { windowMs: WINDOW_MS };
    for (const policy of compared(
      'slowStart: { windowMs: 20000 }',
      { slowStart },
      { balance: 'weighted-round-robin' },
    )) {
      runs.push(
        await run(course(DURATION_MS, WARMING), policy, seed, {
          serverCount: SERVER_COUNT,
          binMs: BIN_MS,
          requestsPerSec: REQUESTS_PER_SEC,
          endpoints: (urls) => urls.slice(0, -1),
          acts: [{ atMs: JOIN_MS, do: (group, urls) => group.update(urls) }],
        }),
      );
    }
    return runs;
  },
  cases: (runs) => runs.map(caseOf),
});

/** In each bin, the new server's share of all requests. */
export const newShares = ({ bins }: Recording): number[] =>
  bins.map(({ attemptCount, shares }) => (shares.at(-1) ?? 0) / attemptCount);

function caseOf({ policy, recording }: Run): Case {
  const cold = between(recording.bins, BIN_MS, JOIN_MS, JOIN_MS + WINDOW_MS);
  const latenciesMs = cold.flatMap((bin) => bin.latenciesMs);
  return {
    title: policy.title,
    facts: [
      [
        ['errors', String(total(recording.bins, (bin) => bin.errorCount))],
        ['p99 while it is cold', milliseconds(quantile(latenciesMs, 0.99))],
        ['median', milliseconds(quantile(latenciesMs, 0.5))],
      ],
    ],
    axis: timeAxis(DURATION_MS, BIN_MS, 6, [0, JOIN_MS, JOIN_MS + WINDOW_MS, DURATION_MS]),
    shades: [{ from: JOIN_MS / BIN_MS, until: (JOIN_MS + WINDOW_MS) / BIN_MS, colour: 'fault' }],
    tracks: [answerPlot(recording, 170), latencyPlot(recording), sharePlot(recording)],
  };
}

const sharePlot = (recording: Recording): Plot => ({
  kind: 'plot',
  height: 48,
  scale: { kind: 'linear', top: 40, unit: ' %' },
  series: [
    { name: 'share', kind: 'area', colour: 'share', values: newShares(recording).map((share) => 100 * share) },
    { name: 'a quarter', kind: 'line', colour: 'limit', values: recording.bins.map(() => 100 / SERVER_COUNT) },
  ],
});
