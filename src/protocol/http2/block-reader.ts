import { ConnectionError } from './error.ts';
import { HpackBomb, HpackDecoder, HpackError } from './hpack-decoder.ts';
import type { FieldLine } from './hpack-table.ts';
import type { Block } from './inbound.ts';
import type { Http2Options } from './options.ts';

/** A list may decode to so many times what is taken before it is an attack: the rest is answered 431. */
const BOMB_FACTOR = 8;

/** A block up to this size is remembered whole. */
const REMEMBERED_MAX_BYTES = 1024;
const REMEMBERED_COUNT = 16;

/**
 * Decodes the header blocks of one direction, in the order in which they came. A block that is byte for byte an earlier
 * one means the same while the compression state is the same: its head is read once.
 */
export class BlockReader<Head> {
  private readonly decoder: HpackDecoder;
  private readonly options: Http2Options;
  private readonly headOf: (lines: readonly FieldLine[]) => Head;
  private readonly heads = new Map<string, Head>();
  private headsVersion = 0;

  /** `headOf` makes a head of the lines of its block; what it throws is not remembered. */
  constructor(options: Http2Options, headOf: (lines: readonly FieldLine[]) => Head) {
    this.options = options;
    this.headOf = headOf;
    this.decoder = new HpackDecoder(options.headerTableMaxBytes);
  }

  /** The last list was larger than is taken, and is not complete. */
  get tooLarge(): boolean {
    return this.decoder.listTooLarge;
  }

  /** The head that a block is. Throws what `lines` does, and what `headOf` does. */
  head(block: Block): Head {
    const { bytes, start, end } = block;
    const { decoder, heads } = this;
    const { version } = decoder;
    if (version !== this.headsVersion) {
      heads.clear();
      this.headsVersion = version;
    }
    if (end - start > REMEMBERED_MAX_BYTES) return this.headOf(this.lines(block));
    const key = bytes.toString('latin1', start, end);
    const known = heads.get(key);
    if (known !== undefined) return known;
    const head = this.headOf(this.lines(block));
    if (decoder.version === version) {
      if (heads.size >= REMEMBERED_COUNT) heads.clear();
      heads.set(key, head);
    }
    return head;
  }

  /** Throws COMPRESSION_ERROR, and ENHANCE_YOUR_CALM for a list that grows out of all proportion. */
  lines({ bytes, start, end }: Block): FieldLine[] {
    const { headerListMaxBytes } = this.options;
    try {
      return this.decoder.decode(bytes, start, end, headerListMaxBytes, headerListMaxBytes * BOMB_FACTOR);
    } catch (error) {
      if (error instanceof HpackBomb) throw new ConnectionError('ENHANCE_YOUR_CALM', 'a header list is far too large');
      if (error instanceof HpackError) throw new ConnectionError('COMPRESSION_ERROR', error.message);
      throw error;
    }
  }

  /** The peer has taken our settings. */
  settingsTaken(): void {
    this.decoder.setTableMaxBytes(this.options.headerTableMaxBytes);
  }
}
