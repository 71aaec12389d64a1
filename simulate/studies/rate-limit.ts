import { type RateLimitOptions, rateLimit } from '../../src/web/layers/rate-limit.ts';
import { timeAxis } from '../picture/axis.ts';
import { playRoute, type RouteRun } from '../route.ts';
import type { Stream } from '../streams.ts';
import { milliseconds } from '../table.ts';
import { passesByBin, perSec, recordingOf, total } from './series.ts';
import { type Case, study } from './study.ts';

const DURATION_MS = 30_000;
const BIN_MS = 500;
/** Of each algorithm, in the long run. */
export const RATE_PER_SEC = 20;
export const BURST_COUNT = 40;
export const WINDOW_MS = 5000;

const CLIENT: Stream = {
  name: 'client',
  phases: [
    { fromMs: 0, untilMs: 5000, perSec: 10 },
    { fromMs: 5000, untilMs: 6000, perSec: 60 },
    { fromMs: 6000, untilMs: 12_000, perSec: 10 },
    { fromMs: 12_000, untilMs: 22_000, perSec: 40 },
    { fromMs: 22_000, untilMs: DURATION_MS, perSec: 10 },
  ],
};

const LIMITS: readonly Partial<RateLimitOptions>[] = [
  { algorithm: 'token-bucket', requestsPerSec: RATE_PER_SEC, burstCount: BURST_COUNT },
  { algorithm: 'leaky-bucket', requestsPerSec: RATE_PER_SEC, queueMaxCount: BURST_COUNT },
  { algorithm: 'sliding-window', requestMaxCount: (RATE_PER_SEC * WINDOW_MS) / 1000, windowMs: WINDOW_MS },
];

interface Observed extends RouteRun {
  readonly algorithm: string;
}

/** The same client before each algorithm. */
export const rateLimitStudy = study<readonly Observed[]>({
  name: 'rate-limit',
  what: 'a client sends bursts, and then for ten seconds twice what is allowed',
  legend: [
    { words: 'sent/s', colour: 'offered', width: 1 },
    { words: 'passed on/s', colour: 'good' },
    { words: 'the rate, 20/s', colour: 'limit', width: 1 },
    { words: 'longest wait', colour: 'p99', width: 2 },
  ],
  columnCount: 3,
  observe: (seed) =>
    Promise.all(
      LIMITS.map(async (options) => ({
        algorithm: options.algorithm ?? '',
        ...(await playRoute(
          {
            durationMs: DURATION_MS,
            binMs: BIN_MS,
            patienceMs: 10_000,
            streams: [CLIENT],
            server: { workerCount: 100, serviceMs: 5, backlogMaxCount: 1000 },
            open: (clock) => ({ layer: rateLimit({ ...options, key: 'route', clock }) }),
          },
          seed,
        )),
      })),
    ),
  cases: (observed) => observed.map(caseOf),
});

function caseOf({ algorithm, passes, recordings }: Observed): Case {
  const bins = recordingOf(recordings, CLIENT.name).bins;
  const passed = passesByBin(passes, BIN_MS, bins.length);
  const longestMs = passed.map((inBin) => Math.max(0, ...inBin.map(({ waitMs }) => waitMs)));
  const passedPerSec = passed.map((inBin) => (inBin.length * 1000) / BIN_MS);
  return {
    title: algorithm,
    facts: [
      [
        ['passed on', `${passes.length} of ${total(bins, (bin) => bin.askedCount)}`],
        ['refused', String(total(bins, (bin) => bin.errorCount))],
      ],
      [
        ['at most', `${Math.max(...passedPerSec)}/s`],
        ['longest wait', milliseconds(Math.max(...longestMs))],
      ],
    ],
    axis: timeAxis(DURATION_MS, BIN_MS, 4, [0, 5000, 12_000, 22_000, DURATION_MS]),
    shades: [],
    tracks: [
      {
        kind: 'plot',
        height: 84,
        scale: { kind: 'linear', top: 80, unit: '/s' },
        series: [
          { name: 'passed', kind: 'area', colour: 'good', values: passedPerSec },
          { name: 'sent', kind: 'line', colour: 'offered', values: perSec(bins, BIN_MS, (bin) => bin.askedCount) },
          { name: 'rate', kind: 'line', colour: 'limit', values: bins.map(() => RATE_PER_SEC) },
        ],
      },
      {
        kind: 'plot',
        height: 32,
        scale: { kind: 'linear', top: 2, unit: ' s' },
        series: [{ name: 'wait', kind: 'line', colour: 'p99', width: 2, values: longestMs.map((ms) => ms / 1000) }],
      },
    ],
  };
}
