import type { Document, ErrorCode, Node, Pair } from 'yaml';
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Environment } from './interpolate.ts';
import { interpolate } from './interpolate.ts';
import type { Path, Place, Problem } from './problem.ts';

/** Enough for a configuration that shares blocks; a few kilobytes of nested aliases can otherwise fill the memory. */
const ALIAS_MAX_COUNT = 1000;

/** What kind of plain value the schema wants at a path, so that a variable may stand for a number. */
export type Wanted = (path: Path) => ReadonlySet<string>;

/** A YAML or JSON text whose values know where they stand. */
export interface ConfigDocument {
  readonly data: unknown;
  /** Everything that kept the text from being read; when there is any, `data` is `null`. */
  readonly problems: readonly Problem[];
  /** Where the value is, or its key. A path that leads nowhere gives the last step that exists. */
  placeOf(path: Path, part: 'key' | 'value'): Place | null;
}

/** Reads YAML (JSON is a subset of it) and fills in variables, in the values of plain entries only. */
export function readDocument(text: string, environment: Environment, wanted: Wanted): ConfigDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problems = syntaxProblems(document, text, lines);
  const placeOf = (path: Path, part: 'key' | 'value'): Place | null => findPlace(document, lines, path, part);
  if (problems.length > 0) return { data: null, problems, placeOf };
  fill(document.contents, [], environment, wanted, (path, message) =>
    problems.push({ severity: 'error', message, path, place: placeOf(path, 'value') }),
  );
  try {
    const data: unknown = document.toJS({ maxAliasCount: ALIAS_MAX_COUNT });
    return { data, problems, placeOf };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { data: null, problems: [{ severity: 'error', message, path: [], place: null }], placeOf };
  }
}

function fill(
  node: unknown,
  path: Path,
  environment: Environment,
  wanted: Wanted,
  complain: (path: Path, message: string) => void,
): void {
  if (isMap(node)) {
    for (const pair of node.items) fill(pair.value, [...path, keyOf(pair)], environment, wanted, complain);
  } else if (isSeq(node)) {
    for (const [index, item] of node.items.entries()) fill(item, [...path, index], environment, wanted, complain);
  } else if (isScalar(node) && typeof node.value === 'string' && node.value.includes('${')) {
    const { text, fault } = interpolate(node.value, environment);
    if (fault === null) node.value = plainValue(text, wanted(path));
    else complain(path, fault);
  }
}

/** A variable is text; where only a number, a boolean or null will do, it is read as one. */
function plainValue(text: string, kinds: ReadonlySet<string>): string | number | boolean | null {
  if (kinds.has('string')) return text;
  if (kinds.has('number') && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (kinds.has('boolean') && (text === 'true' || text === 'false')) return text === 'true';
  return kinds.has('null') && text === 'null' ? null : text;
}

function findPlace(document: Document.Parsed, lines: LineCounter, path: Path, part: 'key' | 'value'): Place | null {
  let node: unknown = document.contents;
  let key: unknown = null;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    let next: { readonly key: unknown; readonly value: unknown } | null = null;
    if (isMap(node)) next = node.items.find((pair) => keyOf(pair) === String(step)) ?? null;
    else if (isSeq(node) && typeof step === 'number' && step < node.items.length)
      next = { key: node.items[step], value: node.items[step] };
    if (next === null) return nodePlace(lines, key) ?? nodePlace(lines, node);
    key = next.key;
    node = next.value;
  }
  const chosen = part === 'key' ? nodePlace(lines, key) : nodePlace(lines, node);
  return chosen ?? nodePlace(lines, key) ?? nodePlace(lines, node);
}

function nodePlace(lines: LineCounter, node: unknown): Place | null {
  const range: Node['range'] = isNode(node) ? node.range : null;
  return range === null || range === undefined ? null : placeAt(lines, range[0], range[1]);
}

function placeAt(lines: LineCounter, start: number, end: number): Place {
  const { line, col } = lines.linePos(start);
  return { line: Math.max(1, line), column: Math.max(1, col), lengthCount: Math.max(1, end - start) };
}

function keyOf(pair: Pair): string {
  return String(isScalar(pair.key) ? pair.key.value : pair.key);
}

/** Keys that are there twice, and the first fault of any other kind: what the parser says after it is guesswork. */
function syntaxProblems(document: Document.Parsed, text: string, lines: LineCounter): Problem[] {
  const repeats = document.errors.filter(({ code }) => code === 'DUPLICATE_KEY');
  const first = document.errors.find(({ code }) => code !== 'DUPLICATE_KEY');
  return [...repeats, ...(first === undefined ? [] : [first])].map(({ code, message, pos: [start, end] }) => {
    const word = /^[\w-]+/.exec(text.slice(start))?.[0].length ?? 0;
    const place = placeAt(lines, start, Math.max(end, start + word));
    return { severity: 'error', message: syntaxMessage(code, message, text, start), path: [], place };
  });
}

function syntaxMessage(code: ErrorCode, message: string, text: string, start: number): string {
  const line = text.slice(text.lastIndexOf('\n', start - 1) + 1, start);
  // A brace ends a plain word inside a flow collection, so the parser trips over the variable, not over its cause.
  if (/[\s[{,]\$\{?$/.test(line)) return 'inside [ ] or { }, a variable needs quotes: "$' + '{NAME}"';
  if (code === 'DUPLICATE_KEY') return 'this key is here a second time';
  if (code === 'TAB_AS_INDENT') return 'tabs cannot indent; expected spaces';
  if (code === 'MULTIPLE_DOCS') return 'expected one document, and a second one begins here';
  const missing = /sufficiently indented and end with a (.)$/.exec(message)?.[1];
  return missing === undefined ? message : `expected a closing ${missing} by here`;
}
