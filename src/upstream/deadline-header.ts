import type { HeaderFields } from '../core/headers.ts';
import { formatTimeout, parseTimeout, type TimeoutFormat } from '../policy/deadline.ts';

/**
 * The field by which a request says how long somebody still waits for its answer: whole milliseconds, or as gRPC writes
 * it when the field is `grpc-timeout`.
 */
export class DeadlineHeader {
  private readonly name: string;
  private readonly format: TimeoutFormat;
  private readonly trusted: boolean;

  /** `trusted`: what clients say in it is heeded. */
  constructor(name: string, trusted: boolean) {
    this.name = name;
    this.format = name.toLowerCase() === 'grpc-timeout' ? 'grpc' : 'ms';
    this.trusted = trusted;
  }

  /** How long its client still waits; `null` when it does not say, or is not heeded. */
  heard(fields: HeaderFields): number | null {
    const value = this.trusted ? fields.get(this.name) : null;
    return value === null ? null : parseTimeout(value, this.format);
  }

  /** The fields for an upstream that has so long, `null` for as long as it likes; never what the client has said. */
  told(fields: HeaderFields, leftMs: number | null): HeaderFields {
    const value = leftMs === null ? null : formatTimeout(leftMs, this.format);
    if (value !== null) return fields.with(this.name, value);
    return fields.has(this.name) ? fields.without(new Set([this.name.toLowerCase()])) : fields;
  }
}
