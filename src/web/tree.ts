import type { PathPattern } from './pattern.ts';
import { REST, SEGMENT } from './pattern.ts';

/** What stands at the end of one path pattern: a value for each method, and one for all others. */
export class Leaf<Value> {
  readonly pattern: PathPattern;
  /** A few entries that are compared one after the other: hashing a method just received costs more. */
  readonly byMethod: { readonly method: string; readonly value: Value }[] = [];
  /** For every method without a value of its own, but CONNECT: a tunnel is only opened where a route says so. */
  others: Value | null = null;

  constructor(pattern: PathPattern) {
    this.pattern = pattern;
  }

  has(method: string): boolean {
    return this.byMethod.some((entry) => entry.method === method);
  }

  take(method: string): Value | null {
    const { byMethod } = this;
    for (let i = 0; i < byMethod.length; i += 1) {
      const entry = byMethod[i];
      if (entry !== undefined && entry.method === method) return entry.value;
    }
    return method === 'CONNECT' ? null : this.others;
  }
}

class Branch<Value> {
  /** Text on the way here from its parent. */
  text: string;
  /** First characters of the children that go on with text; `below` has the children in the same order. */
  firsts: number[] = [];
  below: Branch<Value>[] = [];
  segment: Branch<Value> | null = null;
  /** A pattern that ends here. */
  end: Leaf<Value> | null = null;
  /** A pattern that takes everything from here on. */
  rest: Leaf<Value> | null = null;

  constructor(text: string) {
    this.text = text;
  }
}

/**
 * Path patterns as a radix tree. The most specific pattern that takes the method wins, segment by segment from the
 * left: text before `:name` before `*`, whatever order they came in. Each branch is reached in one way only, so going
 * back after a wrong turn never repeats work.
 */
export class PathTree<Value> {
  /** Where the pieces of the last `find` start and end in its path. Good until the next `find`. */
  readonly marks: number[] = [];
  private readonly root = new Branch<Value>('');

  /** The leaf of a pattern, made when it is new. Patterns that differ in names only share one. */
  leaf(pattern: PathPattern): Leaf<Value> {
    let branch = this.root;
    for (const part of pattern.parts) {
      if (part === SEGMENT) {
        branch.segment ??= new Branch('');
        branch = branch.segment;
      } else if (part === REST) {
        branch.rest ??= new Leaf(pattern);
        return branch.rest;
      } else {
        branch = textBranch(branch, part);
      }
    }
    branch.end ??= new Leaf(pattern);
    return branch.end;
  }

  /** The value for this comparable path and method, `null` when there is none. */
  find(path: string, method: string): Value | null {
    return search(this.root, path, 0, method, this.marks, 0);
  }

  /** Every leaf whose pattern matches, the most specific first. */
  matching(path: string): Leaf<Value>[] {
    const found: Leaf<Value>[] = [];
    collect(this.root, path, 0, found);
    return found;
  }
}

function textBranch<Value>(parent: Branch<Value>, text: string): Branch<Value> {
  const index = parent.firsts.indexOf(text.charCodeAt(0));
  const child = parent.below[index];
  if (child === undefined) {
    const made = new Branch<Value>(text);
    parent.firsts.push(text.charCodeAt(0));
    parent.below.push(made);
    return made;
  }
  let common = 1;
  while (common < child.text.length && child.text[common] === text[common]) common += 1;
  let node = child;
  if (common < child.text.length) {
    node = new Branch(child.text.slice(0, common));
    child.text = child.text.slice(common);
    node.firsts.push(child.text.charCodeAt(0));
    node.below.push(child);
    parent.below[index] = node;
  }
  return common === text.length ? node : textBranch(node, text.slice(common));
}

function search<Value>(
  branch: Branch<Value>,
  path: string,
  at: number,
  method: string,
  marks: number[],
  depth: number,
): Value | null {
  if (at === path.length) {
    const value = branch.end === null ? null : branch.end.take(method);
    if (value !== null) return value;
  } else {
    const child = childAt(branch, path, at);
    if (child !== null) {
      const value = search(child, path, at + child.text.length, method, marks, depth);
      if (value !== null) return value;
    }
    if (branch.segment !== null) {
      const end = segmentEnd(path, at);
      if (end > at) {
        const value = search(branch.segment, path, end, method, marks, depth + 1);
        if (value !== null) {
          marks[2 * depth] = at;
          marks[2 * depth + 1] = end;
          return value;
        }
      }
    }
  }
  const value = branch.rest === null ? null : branch.rest.take(method);
  if (value !== null) {
    marks[2 * depth] = at;
    marks[2 * depth + 1] = path.length;
  }
  return value;
}

function collect<Value>(branch: Branch<Value>, path: string, at: number, found: Leaf<Value>[]): void {
  if (at === path.length) {
    if (branch.end !== null) found.push(branch.end);
  } else {
    const child = childAt(branch, path, at);
    if (child !== null) collect(child, path, at + child.text.length, found);
    const end = segmentEnd(path, at);
    if (branch.segment !== null && end > at) collect(branch.segment, path, end, found);
  }
  if (branch.rest !== null) found.push(branch.rest);
}

/** The child whose text goes on from here. Comparing a slice beats `startsWith` and comparing character by character. */
function childAt<Value>(branch: Branch<Value>, path: string, at: number): Branch<Value> | null {
  const { firsts } = branch;
  const first = path.charCodeAt(at);
  for (let i = 0; i < firsts.length; i += 1) {
    if (firsts[i] !== first) continue;
    const child = branch.below[i];
    if (child === undefined) return null;
    const { text } = child;
    return text.length === 1 || path.slice(at, at + text.length) === text ? child : null;
  }
  return null;
}

function segmentEnd(path: string, at: number): number {
  const slash = path.indexOf('/', at);
  return slash === -1 ? path.length : slash;
}
