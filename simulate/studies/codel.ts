import { concurrencyLimit } from '../../src/web/layers/concurrency-limit.ts';
import type { ConcurrencyLimitOptions } from '../../src/web/layers/concurrency-options.ts';
import { quantile } from '../measures.ts';
import { timeAxis } from '../picture/axis.ts';
import { answerPlot } from '../picture/recorded.ts';
import type { Scale } from '../picture/track.ts';
import { playRoute, type RouteRun } from '../route.ts';
import type { Stream } from '../streams.ts';
import { milliseconds } from '../table.ts';
import { passesByBin, recordingOf, total } from './series.ts';
import { type Case, study } from './study.ts';

const DURATION_MS = 15_000;
export const BIN_MS = 250;
/** 500 answers per second. */
const SERVER = { workerCount: 5, serviceMs: 10, backlogMaxCount: 1000 };
const BURST_MS = 2500;
export const OVERLOAD_MS = 5000;
export const CALM_MS = 12_000;

const WAIT_SCALE: Scale = {
  kind: 'logarithmic',
  from: 1,
  top: 2000,
  marks: [
    [1, '1 ms'],
    [10, '10 ms'],
    [100, '100 ms'],
    [1000, '1 s'],
  ],
};

const CLIENTS: Stream = {
  name: 'clients',
  phases: [
    { fromMs: 0, untilMs: OVERLOAD_MS, perSec: 200 },
    // About twenty at once.
    { fromMs: BURST_MS, untilMs: BURST_MS + 10, perSec: 2000 },
    { fromMs: OVERLOAD_MS, untilMs: CALM_MS, perSec: 750 },
    { fromMs: CALM_MS, untilMs: DURATION_MS, perSec: 200 },
  ],
};

const CODELS: readonly (readonly [title: string, codel: ConcurrencyLimitOptions['codel']])[] = [
  ['no codel', null],
  ['paced', { mode: 'paced' }],
  ['deadline', { mode: 'deadline' }],
];

interface Observed extends RouteRun {
  readonly title: string;
}

/** The same queue with each mode. */
export const codelStudy = study<readonly Observed[]>({
  name: 'codel',
  what: 'a burst of some twenty requests, and then for seven seconds 750/s before a server of 500/s',
  legend: [
    { words: 'answered/s', colour: 'good' },
    { words: 'refused/s', colour: 'error' },
    { words: 'longest wait', colour: 'p99', width: 2 },
    { words: 'median wait', colour: 'p50', width: 2 },
  ],
  columnCount: 3,
  observe: (seed) =>
    Promise.all(
      CODELS.map(async ([title, codel]) => ({
        title,
        ...(await playRoute(
          {
            durationMs: DURATION_MS,
            binMs: BIN_MS,
            patienceMs: 3000,
            streams: [CLIENTS],
            server: SERVER,
            open: (clock) => ({ layer: concurrencyLimit({ requestMaxCount: 5, codel, clock }) }),
          },
          seed,
        )),
      })),
    ),
  cases: (observed) => observed.map(caseOf),
});

function caseOf({ passes, recordings, title }: Observed): Case {
  const recording = recordingOf(recordings, CLIENTS.name);
  const { bins } = recording;
  const waitsMs = passesByBin(passes, BIN_MS, bins.length).map((inBin) => inBin.map(({ waitMs }) => waitMs));
  const overloadMs = passes.filter(({ atMs }) => atMs >= OVERLOAD_MS && atMs < CALM_MS).map(({ waitMs }) => waitMs);
  return {
    title,
    facts: [
      [
        ['answered', `${total(bins, (bin) => bin.goodCount)}`],
        ['refused', `${total(bins, (bin) => bin.errorCount)}`],
      ],
      [
        ['overload: median wait', milliseconds(quantile(overloadMs, 0.5))],
        ['longest', milliseconds(Math.max(...overloadMs))],
      ],
    ],
    axis: timeAxis(DURATION_MS, BIN_MS, 4, [0, BURST_MS, OVERLOAD_MS, CALM_MS, DURATION_MS]),
    shades: [],
    tracks: [
      answerPlot(recording, 900),
      {
        kind: 'plot',
        height: 60,
        scale: WAIT_SCALE,
        series: [
          {
            name: 'longest',
            kind: 'line',
            colour: 'p99',
            width: 2,
            values: waitsMs.map((ms) => Math.max(0, ...ms)),
          },
          { name: 'median', kind: 'line', colour: 'p50', values: waitsMs.map((ms) => quantile(ms, 0.5)) },
        ],
      },
    ],
  };
}
