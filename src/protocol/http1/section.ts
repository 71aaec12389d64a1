import { HeaderFields, listTokens, withoutSpace } from '../../core/headers.ts';

/** How a body is delimited (RFC 9112 §6). `close`: by the end of the connection, responses only. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly lengthBytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'close' };

/** A header section together with the few fields that the protocol itself must look at. */
export interface FieldSection {
  readonly fields: HeaderFields;
  readonly count: number;
  readonly host: string;
  readonly hostCount: number;
  readonly contentLength: string;
  readonly contentLengthCount: number;
  readonly transferEncoding: string;
  readonly transferEncodingCount: number;
  /** Tokens of `connection`, in lower case. */
  readonly connection: readonly string[];
  /** `keep-alive: timeout=` of a response, in milliseconds; `null` when absent. */
  readonly keepAliveMs: number | null;
  readonly expect: string | null;
  /** Filled by their first question, since sections are shared between requests. */
  hostIsValid: boolean | null;
  lengthFraming: Framing | null;
}

/** Sections up to this size are remembered, so that a client which repeats itself is scanned once. */
const REMEMBERED_MAX_BYTES = 2048;
const REMEMBERED_COUNT = 256;
const remembered: (FieldSection | undefined)[] = Array.from({ length: REMEMBERED_COUNT });

/**
 * The section of validated `name: value CRLF` lines.
 * Most requests on a connection repeat the header section of the one before, byte for byte; the table answers those
 * with one string comparison. It is direct-mapped by length: bounded, and nothing to evict.
 */
export function scanFields(text: string): FieldSection {
  const slot = text.length & (REMEMBERED_COUNT - 1);
  const known = remembered[slot];
  if (known !== undefined && known.fields.text === text) return known;
  const section = scan(text);
  if (text.length <= REMEMBERED_MAX_BYTES) remembered[slot] = section;
  return section;
}

function scan(text: string): FieldSection {
  let count = 0;
  let host = '';
  let hostCount = 0;
  let contentLength = '';
  let contentLengthCount = 0;
  let transferEncoding = '';
  let transferEncodingCount = 0;
  let connection = '';
  let keepAliveMs: number | null = null;
  let expect: string | null = null;
  for (let at = 0; at < text.length; count += 1) {
    const colon = text.indexOf(':', at);
    const end = text.indexOf('\r\n', colon);
    const name = ownName(text, at, colon);
    if (name !== null) {
      const value = withoutSpace(text, colon + 1, end);
      if (name === 'host') {
        host = value;
        hostCount += 1;
      } else if (name === 'content-length') {
        contentLength = value;
        contentLengthCount += 1;
      } else if (name === 'transfer-encoding') {
        transferEncoding = value;
        transferEncodingCount += 1;
      } else if (name === 'connection') connection = connection === '' ? value : `${connection},${value}`;
      else if (name === 'keep-alive') keepAliveMs = keepAliveTimeoutMs(value);
      else if (name === 'expect') expect = expect === null ? value : `${expect},${value}`;
    }
    at = end + 2;
  }
  return {
    // A slice keeps the whole chunk it was cut from alive; a section may be kept for long, so it owns its characters.
    fields: HeaderFields.fromText(Buffer.from(text, 'latin1').toString('latin1')),
    count,
    host,
    hostCount,
    contentLength,
    contentLengthCount,
    transferEncoding,
    transferEncodingCount,
    connection: connection === '' ? NO_TOKENS : listTokens(connection),
    keepAliveMs,
    expect,
    hostIsValid: null,
    lengthFraming: null,
  };
}

const NO_TOKENS: readonly string[] = [];

/** The protocol's own field names by length: most lines are passed over by their length alone. */
const OWN_NAMES: readonly (readonly string[])[] = Array.from({ length: 18 }, (_, length) =>
  ['host', 'expect', 'connection', 'keep-alive', 'content-length', 'transfer-encoding'].filter(
    (name) => name.length === length,
  ),
);

function ownName(text: string, at: number, colon: number): string | null {
  const names = OWN_NAMES[colon - at];
  if (names === undefined || names.length === 0) return null;
  const name = text.slice(at, colon).toLowerCase();
  return names.includes(name) ? name : null;
}

function keepAliveTimeoutMs(value: string): number | null {
  const match = /(?:^|[,\s])timeout\s*=\s*"?([0-9]{1,7})/i.exec(value);
  return match === null ? null : Number(match[1]) * 1000;
}
