import { ConnectionError } from './error.ts';
import { HpackBomb, HpackDecoder, HpackError } from './hpack-decoder.ts';
import type { FieldLine } from './hpack-table.ts';
import type { Block } from './inbound.ts';
import type { Http2Options } from './options.ts';

/** A list may decode to so many times what is taken before it is an attack: the rest is answered 431. */
const BOMB_FACTOR = 8;

/** Decodes the header blocks of one direction, in the order in which they came. */
export class BlockReader {
  private readonly decoder: HpackDecoder;
  private readonly options: Http2Options;

  constructor(options: Http2Options) {
    this.options = options;
    this.decoder = new HpackDecoder(options.headerTableMaxBytes);
  }

  /** See HpackDecoder. */
  get version(): number {
    return this.decoder.version;
  }

  /** The last list was larger than is taken, and is not complete. */
  get tooLarge(): boolean {
    return this.decoder.listTooLarge;
  }

  /** Throws COMPRESSION_ERROR, and ENHANCE_YOUR_CALM for a list that grows out of all proportion. */
  read({ bytes, start, end }: Block): FieldLine[] {
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
