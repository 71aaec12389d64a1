import { BALANCE_NAMES, type BalanceName } from '../../src/policy/balance/balancer.ts';
import type { HASH_TABLES } from '../../src/policy/balance/hash.ts';
import { measure } from '../measures.ts';
import type { Axis } from '../picture/panel.ts';
import type { Plot, Series } from '../picture/track.ts';
import { type Run, run } from '../run.ts';
import { milliseconds } from '../table.ts';
import { course } from './faults.ts';
import { type Case, study } from './study.ts';

const DURATION_MS = 30_000;
const REQUESTS_PER_SEC = 80;
export const WEIGHTS = [1, 1, 2, 1];
const SLOW = { atMs: 0, servers: [WEIGHTS.length - 1], condition: { slowness: 3 } };
const USER_COUNT = 1000;

const MEMBER_COUNT = 8;
export const KEY_COUNT = 10_000;
const LEAVE_MS = 30_000;

/** Where each key went, before the last of the servers left and after. */
interface Moves {
  readonly table: string;
  readonly before: ReadonlyMap<string, number>;
  readonly after: ReadonlyMap<string, number>;
}

interface Observed {
  readonly runs: readonly Run[];
  readonly moves: readonly Moves[];
}

/** What each policy makes of weights and of a slow server; and which keys a table moves when a server leaves. */
export const balancingStudy = study<Observed>({
  name: 'balancing',
  what: 'four servers, #3 of twice the weight, #4 three times as slow; and eight servers with 10 000 keys, of which one leaves',
  legend: [
    { words: 'share of the requests', colour: 'share' },
    { words: 'by weight', colour: 'limit', width: 2 },
    { words: 'keys at each of eight servers', colour: 'second' },
    { words: 'keys of the one that leaves', colour: 'offered' },
  ],
  columnCount: 5,
  async observe(seed) {
    const runs: Run[] = [];
    for (const name of BALANCE_NAMES) runs.push(await share(name, seed));
    const moves: Moves[] = [];
    for (const table of ['ring', 'maglev'] as const) moves.push(await leave(table, seed));
    return { runs, moves };
  },
  cases: ({ moves, runs }) => [...runs.map(shareCase), ...moves.map(moveCase)],
});

function share(name: BalanceName, seed: number): Promise<Run> {
  const balance = name === 'hash' ? { policy: name, key: { header: 'x-user' } } : name;
  return run(course(DURATION_MS, [SLOW]), { name, title: name, options: { balance } }, seed, {
    requestsPerSec: REQUESTS_PER_SEC,
    endpoints: (urls) => urls.map((url, server) => ({ url, weight: WEIGHTS[server] ?? 1 })),
    request: (random) => ({ headers: { 'x-user': `${Math.floor(USER_COUNT * random())}` } }),
  });
}

/** All keys come, one after the other, until the last server leaves, and then again. */
async function leave(table: keyof typeof HASH_TABLES, seed: number): Promise<Moves> {
  const [before, after] = [new Map<string, number>(), new Map<string, number>()];
  let places = before;
  let cameCount = 0;
  const balance = { policy: 'hash', table, key: { header: 'x-user' } } as const;
  await run(course(2 * LEAVE_MS), { name: table, title: table, options: { balance } }, seed, {
    requestsPerSec: (1.2 * KEY_COUNT * 1000) / LEAVE_MS,
    serverCount: MEMBER_COUNT,
    acts: [
      {
        atMs: LEAVE_MS,
        do(group, urls) {
          places = after;
          group.update(urls.slice(0, -1));
        },
      },
    ],
    request() {
      cameCount += 1;
      return { headers: { 'x-user': `user ${cameCount % KEY_COUNT}` } };
    },
    watcher: {
      onSend: ({ request, server }) => void places.set(request.headers.get('x-user') ?? '', server),
    },
  });
  return { table, before, after };
}

function shareCase(made: Run): Case {
  const { errorCount, p99Ms } = measure(made);
  const shares = shareOut(made).map((share) => 100 * share);
  const due = WEIGHTS.map((weight) => (100 * weight) / sum(WEIGHTS));
  return {
    title: made.policy.title,
    facts: [
      [
        ['p99', milliseconds(p99Ms)],
        ['errors', String(errorCount)],
      ],
    ],
    axis: barAxis(WEIGHTS.length, 10),
    shades: [],
    tracks: [
      bars(60, ' %', [
        { name: 'share', kind: 'area', colour: 'share', values: spaced(shares, 0) },
        { name: 'by weight', kind: 'line', colour: 'limit', width: 2, values: spaced(due, null) },
      ]),
    ],
  };
}

/** How many keys each server had, and how many have moved though their server stayed. */
export function counted({ after, before }: Moves): { had: number[]; needlessCount: number } {
  const had = new Array<number>(MEMBER_COUNT).fill(0);
  let needlessCount = 0;
  for (const [key, server] of before) {
    had[server] = (had[server] ?? 0) + 1;
    if (server !== MEMBER_COUNT - 1 && after.get(key) !== server) needlessCount += 1;
  }
  return { had, needlessCount };
}

/** Of all requests, the share of each server. */
export function shareOut({ recording }: Run): number[] {
  const counts = WEIGHTS.map((_, server) => recording.bins.reduce((sum, { shares }) => sum + (shares[server] ?? 0), 0));
  const total = sum(counts);
  return counts.map((count) => count / total);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

function moveCase(moves: Moves): Case {
  const { had, needlessCount } = counted(moves);
  const stays = (values: readonly number[]): number[] => values.map((value, at) => (at < MEMBER_COUNT - 1 ? value : 0));
  const leaves = had.map((value, at) => (at < MEMBER_COUNT - 1 ? 0 : value));
  return {
    title: `hash, ${moves.table}`,
    facts: [
      [['keys each', `${Math.min(...had)}–${Math.max(...had)}`]],
      [['could stay, but moved:', String(needlessCount)]],
    ],
    axis: barAxis(MEMBER_COUNT, 5),
    shades: [],
    tracks: [
      bars(2000, '', [
        { name: 'keys', kind: 'area', colour: 'second', values: spaced(stays(had), 0) },
        { name: 'leaves', kind: 'area', colour: 'offered', values: spaced(leaves, 0) },
      ]),
    ],
  };
}

/** Two steps for each bar, and one between them. */
const spaced = <Gap>(values: readonly number[], gap: Gap): (number | Gap)[] =>
  values.flatMap((value) => [value, value, gap]);

const barAxis = (barCount: number, stepWidth: number): Axis => ({
  stepCount: 3 * barCount,
  stepWidth,
  ticks: Array.from({ length: barCount }, (_, bar) => ({
    at: 3 * bar + 1,
    label: stepWidth < 8 ? `${bar + 1}` : `#${bar + 1}`,
  })),
});

const bars = (top: number, unit: string, series: readonly Series[]): Plot => ({
  kind: 'plot',
  height: 72,
  scale: { kind: 'linear', top, unit },
  series,
});
