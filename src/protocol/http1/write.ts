import { STATUS_CODES } from 'node:http';
import type { BodyStream } from '../../core/body-source.ts';
import { HeaderFields } from '../../core/headers.ts';
import type { HttpResponse, InformationalResponse } from '../../core/message.ts';
import { checkInformational, responseContent } from '../../core/response-body.ts';

/** How a response body is delimited on the wire. `close`: by the end of the connection, for HTTP/1.0 clients. */
export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'whole'; readonly bytes: string | Uint8Array; readonly lengthBytes: number }
  | { readonly kind: 'length'; readonly source: BodyStream; readonly lengthBytes: number }
  | { readonly kind: 'chunked'; readonly source: BodyStream }
  | { readonly kind: 'close'; readonly source: BodyStream };

/** What the connection decides about a response. */
export interface ResponseContext {
  readonly method: string;
  readonly minorVersion: 0 | 1;
  /** The connection stays open after it. */
  readonly persist: boolean;
  readonly date: string;
}

const CONTENT_LENGTH: ReadonlySet<string> = new Set(['content-length']);
/** A switch of protocols has no body, and its `connection` is ours; its `upgrade` is the handler's. */
const NOT_IN_SWITCH: ReadonlySet<string> = new Set(['connection', 'content-length', 'transfer-encoding', 'keep-alive']);
/** 407 and 426 speak to the next hop: there `proxy-authenticate` and `upgrade` are the handler's to send. */
const NOT_TO_NEXT_HOP: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'transfer-encoding',
  'keep-alive',
]);

const STATUS_LINES: readonly string[] = Array.from(
  { length: 600 },
  (_, status) => `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`,
);

/** The status line (RFC 9112 §4); always HTTP/1.1, the highest version this server speaks (RFC 9110 §6.2). */
const statusLine = (status: number): string => STATUS_LINES[status] ?? `HTTP/1.1 ${status} Unknown\r\n`;

/** An informational response, whole (RFC 9110 §15.2); it has no framing. Throws `TypeError` when it is none. */
export function informationalHead(response: InformationalResponse): string {
  const { status } = response;
  checkInformational(status);
  return `${statusLine(status)}${HeaderFields.from(response.headers).endToEnd.without(CONTENT_LENGTH).text}\r\n`;
}

/** How the body of this response will be delimited (RFC 9112 §6). Throws `response-invalid` when that cannot be. */
export function bodyFraming(response: HttpResponse, fields: HeaderFields, context: ResponseContext): BodyFraming {
  const { method, minorVersion } = context;
  const content = responseContent(response, fields, method, minorVersion === 1);
  if (content.kind !== 'stream') return content;
  const { source, lengthBytes } = content;
  if (lengthBytes !== null) return { kind: 'length', source, lengthBytes };
  return minorVersion === 1 ? { kind: 'chunked', source } : { kind: 'close', source };
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
  const own = ownFields(status, fields);
  let head = statusLine(status) + own.text;
  if (!own.has('date')) head += `date: ${context.date}\r\n`;
  if (framing.kind === 'chunked') head += 'transfer-encoding: chunked\r\n';
  else if ((framing.kind === 'whole' || framing.kind === 'length') && !own.has('content-length')) {
    head += `content-length: ${framing.lengthBytes}\r\n`;
  }
  // An upgrade field is announced as what it is: one for this connection (RFC 9110 §7.8).
  if (status === 426) head += 'connection: upgrade\r\n';
  if (!context.persist || framing.kind === 'close') return `${head}connection: close\r\n\r\n`;
  return context.minorVersion === 0 ? `${head}connection: keep-alive\r\n\r\n` : `${head}\r\n`;
}

/** The handler's fields that may be sent with this status. */
function ownFields(status: number, fields: HeaderFields): HeaderFields {
  if (status === 407 || status === 426) return fields.without(NOT_TO_NEXT_HOP);
  return status === 204 ? fields.endToEnd.without(CONTENT_LENGTH) : fields.endToEnd;
}
