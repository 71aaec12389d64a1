import {
  INDEXED,
  integerText,
  type Representation,
  SIZE_UPDATE,
  stringText,
  WITH_INDEXING,
  WITHOUT_INDEXING,
} from './hpack-literal.ts';
import { KNOWN_NAMES } from './hpack-name.ts';
import { DynamicTable, FieldLine, LINE_OVERHEAD_BYTES, STATIC_LINES, TABLE_DEFAULT_BYTES } from './hpack-table.ts';

/** A line that would take more of the table than this pushes out more than it can save. */
const LINE_MAX_RATIO = 0.75;
/** So many values of a name in a row that were never seen again, and its values only pass from then on. */
const UNMATCHED_MAX_COUNT = 3;

/** A name with lines in the dynamic table. */
interface KeptName {
  /** The number under which each value was inserted. */
  readonly values: Map<string, number>;
  newest: number;
  /** Values inserted since one was last found. */
  unmatchedCount: number;
  /** The last one that passed: when it comes again, the name has settled and is worth an entry. */
  lastValue: string | null;
}

/** The dynamic table with an index over it. Holds no line twice. */
class SearchableTable extends DynamicTable {
  readonly names: Map<string, KeptName> = new Map();

  /** The index on the wire of the insertion of that number (RFC 7541 §2.3.3). */
  indexOf(number: number): number {
    return STATIC_LINES.length + this.insertedCount - number;
  }

  override insert(line: FieldLine): void {
    super.insert(line);
    const newest = this.insertedCount - 1;
    const kept = this.names.get(line.name);
    if (kept === undefined) {
      const values = new Map([[line.value, newest]]);
      this.names.set(line.name, { values, newest, unmatchedCount: 1, lastValue: null });
      return;
    }
    kept.values.set(line.value, newest);
    kept.newest = newest;
    kept.unmatchedCount += 1;
  }

  protected override evicted(line: FieldLine): void {
    const kept = this.names.get(line.name);
    if (kept?.values.delete(line.value) && kept.values.size === 0) this.names.delete(line.name);
  }
}

/**
 * One direction of one connection. Blocks are latin-1 text, because the engine gathers all that leaves in one turn into
 * one string; they have to leave in the order in which they were encoded (RFC 7541 §2.2).
 */
export class HpackEncoder {
  /** Changes with the table: a block that has not changed it may be sent again while this is the same. */
  version = 0;
  private readonly table = new SearchableTable();
  /** The size that the peer's decoder has, as far as it was told. */
  private announcedBytes = TABLE_DEFAULT_BYTES;
  /** The smallest that the table has been since. */
  private smallestBytes = TABLE_DEFAULT_BYTES;

  /**
   * The peer's SETTINGS_HEADER_TABLE_SIZE. Of more than the default we make no use; a change is announced with the next
   * block (RFC 7541 §4.2).
   */
  setTableMaxBytes(bytes: number): void {
    this.version += 1;
    this.table.resize(Math.min(bytes, TABLE_DEFAULT_BYTES));
    this.smallestBytes = Math.min(this.smallestBytes, this.table.maxBytes);
  }

  /** What has to precede the next block, also a stateless one: a pending size update, nearly always ''. */
  prefix(): string {
    const { announcedBytes, smallestBytes, table } = this;
    if (smallestBytes === announcedBytes && table.maxBytes === announcedBytes) return '';
    this.announcedBytes = table.maxBytes;
    this.smallestBytes = table.maxBytes;
    // First the smallest that it was, because that is what entries were evicted for; then what it is.
    const shrunk = smallestBytes < announcedBytes ? integerText(SIZE_UPDATE, smallestBytes) : '';
    return smallestBytes === table.maxBytes ? shrunk : shrunk + integerText(SIZE_UPDATE, table.maxBytes);
  }

  /** The block for name, value, name, value …; names in lower case, no character above U+00FF. */
  encode(pairs: readonly string[]): string {
    let block = this.prefix();
    for (let at = 1; at < pairs.length; at += 2) block += this.line(pairs[at - 1] ?? '', pairs[at] ?? '');
    return block;
  }

  private line(name: string, value: string): string {
    const known = KNOWN_NAMES.get(name);
    if (known !== undefined) {
      const whole = known.whole.get(value);
      if (whole !== undefined) return whole;
      if (!known.keeps(value)) return known.literal(value);
    }
    const kept = this.table.names.get(name);
    const number = kept?.values.get(value);
    if (kept !== undefined && number !== undefined) {
      kept.unmatchedCount = 0;
      return integerText(INDEXED, this.table.indexOf(number));
    }
    const sizeBytes = name.length + value.length + LINE_OVERHEAD_BYTES;
    if (sizeBytes > this.table.maxBytes * LINE_MAX_RATIO || isRestless(kept, value)) {
      if (known !== undefined) return known.literal(value);
      return this.nameText(WITHOUT_INDEXING, name, kept) + stringText(value);
    }
    const start = known === undefined ? this.nameText(WITH_INDEXING, name, kept) : known.indexingStart;
    this.version += 1;
    this.table.insert(new FieldLine(ownCopy(name), ownCopy(value)));
    return start + stringText(value);
  }

  /** A literal up to its value: the name by its newest line in the table, or spelt out. */
  private nameText(representation: Representation, name: string, kept: KeptName | undefined): string {
    if (kept === undefined) return integerText(representation, 0) + stringText(name);
    return integerText(representation, this.table.indexOf(kept.newest));
  }
}

/** Whether the name's values have kept changing, and this is not the one that it had last. */
function isRestless(kept: KeptName | undefined, value: string): boolean {
  if (kept === undefined || kept.unmatchedCount < UNMATCHED_MAX_COUNT || kept.lastValue === value) return false;
  kept.lastValue = value;
  return true;
}

/** A slice keeps the text that it was cut from, and that would be a whole head for as long as the entry lives. */
function ownCopy(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/**
 * A block that uses no dynamic table and so is valid on every connection, behind its `prefix()`: for what is encoded
 * once and sent to all. Takes what `encode` takes.
 */
export function encodeStateless(pairs: readonly string[]): string {
  let block = '';
  for (let at = 1; at < pairs.length; at += 2) {
    const name = pairs[at - 1] ?? '';
    const value = pairs[at] ?? '';
    const known = KNOWN_NAMES.get(name);
    if (known === undefined) block += integerText(WITHOUT_INDEXING, 0) + stringText(name) + stringText(value);
    else block += known.whole.get(value) ?? known.literal(value);
  }
  return block;
}
