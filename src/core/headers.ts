/** A field name is a token (RFC 9110 §5.6.2). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/**
 * A field value (RFC 9110 §5.5): visible characters, space, tab, obs-text. Nothing above U+00FF, because such a
 * character would be cut to one byte on the wire and could become a CR or LF there.
 */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Fields that belong to one connection and are never forwarded (RFC 9110 §7.6.1). */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

const NO_NAMES: readonly string[] = [];

/** What a program may give as headers: pairs (a `Headers` is such an iterable) or a record. */
export type HeaderSource =
  | HeaderFields
  | Iterable<readonly [string, string]>
  | Readonly<Record<string, string | number | readonly string[] | undefined>>;

/**
 * One header or trailer section: ordered field lines, looked up without regard to case. Immutable, so that one
 * instance can serve every request that carries the same section. Has the reading half of Fetch's `Headers`.
 *
 * It is made from text (as received, validated by the parser) or from pairs (validated here), and makes the other
 * form only when somebody asks.
 */
export class HeaderFields implements Iterable<[string, string]> {
  static readonly EMPTY = new HeaderFields('', []);

  private textForm: string | null;
  /** Name, value, name, value … with the names as received. */
  private pairForm: readonly string[] | null;
  private names: readonly string[] | null = null;
  private forwardable: HeaderFields | null = null;
  /** What these begin with, where they were made by `followedBy`, and the names of the lines after that. */
  private base: HeaderFields | null = null;
  private addedNames: readonly string[] = NO_NAMES;

  private constructor(text: string | null, pairs: readonly string[] | null) {
    this.textForm = text;
    this.pairForm = pairs;
  }

  /** From `name: value CRLF` lines that a parser has validated already. */
  static fromText(text: string): HeaderFields {
    return text === '' ? HeaderFields.EMPTY : new HeaderFields(text, null);
  }

  /** From a program's headers. Throws `TypeError` on a name or value that could inject a line. */
  static from(source: HeaderSource | null | undefined): HeaderFields {
    if (source === null || source === undefined) return HeaderFields.EMPTY;
    if (source instanceof HeaderFields) return source;
    const pairs: string[] = [];
    if (Symbol.iterator in source) {
      for (const [name, value] of source) pushField(pairs, name, value);
    } else {
      for (const [name, value] of Object.entries(source)) {
        if (Array.isArray(value)) for (const item of value) pushField(pairs, name, item);
        else if (value !== undefined) pushField(pairs, name, String(value));
      }
    }
    return pairs.length === 0 ? HeaderFields.EMPTY : new HeaderFields(null, pairs);
  }

  /** The lines as they go on an HTTP/1.1 wire, without the empty line that ends a section. */
  get text(): string {
    if (this.textForm === null) {
      const pairs = this.pairs;
      let text = '';
      for (let i = 0; i < pairs.length; i += 2) text += `${pairs[i]}: ${pairs[i + 1]}\r\n`;
      this.textForm = text;
    }
    return this.textForm;
  }

  /** Name, value, name, value …, in order, names as given. */
  get pairs(): readonly string[] {
    if (this.pairForm === null) {
      const { base, text } = this;
      this.pairForm = base === null ? splitLines(text, 0) : [...base.pairs, ...splitLines(text, base.text.length)];
    }
    return this.pairForm;
  }

  /** Field lines, repeats counted. */
  get count(): number {
    return this.pairs.length / 2;
  }

  /** The value; repeated lines are joined with `, ` (RFC 9110 §5.3), cookies with `; `. `null` when absent. */
  get(name: string): string | null {
    const wanted = name.toLowerCase();
    if (this.base !== null && !this.addedNames.includes(wanted)) return this.base.get(wanted);
    const names = this.lowerNames();
    const first = names.indexOf(wanted);
    if (first === -1) return null;
    const value = this.pairs[2 * first + 1] ?? '';
    if (names.indexOf(wanted, first + 1) === -1) return value;
    return this.getAll(wanted).join(wanted === 'cookie' ? '; ' : ', ');
  }

  /** The value of every line with this name, in order. */
  getAll(name: string): string[] {
    const wanted = name.toLowerCase();
    const pairs = this.pairs;
    const values: string[] = [];
    this.lowerNames().forEach((candidate, index) => {
      if (candidate === wanted) values.push(pairs[2 * index + 1] ?? '');
    });
    return values;
  }

  getSetCookie(): string[] {
    return this.getAll('set-cookie');
  }

  has(name: string): boolean {
    const wanted = name.toLowerCase();
    if (this.base !== null && !this.addedNames.includes(wanted)) return this.base.has(wanted);
    return this.lowerNames().includes(wanted);
  }

  /** Whether a comma-separated list field contains this token, in any case (RFC 9110 §5.6.1). */
  hasToken(name: string, token: string): boolean {
    const value = this.get(name);
    return value !== null && listTokens(value).includes(token);
  }

  /** These fields with one replaced, or appended where there was none. */
  with(name: string, value: string): HeaderFields {
    const wanted = name.toLowerCase();
    return HeaderFields.from([...this.lines().filter(([given]) => given.toLowerCase() !== wanted), [name, value]]);
  }

  /** These fields and one line more. */
  append(name: string, value: string): HeaderFields {
    return HeaderFields.from([...this.lines(), [name, value]]);
  }

  /**
   * These fields and more lines after them, which are valid, end-to-end and have these names (in lower case). What is
   * known of these fields is not found out anew: meant for lines that differ from answer to answer.
   */
  followedBy(names: readonly string[], lines: string): HeaderFields {
    const all = new HeaderFields(this.text + lines, null);
    all.base = this;
    all.addedNames = names;
    return all;
  }

  /** These fields without the named ones (lower-case names). */
  without(names: ReadonlySet<string>): HeaderFields {
    const kept: string[] = [];
    const { pairs } = this;
    this.lowerNames().forEach((name, index) => {
      if (!names.has(name)) kept.push(pairs[2 * index] ?? '', pairs[2 * index + 1] ?? '');
    });
    if (kept.length === pairs.length) return this;
    return kept.length === 0 ? HeaderFields.EMPTY : new HeaderFields(null, kept);
  }

  /** What an intermediary may pass on: without hop-by-hop fields and those that `connection` names. Made once. */
  get endToEnd(): HeaderFields {
    if (this.forwardable === null && this.base !== null) {
      const { addedNames, base, text } = this;
      const kept = base.endToEnd;
      this.forwardable = kept === base ? this : kept.followedBy(addedNames, text.slice(base.text.length));
    }
    if (this.forwardable === null) {
      const connection = this.get('connection');
      const named = connection === null ? HOP_BY_HOP : new Set([...HOP_BY_HOP, ...listTokens(connection)]);
      this.forwardable = this.without(named);
    }
    return this.forwardable;
  }

  /** As on a received Fetch message: always throws. */
  set(name: string, _value: string): never {
    throw immutable(name);
  }

  /** As on a received Fetch message: always throws. */
  delete(name: string): never {
    throw immutable(name);
  }

  *entries(): Generator<[string, string], undefined> {
    const { pairs } = this;
    const names = this.lowerNames();
    for (let i = 0; i < names.length; i += 1) yield [names[i] ?? '', pairs[2 * i + 1] ?? ''];
  }

  *keys(): Generator<string, undefined> {
    yield* this.lowerNames();
  }

  *values(): Generator<string, undefined> {
    for (const [, value] of this.entries()) yield value;
  }

  forEach(visit: (value: string, name: string, fields: HeaderFields) => void): void {
    for (const [name, value] of this.entries()) visit(value, name, this);
  }

  [Symbol.iterator](): Generator<[string, string], undefined> {
    return this.entries();
  }

  /** Name and value of each line, names as given. */
  private lines(): [string, string][] {
    const { pairs } = this;
    return Array.from({ length: pairs.length / 2 }, (_, index) => [pairs[2 * index] ?? '', pairs[2 * index + 1] ?? '']);
  }

  private lowerNames(): readonly string[] {
    if (this.names === null) {
      const { pairs } = this;
      const names: string[] = [];
      for (let i = 0; i < pairs.length; i += 2) names.push((pairs[i] ?? '').toLowerCase());
      this.names = names;
    }
    return this.names;
  }
}

/** The members of a comma-separated list, in lower case, without empty ones (RFC 9110 §5.6.1). */
export function listTokens(value: string): string[] {
  return value
    .toLowerCase()
    .split(',')
    .map((token) => withoutSpace(token, 0, token.length))
    .filter((token) => token !== '');
}

/**
 * The part of the text between two indexes without the spaces and tabs around it (RFC 9110 §5.6.3). Not `trim()`, which
 * also takes a no-break space: a byte of the value to everybody else, who would then read another value.
 */
export function withoutSpace(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x09;

/** Whether this may stand as a field name. */
export const isToken = (name: string): boolean => TOKEN.test(name);

function immutable(name: string): TypeError {
  return new TypeError(`header ${name}: received fields do not change; with() and without() give changed ones`);
}

function pushField(pairs: string[], name: string, value: string): void {
  if (!TOKEN.test(name)) throw new TypeError(`header name ${JSON.stringify(name)} is not a token (RFC 9110 §5.1)`);
  const trimmed = withoutSpace(value, 0, value.length);
  if (!VALUE.test(trimmed))
    throw new TypeError(`header ${name}: the value has a character that is not allowed (RFC 9110 §5.5)`);
  pairs.push(name, trimmed);
}

/** The lines of a text from an index on, as pairs. */
function splitLines(text: string, from: number): string[] {
  const pairs: string[] = [];
  let at = from;
  while (at < text.length) {
    const colon = text.indexOf(':', at);
    const end = text.indexOf('\r\n', colon);
    pairs.push(text.slice(at, colon), withoutSpace(text, colon + 1, end));
    at = end + 2;
  }
  return pairs;
}
