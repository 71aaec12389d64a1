import { spell } from '../condition.ts';
import { timeAxis } from '../picture/axis.ts';
import { answerPlot, serverRows } from '../picture/recorded.ts';
import { type Run, run } from '../run.ts';
import { seconds } from '../table.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { compared, course } from './faults.ts';
import { percent, total } from './series.ts';
import { type Case, study } from './study.ts';

const DURATION_MS = 45_000;
const BIN_MS = 500;
export const LOOK_MS = 50;
export const HUNG_MS = 10_000;
export const WELL_MS = 28_000;
const REQUESTS_PER_SEC = 120;
export const PROBES = { path: '/healthz', intervalMs: 2000, timeoutMs: 500, unhealthyIntervalMs: 1000 };

interface Observed {
  readonly run: Run;
  /** When requests were sent to the server that hangs, and when probes. */
  readonly sentMs: readonly number[];
  readonly probedMs: readonly number[];
}

/** A server that accepts connections and answers nothing, without probes and with them. */
export const healthStudy = study<readonly Observed[]>({
  name: 'health',
  what: 'one of four servers hangs: it accepts connections and answers nothing',
  legend: [
    { words: 'answered/s', colour: 'good' },
    { words: 'errors/s', colour: 'error' },
    { words: 'requests at server #n', colour: 'share' },
    { words: 'unhealthy', colour: 'unhealthy' },
    { words: 'a probe of #1', colour: 'p99' },
    { words: '#1 hangs', colour: 'fault' },
  ],
  columnCount: 2,
  async observe(seed) {
    const observed: Observed[] = [];
    const base = { timeouts: { headMs: 1000 } };
    for (const policy of compared(
      'active: { intervalMs: 2000, timeoutMs: 500 }',
      { health: { active: PROBES } },
      base,
    )) {
      const [sentMs, probedMs]: [number[], number[]] = [[], []];
      const clock = new VirtualClock();
      const made = await run(course(DURATION_MS, spell(HUNG_MS, WELL_MS, [0], { reach: 'hung' })), policy, seed, {
        clock,
        binMs: BIN_MS,
        lookMs: LOOK_MS,
        requestsPerSec: REQUESTS_PER_SEC,
        watcher: {
          onSend: ({ server }) => void (server === 0 && sentMs.push(clock.now())),
          onProbe: (server) => void (server === 0 && probedMs.push(clock.now())),
        },
      });
      observed.push({ run: made, sentMs, probedMs });
    }
    return observed;
  },
  cases: (observed) => observed.map(caseOf),
});

/** When the server that hangs was taken to be unhealthy, and when to be well again; `null`: never. */
export function noticedMs({ run: { recording } }: Observed): readonly [badMs: number | null, wellMs: number | null] {
  const own = recording.changes.filter(({ server }) => server === 0);
  const bad = own.find(({ state }) => state === 'unhealthy');
  const well = own.find(({ atMs, state }) => state === 'well' && bad !== undefined && atMs > bad.atMs);
  return [bad?.atMs ?? null, well?.atMs ?? null];
}

function caseOf(observed: Observed): Case {
  const { probedMs, run: made } = observed;
  const { policy, recording } = made;
  const [badMs, wellMs] = noticedMs(observed);
  const { bins } = recording;
  return {
    title: policy.title,
    facts: [
      [
        ['answered well', percent(total(bins, (bin) => bin.goodCount) / total(bins, (bin) => bin.askedCount))],
        ['errors', String(total(bins, (bin) => bin.errorCount))],
        ['seen after', seconds(badMs === null ? null : badMs - HUNG_MS, 1)],
        ['back after', seconds(wellMs === null ? null : wellMs - WELL_MS, 1)],
      ],
    ],
    axis: timeAxis(DURATION_MS, BIN_MS, 4, [0, HUNG_MS, WELL_MS, DURATION_MS]),
    shades: [{ from: HUNG_MS / BIN_MS, until: WELL_MS / BIN_MS, colour: 'fault' }],
    tracks: [
      answerPlot(recording, 200),
      ...serverRows(recording, REQUESTS_PER_SEC / 2 / (1000 / BIN_MS)),
      {
        kind: 'row',
        label: 'probes',
        top: 1,
        series: [],
        spans: [],
        marks: probedMs.filter((ms) => ms < DURATION_MS).map((ms) => ({ at: ms / BIN_MS, colour: 'p99' })),
      },
    ],
  };
}
