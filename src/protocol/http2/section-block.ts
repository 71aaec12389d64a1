import type { HeaderFields } from '../../core/headers.ts';
import { encodeStateless, type HpackEncoder } from './hpack-encoder.ts';

/** Numbers below this are remembered. */
const NUMBERS_REMEMBERED_COUNT = 16_384;
/** Sections that were encoded and mean the same while the encoder's table is the same. */
const REMEMBERED_COUNT = 16;

/** Encodes header sections on one connection, in the order in which they are written; what repeats is encoded once. */
export class SectionBlocks {
  private readonly encoder: HpackEncoder;
  private readonly sections = new Map<HeaderFields, string>();
  private version = 0;

  constructor(encoder: HpackEncoder) {
    this.encoder = encoder;
  }

  /** The block of these fields, which stands behind others in a block. */
  section(fields: HeaderFields): string {
    if (fields.count === 0) return '';
    const { encoder, sections } = this;
    if (encoder.version !== this.version) sections.clear();
    const known = sections.get(fields);
    if (known !== undefined) return known;
    const versionBefore = encoder.version;
    const block = encoder.encode(lowerPairs(fields));
    // A block that has filled the table is good once: the next one names what this one has put there. And what those
    // before it named is elsewhere now.
    const same = encoder.version === versionBefore;
    if (!same || sections.size >= REMEMBERED_COUNT) sections.clear();
    if (same) sections.set(fields, block);
    this.version = encoder.version;
    return block;
  }
}

/** A field whose value is a number: its block, remembered for small numbers. */
export class NumberField {
  private readonly name: string;
  private readonly blocks: string[] = [];

  constructor(name: string) {
    this.name = name;
  }

  block(value: number): string {
    const known = this.blocks[value];
    if (known !== undefined) return known;
    const block = encodeStateless([this.name, String(value)]);
    if (value < NUMBERS_REMEMBERED_COUNT) this.blocks[value] = block;
    return block;
  }
}

export const CONTENT_LENGTH: NumberField = new NumberField('content-length');

/** Names in lower case, as HTTP/2 has them (RFC 9113 §8.2.1), and values. */
export function lowerPairs(fields: HeaderFields): string[] {
  const { pairs } = fields;
  return pairs.map((text, index) => (index % 2 === 0 ? text.toLowerCase() : text));
}
