import { Failure } from '../core/failure.ts';

/** What keeps a received path from being compared as it is: escapes, `/.`, `//`, and what no target may contain. */
const UNUSUAL = /[%\0-\x20\x7f-\uffff]|\/[./]/;
/** RFC 9112 §3.2 allows visible ASCII only; anything else in a target was sent by mistake or on purpose. */
const FORBIDDEN = /[\0-\x20\x7f-\uffff]/;
const CONTROL = /\p{Cc}/u;
const RESERVED = /[%/]/g;

/** The path of a target in origin-form, as received: without its query. */
export function rawPath(target: string): string {
  const mark = target.indexOf('?');
  return mark === -1 ? target : target.slice(0, mark);
}

/**
 * The one form of a path that patterns are compared with. Escapes are decoded once (except `%2F` and `%25`, so that
 * an encoded slash never separates segments and the form stays unambiguous), runs of `/` are one `/`, and `.` and
 * `..` are resolved without leaving the root (RFC 3986 §5.2.4), escaped ones too. Only for comparing: what is passed
 * on is the target as received.
 *
 * Stricter than RFC 3986: throws `target-invalid` (400) on an escape that is not two hexadecimal digits or not UTF-8,
 * and on control characters, because two hops would read such a path differently.
 */
export function comparablePath(path: string): string {
  return UNUSUAL.test(path) ? normalised(path) : path;
}

/** The text behind a piece of a comparable path: the escapes that were kept are decoded too. */
export function decodePiece(piece: string): string {
  return piece.replaceAll('%2F', '/').replaceAll('%25', '%');
}

function normalised(path: string): string {
  if (FORBIDDEN.test(path)) throw new Failure('target-invalid', 'It has a character that must be percent-encoded.');
  const kept: string[] = [];
  const segments = path.split('/');
  let open = false;
  for (const segment of segments) {
    const text = segment.includes('%') ? decodeSegment(segment) : segment;
    if (text === '..') kept.pop();
    open = text === '' || text === '.' || text === '..';
    if (!open) kept.push(text);
  }
  // `/a/.`, `/a/..` and `/a//` end in a slash, as a directory does.
  return kept.length === 0 ? '/' : `/${kept.join('/')}${open ? '/' : ''}`;
}

function decodeSegment(segment: string): string {
  let text: string;
  try {
    text = decodeURIComponent(segment);
  } catch (error) {
    throw new Failure('target-invalid', 'It has an escape that is not UTF-8.', { cause: error });
  }
  if (CONTROL.test(text)) throw new Failure('target-invalid', 'It has a control character.');
  return text.replace(RESERVED, (character) => (character === '%' ? '%25' : '%2F'));
}
