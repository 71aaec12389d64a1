/** Where a value stands in a configuration: keys and list positions from the top. */
export type Path = readonly (string | number)[];

/** A stretch of a text, for pointing at it. Lines and columns count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
  readonly lengthCount: number;
}

/** One thing that is wrong with a configuration, or suspicious. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  /** What is wrong and what was expected, without the place. */
  readonly message: string;
  readonly path: Path;
  /** `null` where positions are not known, as in a module. */
  readonly place: Place | null;
}

/** A configuration that cannot be used. `message` is the whole report: every problem with its place and lines. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly Problem[];

  constructor(file: string, text: string | null, problems: readonly Problem[]) {
    super(problemReport(file, text, problems));
    this.problems = problems;
  }
}

/** `routes[0].match.path` */
export function pathText(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[\w-]+$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

/** Problems as people read them, in the order of the file: file:line:column, what is wrong, and the lines it is in. */
export function problemReport(file: string, text: string | null, problems: readonly Problem[]): string {
  const lines = text === null ? null : text.split(/\r?\n/);
  return problems
    .toSorted(byPlace)
    .map((problem) => entry(file, lines, problem))
    .join('\n\n');
}

function entry(file: string, lines: readonly string[] | null, problem: Problem): string {
  const { place, severity } = problem;
  const where = place === null ? file : `${file}:${place.line}:${place.column}`;
  const subject = problem.path.length === 0 ? '' : `${pathText(problem.path)}: `;
  const head = `${where}: ${severity}: ${subject}${problem.message}`;
  return place === null || lines === null ? head : `${head}\n${frame(lines, place)}`;
}

/** The line in question with the one before it, and a mark under the place. */
function frame(lines: readonly string[], place: Place): string {
  const width = String(place.line).length;
  const shown: string[] = [];
  for (let line = Math.max(1, place.line - 1); line <= place.line; line += 1) {
    shown.push(`  ${String(line).padStart(width)} | ${(lines[line - 1] ?? '').replaceAll('\t', ' ')}`.trimEnd());
  }
  const rest = (lines[place.line - 1] ?? '').length - (place.column - 1);
  const mark = '^'.repeat(Math.max(1, Math.min(place.lengthCount, rest)));
  shown.push(`  ${' '.repeat(width)} | ${' '.repeat(place.column - 1)}${mark}`);
  return shown.join('\n');
}

function byPlace(a: Problem, b: Problem): number {
  if (a.place === null || b.place === null) return 0;
  return a.place.line - b.place.line || a.place.column - b.place.column;
}
