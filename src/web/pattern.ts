import { Failure } from '../core/failure.ts';
import { comparablePath, decodePiece } from './path.ts';

/** A piece of a path pattern: text, one segment of any text (`:name`), or everything that is left (`*`). */
type PatternPart = string | typeof SEGMENT | typeof REST;

/** Stands for a `:name` segment. */
export const SEGMENT = Symbol('segment');
/** Stands for a trailing `*`. */
export const REST = Symbol('rest');

/** A path pattern taken apart. Its text is in the form of `comparablePath`. */
export interface PathPattern {
  /** As the program wrote it, for messages. */
  readonly text: string;
  readonly parts: readonly PatternPart[];
  /** Names of what matches, in order; `*` for the rest. */
  readonly names: readonly string[];
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Takes a pattern apart: `/exact`, `/users/:id` (one segment, not empty), `/files/*` (everything below: `/files/` and
 * longer, not `/files`); `/*` and `*` match every path. Throws `TypeError` on anything else.
 */
export function parsePattern(text: string): PathPattern {
  const path = text === '*' ? '/*' : text;
  if (!path.startsWith('/')) throw new TypeError(`path ${JSON.stringify(text)}: must start with /`);
  if (/[?#]/.test(path)) throw new TypeError(`path ${JSON.stringify(text)}: the query takes no part in matching`);
  const parts: PatternPart[] = [];
  const names: string[] = [];
  let literal = '';
  const segments = path.slice(1).split('/');
  segments.forEach((segment, index) => {
    const last = index === segments.length - 1;
    if (segment.startsWith(':')) {
      parts.push(`${literal}/`, SEGMENT);
      names.push(parameterName(text, segment.slice(1)));
      literal = '';
    } else if (segment === '*' && last) {
      parts.push(`${literal}/`, REST);
      names.push('*');
      literal = '';
    } else {
      literal += `/${literalSegment(text, segment, last)}`;
    }
  });
  if (literal !== '') parts.push(literal);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) throw new TypeError(`path ${JSON.stringify(text)}: :${repeated} is there twice`);
  return { text, parts, names };
}

/** The pattern of a route below a prefix: `/` stands for the prefix itself. */
export function joinPatterns(prefix: string, path: string): string {
  if (prefix === '') return path;
  if (path === '/') return prefix;
  return path === '*' ? `${prefix}/*` : `${prefix}${path}`;
}

/** Checks the prefix of a mount, and gives it without a slash at its end; the root is the empty string. */
export function parsePrefix(prefix: string): string {
  const path = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
  if (path === '') return '';
  if (parsePattern(path).names.includes('*'))
    throw new TypeError(`prefix ${JSON.stringify(prefix)}: everything below it is mounted, leave the * out`);
  return path;
}

/** Whether a comparable path matches. */
export function matchesPattern(pattern: PathPattern, path: string): boolean {
  let at = 0;
  for (const part of pattern.parts) {
    if (part === REST) return true;
    if (part === SEGMENT) {
      const slash = path.indexOf('/', at);
      const end = slash === -1 ? path.length : slash;
      if (end === at) return false;
      at = end;
    } else {
      if (!path.startsWith(part, at)) return false;
      at += part.length;
    }
  }
  return at === path.length;
}

/** The path of a pattern that matches one path only, `null` when there are several. */
export function exactPath(pattern: PathPattern): string | null {
  const [first] = pattern.parts;
  return pattern.parts.length === 1 && typeof first === 'string' ? first : null;
}

/** The first segment where a pattern asks for a certain one with more after it, else `null`. */
export function firstSegment(pattern: PathPattern): string | null {
  const [first] = pattern.parts;
  const slash = typeof first === 'string' ? first.indexOf('/', 1) : -1;
  return typeof first === 'string' && slash !== -1 ? first.slice(1, slash) : null;
}

/** What the names of a pattern stand for; `marks` holds where each piece of `path` starts and ends. */
export function readParams(
  names: readonly string[],
  path: string,
  marks: readonly number[],
): Readonly<Record<string, string>> {
  const params: Record<string, string> = {};
  const escaped = path.includes('%');
  for (let i = 0; i < names.length; i += 1) {
    const name = names[i];
    const piece = path.slice(marks[2 * i], marks[2 * i + 1]);
    if (name !== undefined) params[name] = escaped ? decodePiece(piece) : piece;
  }
  return params;
}

function parameterName(text: string, name: string): string {
  if (NAME.test(name) && name !== '__proto__') return name;
  throw new TypeError(`path ${JSON.stringify(text)}: ${JSON.stringify(name)} cannot be the name of a parameter`);
}

function literalSegment(text: string, segment: string, last: boolean): string {
  const fault = (why: string): TypeError => new TypeError(`path ${JSON.stringify(text)}: ${why}`);
  if (segment === '' && !last) throw fault('an empty segment never matches, because // is read as /');
  if (segment.includes('*')) throw fault('* must be the whole last segment (write %2A for the character)');
  try {
    // What may not stand in a target may stand in a pattern: it is the text that is meant.
    const encoded = segment.replace(/[^\x21-\x7e]+/g, (characters) => encodeURIComponent(characters));
    const comparable = comparablePath(`/${encoded}`);
    if (segment !== '' && comparable.endsWith('/')) throw fault('. and .. never match, because they are resolved');
    return comparable.slice(1);
  } catch (error) {
    if (error instanceof Failure) throw fault(error.message);
    throw error;
  }
}
