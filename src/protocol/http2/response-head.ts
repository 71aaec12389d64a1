import { BlockReader } from './block-reader.ts';
import { malformed } from './error.ts';
import { type FieldSection, fieldSection } from './field-section.ts';
import type { FieldLine } from './hpack-table.ts';
import type { Block } from './inbound.ts';
import type { Http2Options } from './options.ts';

/** A response's head. */
export interface ResponseHead {
  readonly status: number;
  readonly section: FieldSection;
}

const STATUS = /^[1-5][0-9]{2}$/;

/** Reads the heads of responses. */
export class ResponseReader {
  private readonly blocks: BlockReader<ResponseHead>;
  private readonly headerMaxCount: number;

  constructor(options: Http2Options, headerMaxCount: number) {
    this.blocks = new BlockReader(options, (lines) => this.headOf(lines));
    this.headerMaxCount = headerMaxCount;
  }

  settingsTaken(): void {
    this.blocks.settingsTaken();
  }

  /** Throws a ConnectionError when it cannot be decoded, a StreamError when it is malformed (RFC 9113 §8.1.1). */
  read(block: Block): ResponseHead {
    return this.blocks.head(block);
  }

  /** Decodes a block that is no head: trailers, or what nobody waits for. */
  lines(block: Block): FieldLine[] {
    const lines = this.blocks.lines(block);
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
