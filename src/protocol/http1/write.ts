import { STATUS_CODES } from 'node:http';
import { IncomingBody } from '../../core/body.ts';
import { Failure } from '../../core/failure.ts';
import type { HeaderFields } from '../../core/headers.ts';
import type { HttpResponse, ResponseBody } from '../../core/message.ts';

/** How a response body is delimited on the wire. `close`: by the end of the connection, for HTTP/1.0 clients. */
export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'whole'; readonly bytes: string | Uint8Array; readonly lengthBytes: number }
  | { readonly kind: 'length'; readonly source: BodyStream; readonly lengthBytes: number }
  | { readonly kind: 'chunked'; readonly source: BodyStream }
  | { readonly kind: 'close'; readonly source: BodyStream };

/** A body that comes in pieces. */
export type BodyStream = IncomingBody | AsyncIterable<Uint8Array | string>;

/** What the connection decides about a response. */
export interface ResponseContext {
  readonly method: string;
  readonly minorVersion: 0 | 1;
  /** The connection stays open after it. */
  readonly persist: boolean;
  readonly date: string;
}

/** No content, and no length to tell: 204, 304, and HEAD where the handler gave no body (RFC 9110 §8.6). */
const NONE: BodyFraming = { kind: 'none' };
const EMPTY: BodyFraming = { kind: 'whole', bytes: '', lengthBytes: 0 };
const CONTENT_LENGTH: ReadonlySet<string> = new Set(['content-length']);
/** A switch of protocols has no body, and its `connection` is ours; its `upgrade` is the handler's. */
const NOT_IN_SWITCH: ReadonlySet<string> = new Set(['connection', 'content-length', 'transfer-encoding', 'keep-alive']);

const STATUS_LINES: readonly string[] = Array.from(
  { length: 600 },
  (_, status) => `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`,
);

/** The status line (RFC 9112 §4); always HTTP/1.1, the highest version this server speaks (RFC 9110 §6.2). */
export const statusLine = (status: number): string => STATUS_LINES[status] ?? `HTTP/1.1 ${status} Unknown\r\n`;

/** How the body of this response will be delimited (RFC 9112 §6). Throws `response-invalid` when that cannot be. */
export function bodyFraming(response: HttpResponse, fields: HeaderFields, context: ResponseContext): BodyFraming {
  const { status } = response;
  const valid = status >= 200 ? status <= 599 : status === 101 && response.takeover !== undefined;
  if (!valid || !Number.isInteger(status)) {
    throw new Failure('response-invalid', `The status ${String(status)} is not one a handler can answer.`);
  }
  if (status === 101 || status === 204 || status === 304) return NONE;
  const body = wholeIfHere(response.body);
  if (body === null || body === undefined) return context.method === 'HEAD' ? NONE : EMPTY;
  const given = fields.get('content-length');
  if (typeof body === 'string' || body instanceof Uint8Array) {
    const lengthBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    if (given !== null && given !== String(lengthBytes)) {
      throw new Failure('response-invalid', `The content-length ${given} does not fit a body of ${lengthBytes} bytes.`);
    }
    return { kind: 'whole', bytes: body, lengthBytes };
  }
  if (given !== null) {
    if (!/^[0-9]{1,15}$/.test(given)) throw new Failure('response-invalid', 'The content-length is not a number.');
    return { kind: 'length', source: body, lengthBytes: Number(given) };
  }
  if (body instanceof IncomingBody && body.lengthBytes !== null) {
    return { kind: 'length', source: body, lengthBytes: body.lengthBytes };
  }
  return context.minorVersion === 1 ? { kind: 'chunked', source: body } : { kind: 'close', source: body };
}

/** An incoming body that has arrived whole is sent like any other bytes. */
function wholeIfHere(body: ResponseBody | null | undefined): ResponseBody | null | undefined {
  return body instanceof IncomingBody && body.complete && body.trailers === null ? (body.takeWhole() ?? body) : body;
}

/** The head of a response, with the empty line. `fields` are the handler's; framing and connection fields are ours. */
export function responseHead(
  response: HttpResponse,
  fields: HeaderFields,
  framing: BodyFraming,
  context: ResponseContext,
): string {
  const { status } = response;
  if (response.takeover !== undefined) {
    const own = fields.without(NOT_IN_SWITCH);
    const date = own.has('date') ? '' : `date: ${context.date}\r\n`;
    return `${statusLine(status)}${own.text}${date}${status === 101 ? 'connection: upgrade\r\n' : ''}\r\n`;
  }
  const own = status === 204 ? fields.endToEnd.without(CONTENT_LENGTH) : fields.endToEnd;
  let head = statusLine(status) + own.text;
  if (!own.has('date')) head += `date: ${context.date}\r\n`;
  if (framing.kind === 'chunked') head += 'transfer-encoding: chunked\r\n';
  else if ((framing.kind === 'whole' || framing.kind === 'length') && !own.has('content-length')) {
    head += `content-length: ${framing.lengthBytes}\r\n`;
  }
  if (!context.persist || framing.kind === 'close') return `${head}connection: close\r\n\r\n`;
  return context.minorVersion === 0 ? `${head}connection: keep-alive\r\n\r\n` : `${head}\r\n`;
}
