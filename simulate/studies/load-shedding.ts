import type { HttpRequest, RequestClass } from '../../src/core/request.ts';
import { SHED_CLASSES } from '../../src/policy/shedding.ts';
import { loadShedding } from '../../src/web/layers/load-shedding.ts';
import { reply } from '../../src/web/reply.ts';
import { EventLoop } from '../event-loop.ts';
import { quantile } from '../measures.ts';
import { timeAxis } from '../picture/axis.ts';
import type { Colour } from '../picture/shapes.ts';
import type { Scale } from '../picture/track.ts';
import { randomStream, withSystemRandom } from '../random.ts';
import type { Recording } from '../recording.ts';
import { beginStreams, type Crowd } from '../streams.ts';
import { milliseconds } from '../table.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { percent, perSec, recordingOf, total } from './series.ts';
import { type Case, study } from './study.ts';

const DURATION_MS = 50_000;
const BIN_MS = 500;
/** What a request costs the processor: 250 answers per second, or 2500 refusals. */
const SERVED_MS = 4;
const REFUSED_MS = 0.4;
/** How often it is looked how late timers are. */
const LOOK_MS = 50;
const RUSH_MS = 8000;
const CALM_MS = 20_000;
const CLIENT_COUNT = 200;

const COLOURS: Readonly<Record<RequestClass, Colour>> = { low: 'third', normal: 'second', high: 'first' };

const DELAY_SCALE: Scale = {
  kind: 'logarithmic',
  from: 10,
  top: 10_000,
  marks: [
    [10, '10 ms'],
    [100, '100 ms'],
    [1000, '1 s'],
    [10_000, '10 s'],
  ],
};

const CROWD: Crowd = {
  durationMs: DURATION_MS,
  binMs: BIN_MS,
  patienceMs: 2000,
  streams: SHED_CLASSES.map((name) => ({
    name,
    phases: [
      { fromMs: 0, untilMs: RUSH_MS, perSec: 50 },
      { fromMs: RUSH_MS, untilMs: CALM_MS, perSec: 150 },
      { fromMs: CALM_MS, untilMs: DURATION_MS, perSec: 50 },
    ],
    request: (random) => ({
      headers: { 'x-class': name },
      peer: { address: `192.0.2.${Math.floor(CLIENT_COUNT * random())}` },
    }),
  })),
};

interface Observed {
  readonly title: string;
  /** By class. */
  readonly recordings: ReadonlyMap<string, Recording>;
  /** How late a timer was at most, in each bin. */
  readonly delaysMs: readonly number[];
}

/** The same process without shedding, and with it. */
export const loadSheddingStudy = study<readonly Observed[]>({
  name: 'load-shedding',
  what: 'for twelve seconds one thread is asked 450/s and can answer 250/s; three classes, alike',
  legend: [
    { words: 'asked/s', colour: 'offered', width: 1 },
    ...SHED_CLASSES.toReversed().map((name) => ({ words: `answered in time: ${name}`, colour: COLOURS[name] })),
    { words: 'delay of the event loop', colour: 'p99', width: 2 },
    { words: 'rush', colour: 'fault' },
  ],
  columnCount: 2,
  observe: (seed) => Promise.all([observe(seed, false), observe(seed, true)]),
  cases: (observed) => observed.map(caseOf),
});

async function observe(seed: number, sheds: boolean): Promise<Observed> {
  const clock = new VirtualClock();
  const loop = new EventLoop(clock);
  const served = reply.text('served');
  const layer = withSystemRandom(randomStream(seed, 'keys'), () => loadShedding({ class: classOf, clock: loop }));
  const handler = sheds ? layer(() => served) : () => served;
  const recordings = beginStreams(
    CROWD,
    () => (request) =>
      loop.arrive(
        () => handler(request),
        (answer) => (answer === served ? SERVED_MS : REFUSED_MS),
      ),
    clock,
    seed,
  );
  const delaysMs = new Array<number>(DURATION_MS / BIN_MS).fill(0);
  let lastMs = 0;
  loop.every(LOOK_MS, () => {
    const delayMs = clock.now() - lastMs - LOOK_MS;
    lastMs = clock.now();
    const bin = Math.floor(lastMs / BIN_MS);
    delaysMs[bin] = Math.max(delaysMs[bin] ?? 0, delayMs);
  });
  // A timer that is overdue has not told so itself yet.
  clock.every(BIN_MS, () => {
    const bin = Math.floor(clock.now() / BIN_MS) - 1;
    delaysMs[bin] = Math.max(delaysMs[bin] ?? 0, clock.now() - lastMs - LOOK_MS);
  });
  await clock.runUntil(DURATION_MS + CROWD.patienceMs + 1);
  return { title: sheds ? 'with shedding' : 'without', recordings, delaysMs: delaysMs.slice(0, DURATION_MS / BIN_MS) };
}

function classOf(request: HttpRequest): RequestClass {
  const given = request.headers.get('x-class');
  return SHED_CLASSES.find((name) => name === given) ?? 'normal';
}

/** What share of the requests of a class was answered in time that came in the rush. */
export function servedRatio({ recordings }: Observed, name: RequestClass): number {
  const rush = recordingOf(recordings, name).bins.slice(RUSH_MS / BIN_MS, CALM_MS / BIN_MS);
  return total(rush, (bin) => bin.goodCount) / total(rush, (bin) => bin.askedCount);
}

function caseOf(run: Observed): Case {
  const { delaysMs, recordings, title } = run;
  const bins = SHED_CLASSES.map((name) => recordingOf(recordings, name).bins);
  const good = bins.map((own) => perSec(own, BIN_MS, (bin) => bin.goodCount));
  const asked = bins.map((own) => perSec(own, BIN_MS, (bin) => bin.askedCount));
  const sum = (series: readonly (readonly number[])[]): number[] =>
    (series[0] ?? []).map((_, at) => series.reduce((height, values) => height + (values[at] ?? 0), 0));
  const rushMs = bins.flatMap((own) =>
    own.slice(RUSH_MS / BIN_MS, CALM_MS / BIN_MS).flatMap(({ latenciesMs }) => latenciesMs),
  );
  return {
    title,
    facts: [
      [
        [
          'in the rush answered:',
          SHED_CLASSES.toReversed()
            .map((name) => `${name} ${percent(servedRatio(run, name))}`)
            .join(', '),
        ],
      ],
      [
        ['p99 of these', milliseconds(quantile(rushMs, 0.99))],
        ['timers late by up to', milliseconds(Math.max(...delaysMs))],
      ],
    ],
    axis: timeAxis(DURATION_MS, BIN_MS, 4, [0, RUSH_MS, CALM_MS, DURATION_MS]),
    shades: [{ from: RUSH_MS / BIN_MS, until: CALM_MS / BIN_MS, colour: 'fault' }],
    tracks: [
      {
        kind: 'plot',
        height: 84,
        scale: { kind: 'linear', top: 550, unit: '/s' },
        series: [
          // Each on top of those that are more important.
          ...SHED_CLASSES.map((name, at) => ({
            name,
            kind: 'area' as const,
            colour: COLOURS[name],
            values: sum(good.slice(at)),
          })),
          { name: 'asked', kind: 'line', colour: 'offered', values: sum(asked) },
        ],
      },
      {
        kind: 'plot',
        height: 60,
        scale: DELAY_SCALE,
        series: [{ name: 'delay', kind: 'line', colour: 'p99', width: 2, values: delaysMs }],
      },
    ],
  };
}
