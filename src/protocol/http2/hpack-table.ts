/** What an entry is charged besides its octets (RFC 7541 §4.1). */
export const LINE_OVERHEAD_BYTES = 32;

/** The size of a dynamic table until SETTINGS say otherwise (RFC 9113 §6.5.2). */
export const TABLE_DEFAULT_BYTES = 4096;

/**
 * One field line as HPACK knows it. Immutable but for the verdict, and shared: a table's entry is the same object each
 * time it is named. Names and values are latin-1 strings, a character an octet.
 */
export class FieldLine {
  readonly name: string;
  readonly value: string;
  /** Octets of name and value, and 32 (RFC 7541 §4.1). */
  readonly sizeBytes: number;
  /** What the engine found this line to be, kept here because entries repeat; 0 is: not judged yet. */
  verdict = 0;

  constructor(name: string, value: string) {
    this.name = name;
    this.value = value;
    this.sizeBytes = name.length + value.length + LINE_OVERHEAD_BYTES;
  }
}

/** RFC 7541 appendix A, one line each, `name` or `name=value`, from index 1. */
const STATIC_TEXT = `
:authority
:method=GET
:method=POST
:path=/
:path=/index.html
:scheme=http
:scheme=https
:status=200
:status=204
:status=206
:status=304
:status=400
:status=404
:status=500
accept-charset
accept-encoding=gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`;

/** The static table (RFC 7541 appendix A): index 1 is the first. Shared by all connections. */
export const STATIC_LINES: readonly FieldLine[] = STATIC_TEXT.trim()
  .split('\n')
  .map((line) => {
    const [name = '', value = ''] = line.split('=');
    return new FieldLine(name, value);
  });

const SLOT_FIRST_COUNT = 16;

/**
 * A dynamic table (RFC 7541 §2.3.2): the newest entry has position 0, the oldest leave first. A ring that doubles when
 * it is full, so that a connection that indexes little keeps little.
 */
export class DynamicTable {
  /** Entries together never exceed it (RFC 7541 §4.2). */
  maxBytes = TABLE_DEFAULT_BYTES;
  sizeBytes = 0;
  count = 0;
  /** Entries ever inserted: the newest is number `insertedCount - 1`. */
  insertedCount = 0;
  private slots: (FieldLine | undefined)[] = [];

  /** The entry at a position, `undefined` when there is none. */
  at(position: number): FieldLine | undefined {
    if (position >= this.count) return undefined;
    return this.slots[(this.insertedCount - 1 - position) & (this.slots.length - 1)];
  }

  /** Makes room and inserts. A line that is larger than the whole table empties it (RFC 7541 §4.4). */
  insert(line: FieldLine): void {
    this.shrink(this.maxBytes - line.sizeBytes);
    if (line.sizeBytes > this.maxBytes) return;
    if (this.count === this.slots.length) this.grow();
    this.slots[this.insertedCount & (this.slots.length - 1)] = line;
    this.insertedCount += 1;
    this.count += 1;
    this.sizeBytes += line.sizeBytes;
  }

  /** Changes the maximum; what no longer fits leaves (RFC 7541 §4.3). */
  resize(maxBytes: number): void {
    this.maxBytes = maxBytes;
    this.shrink(maxBytes);
  }

  /** For whoever also keeps track of entries: one has left. */
  protected evicted(_line: FieldLine): void {}

  private shrink(bytes: number): void {
    while (this.count > 0 && this.sizeBytes > bytes) {
      const slot = (this.insertedCount - this.count) & (this.slots.length - 1);
      const line = this.slots[slot];
      this.slots[slot] = undefined;
      this.count -= 1;
      if (line === undefined) continue;
      this.sizeBytes -= line.sizeBytes;
      this.evicted(line);
    }
  }

  private grow(): void {
    const kept: (FieldLine | undefined)[] = [];
    for (let position = this.count - 1; position >= 0; position -= 1) kept.push(this.at(position));
    const slots: (FieldLine | undefined)[] = new Array(Math.max(SLOT_FIRST_COUNT, 2 * kept.length)).fill(undefined);
    const first = this.insertedCount - this.count;
    for (const [offset, line] of kept.entries()) slots[(first + offset) & (slots.length - 1)] = line;
    this.slots = slots;
  }
}
