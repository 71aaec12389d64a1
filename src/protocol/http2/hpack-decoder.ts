import { DynamicTable, FieldLine, STATIC_LINES, TABLE_DEFAULT_BYTES } from './hpack-table.ts';
import { decodeHuffman } from './huffman.ts';

/** A block that cannot be decoded: a connection error COMPRESSION_ERROR (RFC 9113 §4.3). */
export class HpackError extends Error {
  override readonly name = 'HpackError';
}

/** A block that decodes to far more than it may: abuse, to be ended with ENHANCE_YOUR_CALM. */
export class HpackBomb extends Error {
  override readonly name = 'HpackBomb';
}

const SIZE_UPDATE_MAX_COUNT = 2;
/** Octets after the prefix of an integer: 28 bits, more than anything here can be (RFC 7541 §5.1 asks for a limit). */
const CONTINUATION_MAX_COUNT = 4;

/** One direction of one connection: blocks come in the order in which they were encoded (RFC 7541 §2.2). */
export class HpackDecoder {
  /**
   * Changes with all that could change what a block means. A block that is byte for byte an earlier one, decoded at
   * this same version and without changing it, means the same again.
   */
  version = 0;
  /** The last block was over `listMaxBytes`: the lines beyond it went into the table, but were not returned. */
  listTooLarge = false;
  private readonly table = new DynamicTable();
  private maxBytes: number;
  /** The size that the next block must begin by going down to, at least. */
  private owedBytes: number | null = null;
  /** Where reading goes on. */
  private at = 0;

  /**
   * `tableMaxBytes` is our SETTINGS_HEADER_TABLE_SIZE. The peer may use the default until it has acknowledged a lower
   * one: then comes `setTableMaxBytes`.
   */
  constructor(tableMaxBytes: number) {
    this.maxBytes = Math.max(tableMaxBytes, TABLE_DEFAULT_BYTES);
  }

  /**
   * The peer has acknowledged this SETTINGS_HEADER_TABLE_SIZE. When its table may have been larger, its next block has
   * to begin with a size update (RFC 9113 §4.3.1).
   */
  setTableMaxBytes(bytes: number): void {
    this.maxBytes = bytes;
    if (bytes >= this.table.maxBytes) return;
    this.owedBytes = Math.min(bytes, this.owedBytes ?? bytes);
    this.version += 1;
  }

  /**
   * The lines of a whole block, `bytes[start, end)`. Lists are measured as SETTINGS_MAX_HEADER_LIST_SIZE does
   * (RFC 9113 §6.5.2). Throws HpackError, and HpackBomb as soon as the list exceeds `bombMaxBytes`; after either the
   * table cannot be trusted and the connection has to end.
   */
  decode(bytes: Buffer, start: number, end: number, listMaxBytes: number, bombMaxBytes: number): FieldLine[] {
    const lines: FieldLine[] = [];
    let listBytes = 0;
    this.at = start;
    this.readSizeUpdates(bytes, end);
    while (this.at < end) {
      const octet = bytes[this.at] ?? 0;
      const line = octet >= 0x80 ? this.readIndexed(bytes, end, octet) : this.readLiteral(bytes, end, octet);
      listBytes += line.sizeBytes;
      if (listBytes > bombMaxBytes) throw new HpackBomb(`a field block of more than ${bombMaxBytes} octets`);
      if (listBytes <= listMaxBytes) lines.push(line);
    }
    this.listTooLarge = listBytes > listMaxBytes;
    return lines;
  }

  /** RFC 7541 §6.3; only before the first line, and two are enough to say all (§4.2). */
  private readSizeUpdates(bytes: Buffer, end: number): void {
    for (let count = 1; this.at < end && ((bytes[this.at] ?? 0) & 0xe0) === 0x20; count += 1) {
      const maxBytes = this.readInteger(bytes, end, 0x1f);
      if (count > SIZE_UPDATE_MAX_COUNT) throw new HpackError('more than two table size updates');
      if (maxBytes > this.maxBytes) throw new HpackError('a table size update above the limit');
      if (this.owedBytes !== null && maxBytes > this.owedBytes) break;
      this.owedBytes = null;
      this.table.resize(maxBytes);
      this.version += 1;
    }
    if (this.owedBytes !== null) throw new HpackError('the lowered table size limit is not confirmed');
  }

  private readIndexed(bytes: Buffer, end: number, octet: number): FieldLine {
    if (octet < 0xff) {
      this.at += 1;
      return this.lineAt(octet & 0x7f);
    }
    return this.lineAt(this.readInteger(bytes, end, 0x7f));
  }

  /** RFC 7541 §6.2: with incremental indexing, without, and never indexed. */
  private readLiteral(bytes: Buffer, end: number, octet: number): FieldLine {
    const indexed = octet >= 0x40;
    if (!indexed && octet >= 0x20) throw new HpackError('a table size update after a field line');
    const index = this.readInteger(bytes, end, indexed ? 0x3f : 0x0f);
    const name = index === 0 ? this.readString(bytes, end) : this.lineAt(index).name;
    const line = new FieldLine(name, this.readString(bytes, end));
    if (indexed) {
      this.table.insert(line);
      this.version += 1;
    }
    return line;
  }

  private lineAt(index: number): FieldLine {
    const line =
      index <= STATIC_LINES.length ? STATIC_LINES[index - 1] : this.table.at(index - STATIC_LINES.length - 1);
    if (line === undefined) throw new HpackError(`no entry ${index}`);
    return line;
  }

  /** RFC 7541 §5.2. */
  private readString(bytes: Buffer, end: number): string {
    const coded = (bytes[this.at] ?? 0) >= 0x80;
    const length = this.readInteger(bytes, end, 0x7f);
    const from = this.at;
    if (length > end - from) throw new HpackError('a string beyond the end of the block');
    this.at = from + length;
    if (length === 0) return '';
    if (!coded) return bytes.toString('latin1', from, this.at);
    const text = decodeHuffman(bytes, from, this.at);
    if (text === null) throw new HpackError('a string with an invalid Huffman code');
    return text;
  }

  /** RFC 7541 §5.1, with the prefix given as its mask. */
  private readInteger(bytes: Buffer, end: number, mask: number): number {
    let at = this.at;
    if (at >= end) throw new HpackError('the block ends too early');
    let value = (bytes[at] ?? 0) & mask;
    at += 1;
    if (value === mask) {
      let octet = 0x80;
      for (let shift = 0; octet >= 0x80; shift += 7) {
        if (shift === 7 * CONTINUATION_MAX_COUNT) throw new HpackError('an integer is too long');
        if (at >= end) throw new HpackError('the block ends too early');
        octet = bytes[at] ?? 0;
        value += (octet & 0x7f) << shift;
        at += 1;
      }
    }
    this.at = at;
    return value;
  }
}
