import { Failure } from '../../core/failure.ts';
import type { FieldSection, Framing } from './section.ts';

const NONE: Framing = { kind: 'none' };
const CHUNKED: Framing = { kind: 'chunked' };
const CLOSE: Framing = { kind: 'close' };

/**
 * How a request body is delimited (RFC 9112 §6.3).
 * Stricter than the RFC: any mix of content-length and transfer-encoding, or a repeat of either, is refused,
 * because two hops that disagree here is request smuggling (RFC 9112 §11.2).
 */
export function requestFraming(section: FieldSection, minorVersion: 0 | 1): Framing {
  if (section.transferEncodingCount > 0) {
    if (section.contentLengthCount > 0 || section.transferEncodingCount > 1) throw new Failure('framing-ambiguous');
    if (minorVersion === 0) throw new Failure('framing-ambiguous', 'HTTP/1.0 has no transfer codings.');
    if (section.transferEncoding.toLowerCase() === 'chunked') return CHUNKED;
    throw codingFailure(section.transferEncoding);
  }
  if (section.contentLengthCount === 0) return NONE;
  return lengthFraming(section);
}

/** How a response body is delimited (RFC 9112 §6.3), for the answer to `method`. Throws `upstream-invalid`. */
export function responseFraming(status: number, section: FieldSection, minorVersion: 0 | 1, method: string): Framing {
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return NONE;
  if (section.transferEncodingCount > 0) {
    const single = section.transferEncodingCount === 1 && section.contentLengthCount === 0 && minorVersion === 1;
    if (single && section.transferEncoding.toLowerCase() === 'chunked') return CHUNKED;
    throw new Failure('upstream-invalid', 'The length of its body is ambiguous.');
  }
  if (section.contentLengthCount === 0) return CLOSE;
  try {
    return lengthFraming(section);
  } catch (error) {
    throw new Failure('upstream-invalid', 'Its content-length is not valid.', { cause: error });
  }
}

/** Digits only: no sign, no list, no space within (RFC 9110 §8.6); one field line only. */
function lengthFraming(section: FieldSection): Framing {
  section.lengthFraming ??= readLength(section);
  return section.lengthFraming;
}

function readLength(section: FieldSection): Framing {
  const { contentLength } = section;
  if (section.contentLengthCount > 1) throw new Failure('framing-ambiguous');
  if (!/^[0-9]{1,15}$/.test(contentLength)) throw new Failure('content-length-invalid');
  const lengthBytes = Number(contentLength);
  return lengthBytes === 0 ? NONE : { kind: 'length', lengthBytes };
}

/** Codings that are registered but not spoken here are 501; what can only be an attempt to confuse is 400. */
function codingFailure(value: string): Failure {
  const codings = value.split(',').map((coding) => coding.replace(/^[ \t]+|[ \t]+$/g, '').toLowerCase());
  const known = codings.every((coding) => /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(coding));
  const at = codings.indexOf('chunked');
  if (!known || (at !== -1 && at !== codings.length - 1)) return new Failure('framing-ambiguous');
  return new Failure('transfer-coding-unknown');
}
