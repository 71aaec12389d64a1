import { HeaderFields } from '../../core/headers.ts';
import { malformed } from './error.ts';
import type { FieldLine } from './hpack-table.ts';

/** The regular fields of a message, with the few that the protocol itself must look at. */
export interface FieldSection {
  readonly fields: HeaderFields;
  readonly count: number;
  /** From content-length; `null` when absent. */
  readonly lengthBytes: number | null;
  readonly host: string | null;
  readonly expect: string | null;
  /** The `priority` field (RFC 9218 §5). */
  readonly priority: string | null;
}

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** No control characters, and no space around (RFC 9113 §8.2.1). */
const VALUE = /^(?![\t ])[\t\x20-\x7e\x80-\xff]*(?<![\t ])$/;
/** What belongs to one HTTP/1.1 connection has no place here (RFC 9113 §8.2.2). */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);
/** What a field line was found to be; kept in the line itself, because lines repeat. */
const SOUND = 1;
const MALFORMED = 2;

/** Whether a line may stand in a message: else the message is malformed (RFC 9113 §8.1.1). */
function isSound(line: FieldLine): boolean {
  if (line.verdict === 0) {
    const { name, value } = line;
    const sound =
      NAME.test(name) &&
      VALUE.test(value) &&
      !CONNECTION_FIELDS.has(name) &&
      (name !== 'te' || value.toLowerCase() === 'trailers');
    line.verdict = sound ? SOUND : MALFORMED;
  }
  return line.verdict === SOUND;
}

/**
 * The regular fields from `from` on. Cookies that came in crumbs are one field again (RFC 9113 §8.2.3). Throws a
 * StreamError when the message is malformed. `first`: field lines to stand before them.
 */
export function fieldSection(lines: readonly FieldLine[], from: number, first = ''): FieldSection {
  let text = first;
  let length: string | null = null;
  let host: string | null = null;
  let expect: string | null = null;
  let priority: string | null = null;
  let cookie: string | null = null;
  let count = 0;
  for (let at = from; at < lines.length; at += 1) {
    const line = lines[at];
    if (line === undefined) continue;
    if (!isSound(line)) throw malformed(`the field ${line.name} is malformed`);
    const { name, value } = line;
    count += 1;
    if (name === 'cookie') {
      cookie = cookie === null ? value : `${cookie}; ${value}`;
      continue;
    }
    if (name === 'content-length') length = once(length, value);
    else if (name === 'host') host = once(host, value);
    else if (name === 'expect') expect = value;
    else if (name === 'priority') priority = value;
    if (name !== 'host') text += `${name}: ${value}\r\n`;
  }
  if (cookie !== null) text += `cookie: ${cookie}\r\n`;
  return { fields: HeaderFields.fromText(text), count, lengthBytes: lengthOf(length), host, expect, priority };
}

function once(known: string | null, value: string): string {
  if (known !== null) throw malformed('a field that may come once came twice');
  return value;
}

function lengthOf(value: string | null): number | null {
  if (value === null) return null;
  if (!/^[0-9]{1,15}$/.test(value)) throw malformed('the content-length is not valid');
  return Number(value);
}

/** What decides about a message's framing or routing cannot come after its body (RFC 9110 §6.5.1). */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set(['content-length', 'host', 'trailer', 'te']);

/** Fields after a body (RFC 9113 §8.1). Throws a StreamError when they are malformed; pseudo-fields are. */
export function trailerFields(lines: readonly FieldLine[]): HeaderFields {
  let text = '';
  for (const line of lines) {
    if (!isSound(line) || NOT_IN_TRAILERS.has(line.name)) {
      throw malformed(`the trailer ${line.name} is malformed`);
    }
    text += `${line.name}: ${line.value}\r\n`;
  }
  return HeaderFields.fromText(text);
}
