import type { HeaderFields } from '../../core/headers.ts';
import { encodeStateless, type HpackEncoder } from './hpack-encoder.ts';
import { lowerPairs } from './session.ts';

/** Numbers below this are remembered. */
const NUMBERS_REMEMBERED_COUNT = 16_384;
/** Sections that were encoded and mean the same while the encoder's table is the same. */
const REMEMBERED_COUNT = 16;
const WITHOUT_LENGTH: ReadonlySet<string> = new Set(['content-length']);

let dateText = '';
let dateBlock = '';

/** A field whose value is a number: its block, remembered for small numbers. */
class NumberField {
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

const STATUS = new NumberField(':status');
const LENGTH = new NumberField('content-length');

function dateField(date: string): string {
  if (date !== dateText) {
    dateText = date;
    dateBlock = encodeStateless(['date', date]);
  }
  return dateBlock;
}

/** Encodes the heads of responses on one connection, in the order in which they are written. */
export class ResponseBlocks {
  private readonly encoder: HpackEncoder;
  private readonly sections = new Map<HeaderFields, string>();
  private version = 0;

  constructor(encoder: HpackEncoder) {
    this.encoder = encoder;
  }

  /** The head of a final response; `lengthBytes` is told unless the handler's fields do. */
  final(status: number, fields: HeaderFields, lengthBytes: number | null, date: string): string {
    const head =
      this.encoder.prefix() + STATUS.block(status) + this.section(status === 204 ? withoutLength(fields) : fields);
    const length = lengthBytes === null || fields.has('content-length') ? '' : LENGTH.block(lengthBytes);
    return head + (fields.has('date') ? '' : dateField(date)) + length;
  }

  /** The head of an informational response. */
  informational(status: number, fields: HeaderFields): string {
    return this.encoder.prefix() + STATUS.block(status) + this.section(withoutLength(fields));
  }

  private section(fields: HeaderFields): string {
    if (fields.count === 0) return '';
    const { encoder, sections } = this;
    if (encoder.version !== this.version) sections.clear();
    const known = sections.get(fields);
    if (known !== undefined) return known;
    const versionBefore = encoder.version;
    const block = encoder.encode(lowerPairs(fields));
    // A block that has filled the table is good once: the next one names what this one has put there.
    if (encoder.version === versionBefore) {
      if (sections.size >= REMEMBERED_COUNT) sections.clear();
      sections.set(fields, block);
    }
    this.version = encoder.version;
    return block;
  }
}

const withoutLength = (fields: HeaderFields): HeaderFields =>
  fields.has('content-length') ? fields.without(WITHOUT_LENGTH) : fields;
