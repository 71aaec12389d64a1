import { IncomingBody } from '../../core/body.ts';
import type { OutgoingRequest } from '../../core/client.ts';
import type { HpackEncoder } from './hpack-encoder.ts';
import { CONTENT_LENGTH, SectionBlocks } from './section-block.ts';

/** Methods whose content a server expects: without any, they say so (RFC 9110 §8.6). */
const ANTICIPATES_CONTENT: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** Encodes the heads of requests on one connection, in the order in which they are written. */
export class RequestBlocks {
  private readonly encoder: HpackEncoder;
  private readonly sections: SectionBlocks;
  private readonly scheme: 'http' | 'https';

  constructor(encoder: HpackEncoder, scheme: 'http' | 'https') {
    this.encoder = encoder;
    this.sections = new SectionBlocks(encoder);
    this.scheme = scheme;
  }

  /** The head of a request (RFC 9113 §8.3.1). The length is always our own, never the client's. */
  head(request: OutgoingRequest): string {
    // We take trailers, and some servers of RPC want to be told (RFC 9113 §8.2.2).
    const start = this.encoder.encode([...this.pseudo(request), 'te', 'trailers']);
    const lengthBytes = contentLength(request);
    const length = lengthBytes === null ? '' : CONTENT_LENGTH.block(lengthBytes);
    const expect = awaitsContinue(request) ? this.encoder.encode(['expect', '100-continue']) : '';
    return start + length + expect + this.sections.section(request.headers);
  }

  private pseudo({ authority, method, target, upgrade }: OutgoingRequest): readonly string[] {
    const { scheme } = this;
    if (upgrade !== null) {
      // RFC 8441 §4
      const connect = [':method', 'CONNECT', ':protocol', upgrade];
      return [...connect, ':scheme', scheme, ':path', target, ':authority', authority];
    }
    if (method === 'CONNECT') return [':method', method, ':authority', target];
    return [':method', method, ':scheme', scheme, ':path', target, ':authority', authority];
  }
}

/** Whether the body is held back until the server asks for it: one that is all here is not worth the wait. */
export function awaitsContinue({ body, expectContinue }: OutgoingRequest): boolean {
  return expectContinue && body instanceof IncomingBody;
}

/** The stream is to be a tunnel when the server agrees: CONNECT, extended or not. */
export function wantsTunnel({ method, upgrade }: OutgoingRequest): boolean {
  return upgrade !== null || method === 'CONNECT';
}

function contentLength(request: OutgoingRequest): number | null {
  const { body, method } = request;
  if (wantsTunnel(request)) return null;
  if (body === null) return ANTICIPATES_CONTENT.has(method) ? 0 : null;
  return body instanceof IncomingBody ? body.lengthBytes : body.length;
}
