import { inspect } from 'node:util';
import type { z } from 'zod';
import { didYouMean } from '../core/spelling.ts';
import { type Path, pathText } from './problem.ts';
import type { SchemaTree } from './schema/tree.ts';

type Issue = z.core.$ZodIssue;

/** A schema error in words. `part` is what to point at. */
export interface Explanation {
  readonly path: Path;
  readonly message: string;
  readonly part: 'key' | 'value';
  /** The entry that a misspelt key was meant to be. */
  readonly meant?: string;
}

/** The errors of a check made with `expectation`, one explanation for each thing that is wrong. */
export function explainAll(error: z.ZodError, data: unknown, tree: SchemaTree): Explanation[] {
  const explanations = error.issues.flatMap((issue) => explain(issue, [], data, tree));
  // A misspelt key is one mistake, not also a missing one.
  const meant = new Set(explanations.map(({ meant: path }) => path).filter((path) => path !== undefined));
  return explanations.filter(({ path, message }) => !message.startsWith('missing') || !meant.has(pathText(path)));
}

function explain(issue: Issue, base: Path, data: unknown, tree: SchemaTree): Explanation[] {
  const path = [...base, ...issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(key, path, tree));
  const value = valueAt(data, path);
  if (issue.code === 'invalid_union') {
    // The form that was meant is the one whose kind of value fits; its errors say more than "invalid".
    const meant = issue.errors.find((errors) =>
      errors.every((error) => error.path.length > 0 || !isKindError(error, value)),
    );
    if (meant !== undefined) return meant.flatMap((error) => explain(error, path, data, tree));
  }
  if (issue.code === 'custom') {
    if (issue.params?.whole === true) return [{ path, message: issue.message, part: 'value' }];
    if (issue.params?.part === 'key') return [{ path, message: `expected ${issue.message}`, part: 'key' }];
  }
  if (value === undefined) return [{ path, message: `missing; expected ${issue.message}`, part: 'key' }];
  const off = tree.kindsAt(path).has('null') ? ' (null turns it off)' : '';
  const near = typeof value === 'string' ? didYouMean(value, tree.choicesAt(path)) : null;
  const guess = near === null ? '' : `, did you mean ${near}?`;
  return [{ path, message: `expected ${issue.message}${off}, got ${shown(value)}${guess}`, part: 'value' }];
}

function isKindError(issue: Issue, value: unknown): boolean {
  // A block is none of some words, but was meant to be none.
  return issue.code === 'invalid_type' || (issue.code === 'invalid_value' && typeof value === 'object');
}

function unknownKey(key: string, parent: Path, tree: SchemaTree): Explanation {
  const path = [...parent, key];
  const known = tree.keysAt(parent);
  const near = didYouMean(key, known);
  if (near !== null) {
    const meant = pathText([...parent, near]);
    return { path, part: 'key', meant, message: `there is no such key, did you mean ${near}?` };
  }
  const homes = tree.homesOf(key);
  const message =
    homes.length > 0
      ? `this key does not belong here, but in ${homes.join(' or ')}`
      : `there is no such key here; known: ${known.join(', ')}`;
  return { path, part: 'key', message };
}

/** What would have been right, as the object of "expected". Schemas with a message of their own are not asked. */
export function expectation(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return KINDS[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return issue.values.length === 1 ? choice(issue.values[0]) : `one of ${issue.values.map(choice).join(', ')}`;
    case 'invalid_union':
      return 'another kind of value';
    case 'too_small':
      return issue.origin === 'array' ? `at least ${issue.minimum} in the list` : `${issue.minimum} or more`;
    case 'too_big':
      return `${issue.maximum} or less`;
    default:
      return issue.message ?? 'another value';
  }
}

const KINDS: Readonly<Record<string, string>> = {
  object: 'a block of keys',
  record: 'a block of names and values',
  array: 'a list',
  string: 'text',
  number: 'a number',
  boolean: 'true or false',
};

/** A choice as it has to be written: without quotes `1.2` would be a number. */
function choice(value: unknown): string {
  return typeof value === 'string' && Number.isFinite(Number(value)) ? JSON.stringify(value) : String(value);
}

function shown(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a block of keys';
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  return inspect(value);
}

function valueAt(data: unknown, path: Path): unknown {
  let value: unknown = data;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Reflect.get(value, step);
  }
  return value;
}
