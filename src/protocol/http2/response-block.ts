import type { HeaderFields } from '../../core/headers.ts';
import { encodeStateless, type HpackEncoder } from './hpack-encoder.ts';
import { CONTENT_LENGTH, NumberField, SectionBlocks } from './section-block.ts';

const WITHOUT_LENGTH: ReadonlySet<string> = new Set(['content-length']);
const STATUS = new NumberField(':status');

let dateText = '';
let dateBlock = '';

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
  private readonly sections: SectionBlocks;

  constructor(encoder: HpackEncoder) {
    this.encoder = encoder;
    this.sections = new SectionBlocks(encoder);
  }

  /** The head of a final response; `lengthBytes` is told unless the handler's fields do. */
  final(status: number, fields: HeaderFields, lengthBytes: number | null, date: string): string {
    const { encoder, sections } = this;
    const start = encoder.prefix() + STATUS.block(status);
    const head = start + sections.section(status === 204 ? withoutLength(fields) : fields);
    const length = lengthBytes === null || fields.has('content-length') ? '' : CONTENT_LENGTH.block(lengthBytes);
    return head + (fields.has('date') ? '' : dateField(date)) + length;
  }

  /** The head of an informational response. */
  informational(status: number, fields: HeaderFields): string {
    return this.encoder.prefix() + STATUS.block(status) + this.sections.section(withoutLength(fields));
  }
}

const withoutLength = (fields: HeaderFields): HeaderFields =>
  fields.has('content-length') ? fields.without(WITHOUT_LENGTH) : fields;
