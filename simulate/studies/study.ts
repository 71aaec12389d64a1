import type { Figure } from '../picture/figure.ts';
import type { LegendEntry } from '../picture/legend.ts';
import type { Panel } from '../picture/panel.ts';
import type { Table } from '../table.ts';

/** Something in numbers. */
type Fact = readonly [what: string, value: string];

/** One way to decide, and what came of it. */
export interface Case extends Omit<Panel, 'notes'> {
  /** In lines, as they stand above the picture. */
  readonly facts: readonly (readonly Fact[])[];
}

/** What a study has found. */
interface Findings<Result> {
  readonly result: Result;
  readonly figure: Figure;
  /** The facts of cases, under heads. */
  readonly tables: readonly Table[];
}

/** A run of real code that shows what one policy decides. Its name is that of the policy's page, and of its picture there. */
export interface Study<Result = unknown> {
  readonly name: string;
  readonly what: string;
  /** The same seed gives the same findings. */
  run(seed: number): Promise<Findings<Result>>;
}

/** How a study is made: it observes, and then shows what it has seen. */
export interface StudyParts<Result> {
  readonly name: string;
  /** What is to be seen, for people. */
  readonly what: string;
  readonly legend: readonly LegendEntry[];
  readonly columnCount: number;
  observe(seed: number): Promise<Result>;
  cases(result: Result): readonly Case[];
}

export function study<Result>(parts: StudyParts<Result>): Study<Result> {
  const { columnCount, legend, name, what } = parts;
  return {
    name,
    what,
    async run(seed) {
      const result = await parts.observe(seed);
      const cases = parts.cases(result);
      return {
        result,
        figure: { name, what, legend, columnCount, panels: cases.map(panelOf) },
        tables: tablesOf(cases),
      };
    },
  };
}

/** Cases that follow each other and have the same facts are one table. */
function tablesOf(cases: readonly Case[]): Table[] {
  const tables: { head: string[]; rows: string[][] }[] = [];
  for (const { facts, title } of cases) {
    const flat = facts.flat();
    const head = ['', ...flat.map(([what]) => what)];
    if (tables.at(-1)?.head.join() !== head.join()) tables.push({ head, rows: [] });
    tables.at(-1)?.rows.push([title, ...flat.map(([, value]) => value)]);
  }
  return tables.map(({ head, rows }) => [head, ...rows]);
}

function panelOf({ facts, ...panel }: Case): Panel {
  return { ...panel, notes: facts.map((line) => line.map(([what, value]) => `${what} ${value}`).join(', ')) };
}
