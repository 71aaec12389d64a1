import type { Scenario } from './scenarios.ts';

/** What one round has measured, by column; `null` where it could not be. */
export type Round = Readonly<Record<string, number | null>>;

/** All rounds of one server. */
export interface Entry {
  readonly peer: string;
  readonly version: string;
  readonly rounds: Round[];
}

export interface ScenarioResult {
  readonly scenario: Scenario;
  readonly entries: readonly Entry[];
  /** Who could not take part, and why. */
  readonly absent: readonly { readonly peer: string; readonly why: string }[];
}

interface Column {
  readonly title: string;
  /** `null` when nothing was measured. */
  readonly value: (entry: Entry, reference: Entry) => number | null;
  readonly digits: number;
}

function median(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null).sort((a, b) => a - b);
  if (known.length === 0) return null;
  const upper = known[known.length >> 1] ?? 0;
  return known.length % 2 === 1 ? upper : (upper + (known[(known.length >> 1) - 1] ?? 0)) / 2;
}

const valuesOf = (entry: Entry, key: string): (number | null)[] => entry.rounds.map((round) => round[key] ?? null);

const measured = (title: string, key: string, digits: number): Column => ({
  title,
  digits,
  value: (entry) => median(valuesOf(entry, key)),
});

const total = (title: string, key: string): Column => ({
  title,
  digits: 0,
  value: (entry) => entry.rounds.reduce((sum, round) => sum + (round[key] ?? 0), 0),
});

const least = (title: string, key: string): Column => ({
  title,
  digits: 0,
  value: (entry) => valuesOf(entry, key).reduce((a, b) => (a === null || b === null ? null : Math.min(a, b)), Infinity),
});

/** Half of the way from the lowest to the highest round, in per cent of the median. */
const spread = (key: string): Column => ({
  title: '± %',
  digits: 0,
  value: (entry) => {
    const values = valuesOf(entry, key).filter((value) => value !== null);
    const middle = median(values);
    return middle === null ? null : (50 * (Math.max(...values) - Math.min(...values))) / middle;
  },
});

/** Round by round, for the load on the machine changes from one to the next. */
const ratio = (title: string, key: string): Column => ({
  title,
  digits: 2,
  value: (entry, reference) =>
    median(
      valuesOf(reference, key).map((value, index) => {
        const other = valuesOf(entry, key)[index] ?? null;
        return value === null || other === null ? null : value / other;
      }),
    ),
});

const LOAD_COLUMNS: readonly Column[] = [
  measured('requests/s', 'requestsPerSec', 0),
  measured('CPU µs/request', 'cpuMicros', 1),
  spread('cpuMicros'),
  measured('of it user', 'userMicros', 1),
  measured('p50 ms', 'p50Ms', 2),
  measured('p99 ms', 'p99Ms', 2),
  total('requests', 'requestCount'),
  total('errors', 'errorCount'),
  least('connections served', 'servedCount'),
  ratio('CPU ratio', 'cpuMicros'),
  ratio('rate ratio', 'requestsPerSec'),
];

const IDLE_COLUMNS: readonly Column[] = [
  measured('bytes/connection', 'bytesPerConnection', 0),
  spread('bytesPerConnection'),
  measured('before, MiB', 'beforeMebibytes', 1),
  measured('after, MiB', 'afterMebibytes', 1),
  total('errors', 'errorCount'),
  least('connections served', 'servedCount'),
  ratio('memory ratio', 'bytesPerConnection'),
];

/** A result as cells of text; the first row has the titles, the first column the servers. */
export function cells({ scenario, entries }: ScenarioResult): string[][] {
  const columns = scenario.load === null ? IDLE_COLUMNS : LOAD_COLUMNS;
  const [reference] = entries;
  if (reference === undefined) return [];
  const rows = entries.map((entry) => [
    `${entry.peer} ${entry.version}`,
    ...columns.map(({ value, digits }) => numeral(value(entry, reference), digits)),
  ]);
  return [['server', ...columns.map((column) => column.title)], ...rows];
}

function numeral(value: number | null, digits: number): string {
  if (value === null) return '–';
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
