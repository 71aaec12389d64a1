import { BlockReader } from './block-reader.ts';
import { StreamError } from './error.ts';
import { type FieldSection, fieldSection } from './field-section.ts';
import type { FieldLine } from './hpack-table.ts';
import type { Block } from './inbound.ts';
import type { Http2Options } from './options.ts';

/** A response's head. */
export interface ResponseHead {
  readonly status: number;
  readonly section: FieldSection;
}

/** A block up to this size is remembered whole. */
const REMEMBERED_MAX_BYTES = 1024;
const REMEMBERED_COUNT = 16;
const STATUS = /^[1-5][0-9]{2}$/;

/**
 * Reads the heads of responses. A block that is byte for byte an earlier one means the same while the compression state
 * is the same.
 */
export class ResponseReader {
  private readonly blocks: BlockReader;
  private readonly headerMaxCount: number;
  private readonly heads = new Map<string, ResponseHead>();
  private headsVersion = 0;

  constructor(options: Http2Options, headerMaxCount: number) {
    this.blocks = new BlockReader(options);
    this.headerMaxCount = headerMaxCount;
  }

  settingsTaken(): void {
    this.blocks.settingsTaken();
  }

  /** Throws a ConnectionError when it cannot be decoded, a StreamError when it is malformed (RFC 9113 §8.1.1). */
  read(block: Block): ResponseHead {
    const { bytes, start, end } = block;
    const { blocks, heads } = this;
    const { version } = blocks;
    if (version !== this.headsVersion) {
      heads.clear();
      this.headsVersion = version;
    }
    if (end - start > REMEMBERED_MAX_BYTES) return this.headOf(blocks.read(block));
    const key = bytes.toString('latin1', start, end);
    const known = heads.get(key);
    if (known !== undefined) return known;
    const head = this.headOf(blocks.read(block));
    if (blocks.version === version) {
      if (heads.size >= REMEMBERED_COUNT) heads.clear();
      heads.set(key, head);
    }
    return head;
  }

  /** Decodes a block that is no head: trailers, or what nobody waits for. */
  lines(block: Block): FieldLine[] {
    const lines = this.blocks.read(block);
    if (this.blocks.tooLarge) throw malformed('the header list is too large');
    return lines;
  }

  private headOf(lines: readonly FieldLine[]): ResponseHead {
    if (this.blocks.tooLarge) throw malformed('the header list is too large');
    const [first] = lines;
    // RFC 9113 §8.3.2: this one and no other. A second pseudo-field is malformed as a name of a regular one.
    if (first?.name !== ':status' || !STATUS.test(first.value)) throw malformed(':status is missing or not valid');
    const status = Number(first.value);
    // RFC 9113 §8.6
    if (status === 101) throw malformed('101 does not exist in HTTP/2');
    const section = fieldSection(lines, 1);
    if (section.count > this.headerMaxCount) throw malformed('too many header lines');
    return { status, section };
  }
}

const malformed = (what: string): StreamError => new StreamError('PROTOCOL_ERROR', what);
