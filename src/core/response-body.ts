import { IncomingBody } from './body.ts';
import type { BodyStream } from './body-source.ts';
import { Failure } from './failure.ts';
import type { HeaderFields } from './headers.ts';
import { discardBody, type HttpResponse, type ResponseBody } from './message.ts';

/** What of a response's body goes on the wire. `lengthBytes` of a stream is `null` where only its end tells. */
export type ResponseContent =
  | { readonly kind: 'none' }
  | { readonly kind: 'whole'; readonly bytes: string | Uint8Array; readonly lengthBytes: number }
  | { readonly kind: 'stream'; readonly source: BodyStream; readonly lengthBytes: number | null };

/** No content, and no length to tell: 204, 304, and HEAD where the handler gave no body (RFC 9110 §8.6). */
const NONE: ResponseContent = { kind: 'none' };
const EMPTY: ResponseContent = { kind: 'whole', bytes: '', lengthBytes: 0 };

/** `switches`: a 101 may be sent here. Throws when this status cannot be an answer, with or without a takeover. */
function checkStatus({ status, takeover }: HttpResponse, method: string, switches: boolean): void {
  const tunnels = method === 'CONNECT' && status >= 200 && status <= 299;
  // The client would take any 2xx for the beginning of its tunnel (RFC 9110 §9.3.6), also from who knows none.
  if (tunnels && takeover === undefined) throw new Failure('method-unsupported');
  const valid = takeover === undefined ? status >= 200 && status <= 599 : tunnels || (status === 101 && switches);
  if (!valid || !Number.isInteger(status)) {
    throw new Failure('response-invalid', `The status ${String(status)} is not one that can be answered so.`);
  }
}

/** Throws `TypeError` when this is no informational status (RFC 9110 §15.2); 101 ends the exchange and is none here. */
export function checkInformational(status: number): void {
  if (!Number.isInteger(status) || status < 100 || status > 199 || status === 101) {
    throw new TypeError(`${status} is not an informational status (RFC 9110 §15.2)`);
  }
}

/**
 * What is sent of a response's body to a request with this method (RFC 9110 §6.4.1). `fields` are the handler's.
 * Throws `response-invalid` when it cannot be sent: while nothing is sent yet, that is still an answer.
 */
export function responseContent(
  response: HttpResponse,
  fields: HeaderFields,
  method: string,
  switches: boolean,
): ResponseContent {
  const { status } = response;
  checkStatus(response, method, switches);
  if (response.takeover !== undefined || status === 204) return NONE;
  const given = fields.get('content-length');
  if (given !== null && !/^[0-9]{1,15}$/.test(given)) {
    throw new Failure('response-invalid', 'The content-length is not a number.');
  }
  if (status === 304) return NONE;
  const body = wholeIfHere(response.body);
  if (status === 205) {
    // It has no content (RFC 9110 §15.3.6); what a stream would bring is not sent.
    const empty = typeof body === 'string' || body instanceof Uint8Array ? body.length === 0 : true;
    if (!empty) throw new Failure('response-invalid', 'A 205 has no content.');
    discardBody(body);
    return EMPTY;
  }
  if (body === null || body === undefined) {
    if (method === 'HEAD') return NONE;
    if (given !== null && Number(given) !== 0) {
      throw new Failure('response-invalid', `The content-length is ${given}, but there is no body.`);
    }
    return EMPTY;
  }
  if (typeof body === 'string' || body instanceof Uint8Array) {
    const lengthBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    if (given !== null && given !== String(lengthBytes)) {
      throw new Failure('response-invalid', `The content-length ${given} does not fit a body of ${lengthBytes} bytes.`);
    }
    return { kind: 'whole', bytes: body, lengthBytes };
  }
  if (given !== null) return { kind: 'stream', source: body, lengthBytes: Number(given) };
  return { kind: 'stream', source: body, lengthBytes: body instanceof IncomingBody ? body.lengthBytes : null };
}

/** An incoming body that has arrived whole is sent like any other bytes. Throws when it cannot be read. */
function wholeIfHere(body: ResponseBody | null | undefined): ResponseBody | null | undefined {
  if (!(body instanceof IncomingBody)) return body;
  if (body.failure !== null) throw body.failure;
  if (body.used) throw new Failure('response-invalid', 'Its body has been read already.');
  body.admit();
  return body.complete && body.trailers === null ? (body.takeWhole() ?? body) : body;
}
