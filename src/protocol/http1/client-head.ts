import { IncomingBody } from '../../core/body.ts';
import type { OutgoingRequest } from '../../core/client.ts';

/** Methods whose content a server expects: without any, they say so (RFC 9110 §8.6). */
const ANTICIPATES_CONTENT: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** The head of a request with the empty line (RFC 9112 §3). The framing is always our own, never the client's. */
export function requestHead(request: OutgoingRequest): string {
  const { body, method } = request;
  const line = `${method} ${request.target} HTTP/1.1\r\nhost: ${request.authority}\r\n`;
  const head = line + request.headers.text;
  if (request.upgrade !== null) return `${head}connection: upgrade\r\nupgrade: ${request.upgrade}\r\n\r\n`;
  if (body === null) return ANTICIPATES_CONTENT.has(method) ? `${head}content-length: 0\r\n\r\n` : `${head}\r\n`;
  const lengthBytes = body instanceof IncomingBody ? body.lengthBytes : body.length;
  const framing = lengthBytes === null ? 'transfer-encoding: chunked\r\n' : `content-length: ${lengthBytes}\r\n`;
  return `${head}${framing}${request.expectContinue ? 'expect: 100-continue\r\n' : ''}\r\n`;
}
