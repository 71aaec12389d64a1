import type { HeaderSource } from '../core/headers.ts';
import { HeaderFields } from '../core/headers.ts';
import type { HttpResponse, ResponseBody } from '../core/message.ts';
import { PreparedReply } from '../core/message.ts';
import { eventsReply } from './events.ts';

/** What may be said about a reply besides its body. */
export interface ReplyOptions {
  /** 200 to 599. */
  readonly status?: number | undefined;
  /** A `content-type` among them replaces the usual one. */
  readonly headers?: HeaderSource | undefined;
}

/** A reply whose body is all there. */
export interface WholeReply extends HttpResponse {
  readonly body?: string | Uint8Array | null | undefined;
}

// One instance for all replies of a kind: its wire form is made once.
const TEXT = HeaderFields.from({ 'content-type': 'text/plain; charset=utf-8' });
const HTML = HeaderFields.from({ 'content-type': 'text/html; charset=utf-8' });
const JSON_TYPE = HeaderFields.from({ 'content-type': 'application/json' });
const BYTES = HeaderFields.from({ 'content-type': 'application/octet-stream' });

/** Statuses whose responses never have a body (RFC 9110 §6.4.1). */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** What a URI reference may not contain as it is (RFC 3986 §2); `%` is left alone, so nothing is escaped twice. */
const UNSAFE = /[^\x21-\x7e]|["<>\\^`{|}]/gu;

/**
 * Makes replies. A wrong status, and a header that could inject a line, throw `TypeError` at once.
 */
export const reply = {
  text: (body: string, options?: ReplyOptions): HttpResponse => made(body, TEXT, options),

  html: (body: string, options?: ReplyOptions): HttpResponse => made(body, HTML, options),

  /** Throws `TypeError` on what JSON cannot say: a function, `undefined`, a cycle, a bigint. */
  json(value: unknown, options?: ReplyOptions): HttpResponse {
    const body: string | undefined = JSON.stringify(value);
    if (body === undefined) throw new TypeError(`a ${typeof value} has no JSON form`);
    return made(body, JSON_TYPE, options);
  },

  bytes: (body: Uint8Array, options?: ReplyOptions): HttpResponse => made(body, BYTES, options),

  /** A body that comes in pieces; Node and web streams are such iterables. */
  stream: (body: AsyncIterable<Uint8Array | string>, options?: ReplyOptions): HttpResponse =>
    made(body, BYTES, options),

  /**
   * Server-sent events (WHATWG HTML §9.2): each item of the source is an event, with a heartbeat while there is none.
   * The source is stopped when the client leaves. `lastEventId(request)` tells where a client that comes again has been.
   */
  events: eventsReply,

  /**
   * Sends the client elsewhere. Characters that a URI may not contain are percent-encoded, a backslash among them,
   * which browsers would read as `/`; control characters throw. Whether the place is one to send people to is for
   * the caller to know.
   */
  redirect(location: string, status = 302, options?: Pick<ReplyOptions, 'headers'>): HttpResponse {
    if (!REDIRECTS.has(status)) throw new TypeError(`status ${status}: a redirect is 301, 302, 303, 307 or 308`);
    const headers = HeaderFields.from(options?.headers).with('location', encodeLocation(location));
    return { status, headers, body: null };
  },

  /** A reply without a body. */
  empty(status = 204, options?: Pick<ReplyOptions, 'headers'>): HttpResponse {
    return { status: checkStatus(status), headers: HeaderFields.from(options?.headers), body: null };
  },

  /**
   * A reply that never changes: checked once, frozen, and its wire form is kept. Give the same object every time.
   * Throws `TypeError` on a streamed body, trailers or a takeover, which can be used once only.
   */
  fixed(response: WholeReply): HttpResponse {
    const { status, body = null } = response;
    if (response.trailers !== undefined || response.takeover !== undefined)
      throw new TypeError('a fixed reply has neither trailers nor a takeover');
    if (body !== null && typeof body !== 'string' && !(body instanceof Uint8Array))
      throw new TypeError('the body of a fixed reply is a string, bytes or null');
    return Object.freeze({
      status: checkStatus(status, body),
      headers: HeaderFields.from(response.headers),
      // The caller may go on to use its bytes for something else.
      body: body instanceof Uint8Array ? new Uint8Array(body) : body,
      prepared: new PreparedReply(),
    });
  },
} as const;

function made(body: ResponseBody, usual: HeaderFields, options: ReplyOptions | undefined): HttpResponse {
  if (options === undefined) return { status: 200, headers: usual, body };
  return { status: checkStatus(options.status ?? 200, body), headers: typed(usual, options.headers), body };
}

function typed(usual: HeaderFields, given: HeaderSource | undefined): HeaderFields {
  if (given === undefined) return usual;
  const headers = HeaderFields.from(given);
  return headers.has('content-type') ? headers : headers.append('content-type', usual.get('content-type') ?? '');
}

function checkStatus(status: number, body: ResponseBody | null = null): number {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new TypeError(`status ${status}: must be a whole number from 200 to 599`);
  if (body !== null && BODILESS.has(status)) throw new TypeError(`status ${status}: such a reply has no body`);
  return status;
}

/** The location as it may stand in a header. Throws `TypeError` on control characters and when it is empty. */
function encodeLocation(location: string): string {
  if (/\p{Cc}/u.test(location)) throw new TypeError('the location has a control character');
  if (location === '') throw new TypeError('the location is empty');
  return location.toWellFormed().replace(UNSAFE, (character) => encodeURIComponent(character));
}
