import { cpus, release } from 'node:os';
import { cells, type ScenarioResult } from './results.ts';

/** What the figures were measured on. */
export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly coreCount: number;
  readonly kernel: string;
  readonly node: string;
}

export function thisMachine(): Machine {
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: cpus()[0]?.model ?? 'unknown',
    coreCount: cpus().length,
    kernel: release(),
    node: process.versions.node,
  };
}

/** One result for a terminal. */
export function terminalReport(result: ScenarioResult): string {
  const table = cells(result);
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
  return [`\n${result.scenario.name}: ${result.scenario.what}`, '', ...lines, ...absences(result), ''].join('\n');
}

/** All results as a section of a Markdown page. */
export function markdownReport(
  results: readonly ScenarioResult[],
  machine: Machine,
  roundCount: number,
  seconds: number,
): string {
  const { date, cpu, coreCount, kernel, node } = machine;
  const intro = `${date}; ${cpu}, ${coreCount} cores; Linux ${kernel}; Node ${node}; ${roundCount} rounds of ${seconds} s.`;
  const sections = results.map((result) => {
    const [titles = [], ...rows] = cells(result).map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
    const line = (row: readonly string[]): string => `| ${row.join(' | ')} |`;
    const rule = titles.map((_, column) => (column === 0 ? '---' : '---:'));
    const table = rows.length === 0 ? [] : [line(titles), line(rule), ...rows.map(line), ''];
    return [`### ${result.scenario.name}`, '', result.scenario.what, '', ...table, ...absences(result)]
      .join('\n')
      .trimEnd();
  });
  return `${[intro, ...sections].join('\n\n')}\n`;
}

/** All results with every round, for programs. */
export function jsonReport(results: readonly ScenarioResult[], machine: Machine): string {
  return `${JSON.stringify({ machine, results }, null, 2)}\n`;
}

function absences({ absent }: ScenarioResult): string[] {
  return absent.map(({ peer, why }) => `${peer} took no part: ${why.split('\n')[0]}`);
}
