import { concurrencyLimit } from '../../src/web/layers/concurrency-limit.ts';
import type { ConcurrencyLimitOptions } from '../../src/web/layers/concurrency-options.ts';
import type { Phase } from '../load.ts';
import { quantile } from '../measures.ts';
import { timeAxis } from '../picture/axis.ts';
import type { Colour } from '../picture/shapes.ts';
import type { Plot } from '../picture/track.ts';
import { playRoute, type RouteRun } from '../route.ts';
import type { Stream } from '../streams.ts';
import { milliseconds } from '../table.ts';
import { passesByBin, percent, perSec, recordingOf, total } from './series.ts';
import { type Case, study } from './study.ts';

const DURATION_MS = 30_000;
const BIN_MS = 500;
/** 200 answers per second. */
const SERVER = { workerCount: 5, serviceMs: 25, backlogMaxCount: 1000 };
const FLOOD_MS = 8000;
const CALM_MS = 22_000;

const POLITE_PER_SEC = 30;
const TENANTS: readonly { readonly name: string; readonly colour: Colour; readonly phases: readonly Phase[] }[] = [
  { name: 'a', colour: 'first', phases: [{ fromMs: 0, untilMs: DURATION_MS, perSec: POLITE_PER_SEC }] },
  { name: 'b', colour: 'second', phases: [{ fromMs: 0, untilMs: DURATION_MS, perSec: POLITE_PER_SEC }] },
  {
    name: 'c',
    colour: 'third',
    phases: [
      { fromMs: 0, untilMs: FLOOD_MS, perSec: POLITE_PER_SEC },
      { fromMs: FLOOD_MS, untilMs: CALM_MS, perSec: 20 * POLITE_PER_SEC },
      { fromMs: CALM_MS, untilMs: DURATION_MS, perSec: POLITE_PER_SEC },
    ],
  },
];
const STREAMS: readonly Stream[] = TENANTS.map(({ name, phases }) => ({
  name,
  phases,
  request: () => ({ headers: { 'x-tenant': name } }),
}));

const QUEUES: readonly (readonly [title: string, options: Partial<ConcurrencyLimitOptions>])[] = [
  ['first come, first served', {}],
  ['by tenants', { tenant: { header: 'x-tenant' }, trustedProxies: ['127.0.0.1'] }],
];

interface Observed extends RouteRun {
  readonly title: string;
}

/** The same tenants before a queue that does not know them, and one that does. */
export const fairQueueStudy = study<readonly Observed[]>({
  name: 'fair-queue',
  what: 'three tenants ask 30/s each before a server of 200/s; then c asks 600/s',
  legend: [
    ...TENANTS.map(({ name, colour }) => ({ words: `tenant ${name}`, colour, width: 2 })),
    { words: 'c floods', colour: 'fault' },
  ],
  columnCount: 2,
  observe: (seed) =>
    Promise.all(
      QUEUES.map(async ([title, options]) => ({
        title,
        ...(await playRoute(
          {
            durationMs: DURATION_MS,
            binMs: BIN_MS,
            patienceMs: 5000,
            streams: STREAMS,
            server: SERVER,
            open: (clock) => ({
              layer: concurrencyLimit({
                requestMaxCount: 5,
                queueMaxCount: 200,
                queueTimeoutMs: 2000,
                ...options,
                clock,
              }),
            }),
          },
          seed,
        )),
      })),
    ),
  cases: (observed) => observed.map(caseOf),
});

function caseOf(run: Observed): Case {
  return {
    title: run.title,
    facts: [
      [['answered in the flood:', TENANTS.map(({ name }) => `${name} ${percent(servedRatio(run, name))}`).join(', ')]],
      [
        [
          'longest wait in it:',
          TENANTS.map(({ name }) => `${name} ${milliseconds(Math.max(...floodWaitsMs(run, name)))}`).join(', '),
        ],
      ],
    ],
    axis: timeAxis(DURATION_MS, BIN_MS, 6, [0, FLOOD_MS, CALM_MS, DURATION_MS]),
    shades: [{ from: FLOOD_MS / BIN_MS, until: CALM_MS / BIN_MS, colour: 'fault' }],
    tracks: [answers(run), waits(run)],
  };
}

/** What share of the requests of a tenant was answered that came in the flood. */
export function servedRatio({ recordings }: RouteRun, tenant: string): number {
  const flood = recordingOf(recordings, tenant).bins.slice(FLOOD_MS / BIN_MS, CALM_MS / BIN_MS);
  return total(flood, (bin) => bin.goodCount) / total(flood, (bin) => bin.askedCount);
}

/** How long a tenant's requests waited whose turn came in the flood. */
export function floodWaitsMs({ passes }: RouteRun, tenant: string): readonly number[] {
  return passes
    .filter(({ atMs, stream }) => stream === tenant && atMs >= FLOOD_MS && atMs < CALM_MS)
    .map(({ waitMs }) => waitMs);
}

function answers({ recordings }: RouteRun): Plot {
  return {
    kind: 'plot',
    caption: 'answered/s',
    height: 72,
    scale: { kind: 'linear', top: 200, unit: '/s' },
    series: TENANTS.map(({ name, colour }) => ({
      name,
      kind: 'line',
      colour,
      width: 2,
      values: perSec(recordingOf(recordings, name).bins, BIN_MS, (bin) => bin.goodCount),
    })),
  };
}

function waits({ passes, recordings }: RouteRun): Plot {
  return {
    kind: 'plot',
    caption: 'wait in the queue, p99 of each half second',
    height: 60,
    scale: { kind: 'linear', top: 2, unit: ' s' },
    series: TENANTS.map(({ name, colour }) => {
      const own = passes.filter(({ stream }) => stream === name);
      const byBin = passesByBin(own, BIN_MS, recordingOf(recordings, name).bins.length);
      const values = byBin.map((inBin) => {
        const waitMs = quantile(
          inBin.map((pass) => pass.waitMs),
          0.99,
        );
        return waitMs === null ? null : waitMs / 1000;
      });
      return { name: `${name} waits`, kind: 'line', colour, width: 2, values };
    }),
  };
}
