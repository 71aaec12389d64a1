import { spell } from '../condition.ts';
import { quantile } from '../measures.ts';
import { timeAxis } from '../picture/axis.ts';
import { attemptPlot, latencyPlot } from '../picture/recorded.ts';
import type { Policy } from '../policies.ts';
import { type Run, run } from '../run.ts';
import { milliseconds } from '../table.ts';
import { course } from './faults.ts';
import { between, total } from './series.ts';
import { type Case, study } from './study.ts';

const DURATION_MS = 50_000;
const BIN_MS = 1000;
const SLOW_MS = 15_000;
const SLOW_UNTIL_MS = 35_000;
const HEDGE_AFTER_MS = 150;
const TURNS = spell(SLOW_MS, SLOW_UNTIL_MS, [0], { slowness: 8 });

const retry = { attemptMaxCount: 2, hedgeAfterMs: HEDGE_AFTER_MS };
const POLICIES: readonly Policy[] = [
  { name: 'without', title: 'without', options: {} },
  { name: 'hedging', title: `hedgeAfterMs: ${HEDGE_AFTER_MS}`, options: { retry } },
  { name: 'more', title: '… and budgetRatio: 0.6', options: { retry: { ...retry, budgetRatio: 0.6 } } },
];

/** One of four servers becomes slow, and what comes to it is sent to another one, too. */
export const hedgingStudy = study<readonly Run[]>({
  name: 'hedging',
  what: 'one of four servers takes eight times as long',
  legend: [
    { words: 'answered/s', colour: 'good' },
    { words: 'errors/s', colour: 'error' },
    { words: 'attempts/s', colour: 'attempts', width: 1 },
    { words: 'p99', colour: 'p99', width: 2 },
    { words: 'p50', colour: 'p50', width: 2 },
    { words: 'it is slow', colour: 'fault' },
  ],
  columnCount: 3,
  async observe(seed) {
    const runs: Run[] = [];
    for (const policy of POLICIES) runs.push(await run(course(DURATION_MS, TURNS), policy, seed, { binMs: BIN_MS }));
    return runs;
  },
  cases: (runs) => runs.map(caseOf),
});

/** What the slow server costs: latencies of answers, errors, and attempts for each request. */
export function slowTime({ recording }: Run): { p99Ms: number | null; errorCount: number; attemptsEach: number } {
  const slow = between(recording.bins, BIN_MS, SLOW_MS, SLOW_UNTIL_MS);
  return {
    p99Ms: quantile(
      slow.flatMap(({ latenciesMs }) => latenciesMs),
      0.99,
    ),
    errorCount: total(slow, (bin) => bin.errorCount),
    attemptsEach: total(slow, (bin) => bin.attemptCount) / total(slow, (bin) => bin.askedCount),
  };
}

function caseOf(one: Run): Case {
  const { p99Ms, errorCount, attemptsEach } = slowTime(one);
  return {
    title: one.policy.title,
    facts: [
      [['p99 while it is slow', milliseconds(p99Ms)]],
      [
        ['errors', String(errorCount)],
        ['attempts', attemptsEach.toFixed(2)],
      ],
    ],
    axis: timeAxis(DURATION_MS, BIN_MS, 4, [0, SLOW_MS, SLOW_UNTIL_MS, DURATION_MS]),
    shades: [{ from: SLOW_MS / BIN_MS, until: SLOW_UNTIL_MS / BIN_MS, colour: 'fault' }],
    tracks: [attemptPlot(one.recording, 200), latencyPlot(one.recording)],
  };
}
