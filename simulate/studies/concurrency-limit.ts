import { concurrencyLimit } from '../../src/web/layers/concurrency-limit.ts';
import type { ConcurrencyLimitOptions } from '../../src/web/layers/concurrency-options.ts';
import { spell } from '../condition.ts';
import { quantile } from '../measures.ts';
import { timeAxis } from '../picture/axis.ts';
import { answerPlot, latencyPlot } from '../picture/recorded.ts';
import type { Plot } from '../picture/track.ts';
import { playRoute, type RouteRun } from '../route.ts';
import type { Stream } from '../streams.ts';
import { milliseconds } from '../table.ts';
import { between, percent, recordingOf, total } from './series.ts';
import { type Case, study } from './study.ts';

const DURATION_MS = 60_000;
export const BIN_MS = 1000;
/** What the server answers per second at most, but for the time in which it takes twice as long. */
const SERVER = { workerCount: 10, serviceMs: 50, stageCount: 10, backlogMaxCount: 100_000 };
export const RUSH_MS = 10_000;
export const SLOW_MS = 20_000;
export const LULL_MS = 35_000;
export const RETURN_MS = 45_000;

const CLIENTS: Stream = {
  name: 'clients',
  phases: [
    { fromMs: 0, untilMs: RUSH_MS, perSec: 120 },
    { fromMs: RUSH_MS, untilMs: SLOW_MS, perSec: 300 },
    { fromMs: SLOW_MS, untilMs: LULL_MS, perSec: 150 },
    { fromMs: LULL_MS, untilMs: RETURN_MS, perSec: 4 },
    { fromMs: RETURN_MS, untilMs: DURATION_MS, perSec: 180 },
  ],
};

const UNLIMITED = 'no limit';
const QUEUE = { queueMaxCount: 50, queueTimeoutMs: 200 };
const LIMITS: readonly (readonly [title: string, options: Partial<ConcurrencyLimitOptions> | null])[] = [
  [UNLIMITED, null],
  ['fixed', { ...QUEUE, requestMaxCount: 20 }],
  ['vegas', { ...QUEUE, adaptive: 'vegas', requestMaxCount: 200 }],
  ['gradient', { ...QUEUE, adaptive: 'gradient', requestMaxCount: 200 }],
];

interface Observed extends RouteRun {
  readonly title: string;
}

/** The same server behind each limit. */
export const concurrencyLimitStudy = study<readonly Observed[]>({
  name: 'concurrency-limit',
  what: 'a server of 200 answers/s gets more to do than it can, gets slower, and has a lull',
  legend: [
    { words: 'answered/s', colour: 'good' },
    { words: 'refused or too late', colour: 'error' },
    { words: 'p99', colour: 'p99', width: 2 },
    { words: 'p50', colour: 'p50', width: 2 },
    { words: 'the limit: requests at once', colour: 'limit', width: 2 },
    { words: 'twice as slow', colour: 'fault' },
  ],
  columnCount: 2,
  observe: (seed) =>
    Promise.all(
      LIMITS.map(async ([title, options]) => ({
        title,
        ...(await playRoute(
          {
            durationMs: DURATION_MS,
            binMs: BIN_MS,
            patienceMs: 1000,
            streams: [CLIENTS],
            server: SERVER,
            turns: spell(SLOW_MS, LULL_MS, [0], { slowness: 2 }),
            open(clock) {
              if (options === null) return { layer: (inner) => inner };
              const layer = concurrencyLimit({ ...options, clock });
              return { layer, gauge: () => layer.status().limitCount };
            },
          },
          seed,
        )),
      })),
    ),
  cases: (observed) => observed.map(caseOf),
});

function caseOf({ gauges, recordings, title }: Observed): Case {
  const recording = recordingOf(recordings, CLIENTS.name);
  const { bins } = recording;
  const rush = between(bins, BIN_MS, RUSH_MS, SLOW_MS);
  const slow = between(bins, BIN_MS, SLOW_MS, LULL_MS);
  const good = (part: typeof bins): string =>
    `${((total(part, (bin) => bin.goodCount) * 1000) / BIN_MS / part.length).toFixed(0)}/s`;
  const p99 = (part: typeof bins): string =>
    milliseconds(
      quantile(
        part.flatMap((bin) => bin.latenciesMs),
        0.99,
      ),
    );
  return {
    title,
    facts: [
      [
        ['answered', percent(total(bins, (bin) => bin.goodCount) / total(bins, (bin) => bin.askedCount))],
        ['in the rush', good(rush)],
        ['p99', p99(rush)],
      ],
      [
        ['while slow', good(slow)],
        ['p99 then', p99(slow)],
      ],
    ],
    axis: timeAxis(DURATION_MS, BIN_MS, 6, [0, RUSH_MS, SLOW_MS, LULL_MS, RETURN_MS, DURATION_MS]),
    shades: [{ from: SLOW_MS / BIN_MS, until: LULL_MS / BIN_MS, colour: 'fault' }],
    tracks: [answerPlot(recording, 350), latencyPlot(recording), ...(title === UNLIMITED ? [] : [limitPlot(gauges)])],
  };
}

const limitPlot = (counts: readonly number[]): Plot => ({
  kind: 'plot',
  height: 36,
  scale: { kind: 'linear', top: 50, unit: '' },
  series: [{ name: 'limit', kind: 'line', colour: 'limit', width: 2, values: counts }],
});
