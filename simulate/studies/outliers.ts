import { spell } from '../condition.ts';
import { timeAxis } from '../picture/axis.ts';
import { answerPlot, serverRows } from '../picture/recorded.ts';
import type { StateChange } from '../recording.ts';
import { type Run, run } from '../run.ts';
import { compared, course } from './faults.ts';
import { percent, total } from './series.ts';
import { type Case, study } from './study.ts';

const DURATION_MS = 90_000;
const BIN_MS = 1000;
export const SERVER_COUNT = 6;
const ONE_MS = 10_000;
const ONE_UNTIL_MS = 40_000;
const MOST_MS = 55_000;
const MOST_UNTIL_MS = 75_000;
export const EJECT_MS = 3000;
const REQUESTS_PER_SEC = 120;

const TURNS = [
  ...spell(ONE_MS, ONE_UNTIL_MS, [0], { errorRatio: 0.5 }),
  ...spell(MOST_MS, MOST_UNTIL_MS, [0, 1, 2, 3], { errorRatio: 0.9 }),
];

/** Servers that fail often, without ejection and with it. */
export const outliersStudy = study<readonly Run[]>({
  name: 'outliers',
  what: 'one of six servers fails every other request, and later four fail nine in ten',
  legend: [
    { words: 'answered/s', colour: 'good' },
    { words: 'errors/s', colour: 'error' },
    { words: 'requests at server #n', colour: 'share' },
    { words: 'ejected', colour: 'ejected' },
    { words: 'servers fail', colour: 'fault' },
  ],
  columnCount: 2,
  async observe(seed) {
    const passive = { ejectMs: EJECT_MS, failureRatio: 0.25 };
    const runs: Run[] = [];
    for (const policy of compared('passive: { ejectMs: 3000, failureRatio: 0.25 }', { health: { passive } })) {
      const parts = { serverCount: SERVER_COUNT, binMs: BIN_MS, lookMs: 50, requestsPerSec: REQUESTS_PER_SEC };
      runs.push(await run(course(DURATION_MS, TURNS), policy, seed, parts));
    }
    return runs;
  },
  cases: (runs) => runs.map(caseOf),
});

function caseOf({ policy, recording }: Run): Case {
  const { bins } = recording;
  return {
    title: policy.title,
    facts: [
      [
        ['answered well', percent(total(bins, (bin) => bin.goodCount) / total(bins, (bin) => bin.askedCount))],
        ['errors', String(total(bins, (bin) => bin.errorCount))],
        ['out at once at most', `${ejectedMaxCount(recording.changes)} of ${SERVER_COUNT}`],
      ],
    ],
    axis: timeAxis(DURATION_MS, BIN_MS, 4, [0, ONE_MS, ONE_UNTIL_MS, MOST_MS, MOST_UNTIL_MS, DURATION_MS]),
    shades: [
      { from: ONE_MS / BIN_MS, until: ONE_UNTIL_MS / BIN_MS, colour: 'fault' },
      { from: MOST_MS / BIN_MS, until: MOST_UNTIL_MS / BIN_MS, colour: 'fault' },
    ],
    tracks: [answerPlot(recording, 170), ...serverRows(recording, REQUESTS_PER_SEC / 2)],
  };
}

/** How many were out at the same time at most. */
export function ejectedMaxCount(changes: readonly StateChange[]): number {
  const out = new Set<number>();
  let maxCount = 0;
  for (const [at, { atMs, server, state }] of changes.entries()) {
    if (state === 'ejected') out.add(server);
    else out.delete(server);
    // What is seen in one look is seen as one.
    if (changes[at + 1]?.atMs !== atMs) maxCount = Math.max(maxCount, out.size);
  }
  return maxCount;
}

/** How long each ejection of a server took, in their order. */
export function ejectionsMs(changes: readonly StateChange[], server: number): number[] {
  const own = changes.filter((change) => change.server === server);
  return own.flatMap(({ atMs, state }, at) => {
    const next = own[at + 1];
    return state === 'ejected' && next !== undefined ? [next.atMs - atMs] : [];
  });
}
