import { RETRY_BUDGET_DEFAULTS } from '../../src/policy/retry-budget.ts';
import { RETRY_DEFAULTS } from '../../src/upstream/retry.ts';
import { spell } from '../condition.ts';
import { timeAxis } from '../picture/axis.ts';
import { attemptPlot } from '../picture/recorded.ts';
import type { Plot } from '../picture/track.ts';
import type { Policy } from '../policies.ts';
import type { Recording } from '../recording.ts';
import { type Run, run } from '../run.ts';
import { course } from './faults.ts';
import { between, percent, total } from './series.ts';
import { type Case, study } from './study.ts';

const DURATION_MS = 60_000;
export const BIN_MS = 1000;
export const SOME_MS = 10_000;
export const SOME_UNTIL_MS = 25_000;
export const ALL_MS = 35_000;
export const ALL_UNTIL_MS = 50_000;
const SERVERS = [0, 1, 2, 3];

const TURNS = [
  ...spell(SOME_MS, SOME_UNTIL_MS, SERVERS, { errorRatio: 0.1 }),
  ...spell(ALL_MS, ALL_UNTIL_MS, SERVERS, { errorRatio: 1 }),
];

const POLICIES: readonly Policy[] = [
  { name: 'nothing', title: 'no retries', options: {} },
  { name: 'unbounded', title: 'three attempts, no budget', options: { retry: { budgetMinPerSec: 1_000_000 } } },
  { name: 'budget', title: 'three attempts, budgetRatio: 0.2', options: { retry: {} } },
];

/** All servers fail now and then, and later always. */
export const retriesStudy = study<readonly Run[]>({
  name: 'retries',
  what: 'all servers answer one request in ten with 503, and later all of them',
  legend: [
    { words: 'answered/s', colour: 'good' },
    { words: 'errors/s', colour: 'error' },
    { words: 'attempts/s', colour: 'attempts', width: 1 },
    { words: 'further attempts in ten seconds', colour: 'p99', width: 2 },
    { words: 'the budget for these', colour: 'limit', width: 1 },
    { words: 'servers fail', colour: 'fault' },
  ],
  columnCount: 3,
  async observe(seed) {
    const runs: Run[] = [];
    for (const policy of POLICIES) runs.push(await run(course(DURATION_MS, TURNS), policy, seed, { binMs: BIN_MS }));
    return runs;
  },
  cases: (runs) => runs.map(caseOf),
});

/** Attempts per request that came between two moments. */
export function attemptsEach({ bins }: Recording, fromMs: number, untilMs: number): number {
  const some = between(bins, BIN_MS, fromMs, untilMs);
  return total(some, (bin) => bin.attemptCount) / total(some, (bin) => bin.askedCount);
}

function caseOf({ policy, recording }: Run): Case {
  const some = between(recording.bins, BIN_MS, SOME_MS, SOME_UNTIL_MS);
  return {
    title: policy.title,
    facts: [
      [
        ['one in ten fails: good', percent(total(some, (bin) => bin.goodCount) / total(some, (bin) => bin.askedCount))],
        ['attempts', attemptsEach(recording, SOME_MS, SOME_UNTIL_MS).toFixed(2)],
      ],
      [['all fail: attempts', attemptsEach(recording, ALL_MS, ALL_UNTIL_MS).toFixed(2)]],
    ],
    axis: timeAxis(DURATION_MS, BIN_MS, 4, [0, SOME_MS, SOME_UNTIL_MS, ALL_MS, ALL_UNTIL_MS, DURATION_MS]),
    shades: [
      { from: SOME_MS / BIN_MS, until: SOME_UNTIL_MS / BIN_MS, colour: 'fault' },
      { from: ALL_MS / BIN_MS, until: ALL_UNTIL_MS / BIN_MS, colour: 'fault' },
    ],
    tracks: [attemptPlot(recording, 400), budgetPlot(recording)],
  };
}

/** What was spent in the time over which a budget reaches, and what it allows for the requests that came in that time. */
export function budget({ askedMs, bins, retries }: Recording): readonly { spentCount: number; allowedCount: number }[] {
  const { windowMs } = RETRY_BUDGET_DEFAULTS;
  const { budgetMinPerSec, budgetRatio } = RETRY_DEFAULTS;
  return bins.map((_, bin) => {
    const nowMs = (bin + 1) * BIN_MS;
    const isRecent = (atMs: number): boolean => atMs > nowMs - windowMs && atMs <= nowMs;
    return {
      spentCount: retries.filter(({ atMs }) => isRecent(atMs)).length,
      allowedCount: budgetRatio * askedMs.filter(isRecent).length + ((budgetMinPerSec ?? 0) * windowMs) / 1000,
    };
  });
}

function budgetPlot(recording: Recording): Plot {
  const counts = budget(recording);
  return {
    kind: 'plot',
    height: 60,
    scale: { kind: 'linear', top: 600, unit: '' },
    series: [
      { name: 'further', kind: 'line', colour: 'p99', width: 2, values: counts.map(({ spentCount }) => spentCount) },
      { name: 'budget', kind: 'line', colour: 'limit', values: counts.map(({ allowedCount }) => allowedCount) },
    ],
  };
}
