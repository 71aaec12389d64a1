import type { IncomingBody } from './body.ts';
import { Failure } from './failure.ts';
import { FetchRequestDefaults } from './fetch-request.ts';
import type { HeaderFields } from './headers.ts';
import type { InformationalResponse, Peer } from './message.ts';

/** How important a request is when not all can be served. */
export type RequestClass = 'low' | 'normal' | 'high';

export type Protocol = 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';

/** What an engine does for the request it has made. */
export interface Exchange {
  /** See `HttpRequest.upgrade`. */
  readonly upgrade: string | null;
  /** Aborts when the client has gone, on the request's timeout, and at the forced end of a drain. Made when first asked. */
  signal(): AbortSignal;
  /** Calls `listener` when the signal would abort, without making a signal. */
  onAbort(listener: (failure: Failure) => void): void;
  /** Ends the request early: the signal aborts and body reads reject with this failure. */
  abort(failure: Failure): void;
  /** Calls `listener` once the answer has been sent to its end, or never will be. */
  onDone(listener: () => void): void;
  /** Sends a 1xx response now; nothing to an HTTP/1.0 client. */
  inform(response: InformationalResponse): void;
  /** A name for this request that is unique in this process. */
  requestId(): string;
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({});
const NO_BYTES = new Uint8Array(0);

/**
 * One request. It has the members of a Fetch `Request` that programs use, each made only when touched.
 * `target` is in origin-form (`/path?query`), `*`, or `host:port` for CONNECT; absolute-form was taken apart already.
 */
export class HttpRequest extends FetchRequestDefaults {
  readonly method: string;
  readonly target: string;
  /** Host and port the client asked for: absolute-form, else the `host` header, else empty (HTTP/1.0). */
  readonly authority: string;
  readonly protocol: Protocol;
  readonly headers: HeaderFields;
  readonly peer: Peer;
  /** The body as it arrives, `null` when the request has none. For layers and proxies; handlers use `text()` and so on. */
  readonly incoming: IncomingBody | null;
  /** What a route pattern matched, decoded; `*` is the rest. Set by the router. */
  params: Readonly<Record<string, string>> = NO_PARAMS;
  /** How important it is to the limits that it comes to; `null`: none holds it up. `undefined`: as these say. */
  limitClass: RequestClass | null | undefined = undefined;
  /** The state its route was given. */
  state: unknown = undefined;
  private readonly exchange: Exchange;
  private givenId: string | null = null;
  private queryForm: URLSearchParams | null = null;
  private bodyForm: ReadableStream<Uint8Array<ArrayBuffer>> | null = null;

  constructor(
    method: string,
    target: string,
    authority: string,
    protocol: Protocol,
    headers: HeaderFields,
    peer: Peer,
    incoming: IncomingBody | null,
    exchange: Exchange,
  ) {
    super();
    this.method = method;
    this.target = target;
    this.authority = authority;
    this.protocol = protocol;
    this.headers = headers;
    this.peer = peer;
    this.incoming = incoming;
    this.exchange = exchange;
  }

  /** The path as received, still percent-encoded, without the query. */
  get path(): string {
    const mark = this.target.indexOf('?');
    return mark === -1 ? this.target : this.target.slice(0, mark);
  }

  get query(): URLSearchParams {
    if (this.queryForm === null) {
      const mark = this.target.indexOf('?');
      this.queryForm = new URLSearchParams(mark === -1 ? '' : this.target.slice(mark));
    }
    return this.queryForm;
  }

  /** The absolute URL, as Fetch has it. */
  get url(): string {
    const path = this.target.startsWith('/') ? this.target : '/';
    return `${this.peer.secure ? 'https' : 'http'}://${this.authority === '' ? 'localhost' : this.authority}${path}`;
  }

  /** Unique in this process, or what a layer has set. */
  get id(): string {
    this.givenId ??= this.exchange.requestId();
    return this.givenId;
  }

  set id(id: string) {
    this.givenId = id;
  }

  /**
   * The protocol that the client asks to switch to, in lower case; `null` when it does not. `upgrade` in HTTP/1.1
   * (RFC 9110 §7.8); `:protocol` of an extended CONNECT in HTTP/2 (RFC 8441), whose method then reads `GET`, so that
   * one handler serves both: it answers 101 with a `takeover`.
   */
  get upgrade(): string | null {
    return this.exchange.upgrade;
  }

  /** Aborts when the client has gone, on the request's timeout, and at the forced end of a drain. */
  get signal(): AbortSignal {
    return this.exchange.signal();
  }

  /** The cheap form of `signal`: `listener` is called at most once, when the signal would abort. */
  onAbort(listener: (failure: Failure) => void): void {
    this.exchange.onAbort(listener);
  }

  /** Ends the request early: the signal aborts, and body reads reject with this failure. */
  abort(failure: Failure): void {
    this.exchange.abort(failure);
  }

  /**
   * Calls `listener` once the request is over: the body of the answer has been sent to its end, or never will be; for a
   * connection that is taken over, when that happens. At once when it is over already. The handler may still be running.
   */
  onDone(listener: () => void): void {
    this.exchange.onDone(listener);
  }

  /** Sends an informational response, such as 103 Early Hints, before the answer. */
  inform(response: InformationalResponse): void {
    this.exchange.inform(response);
  }

  /** Fields after a chunked body; `null` until it has been read to its end. */
  get trailers(): HeaderFields | null {
    return this.incoming?.trailers ?? null;
  }

  get bodyUsed(): boolean {
    return this.incoming?.used ?? false;
  }

  get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    if (this.bodyForm === null && this.incoming !== null)
      this.bodyForm = ReadableStream.from(plainChunks(this.incoming));
    return this.bodyForm;
  }

  /** The body's chunks as they arrive. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.incoming !== null) yield* this.incoming;
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return plain(await this.received());
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return plain(await this.received()).buffer;
  }

  /** The body as UTF-8; a byte order mark is dropped. */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.received());
  }

  /** The body as UTF-8, as it arrives. */
  textStream(): ReadableStream<string> {
    return ReadableStream.from(decoded(this));
  }

  /** The body as JSON. Rejects with `body-invalid` (400) when it is not. */
  async json(): Promise<unknown> {
    const text = await this.text();
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new Failure('body-invalid', undefined, { cause: error });
    }
  }

  async blob(): Promise<Blob> {
    return new Blob([await this.bytes()], { type: this.headers.get('content-type') ?? '' });
  }

  /** A Fetch request for others to read; it and this one may both read the body, which is then read whole. */
  clone(): Request {
    const { method, headers, incoming, signal, duplex } = this;
    const body = incoming === null ? null : ReadableStream.from(wholeBody(incoming));
    return new Request(this.url, { method, headers: [...headers], body, signal, duplex });
  }

  /** A form as Fetch reads it. Rejects with `body-invalid` (400) when it is not one. */
  async formData(): Promise<FormData> {
    const bytes = await this.bytes();
    const headers = { 'content-type': this.headers.get('content-type') ?? '' };
    try {
      return await new Response(bytes, { headers }).formData();
    } catch (error) {
      throw new Failure('body-invalid', undefined, { cause: error });
    }
  }

  /** The whole body as the engine has it, in memory that others may share. */
  private received(): Promise<Uint8Array> {
    return this.incoming === null ? Promise.resolve(NO_BYTES) : this.incoming.whole();
  }
}

/** A copy that owns its memory: chunks share Node's pool, and Fetch hands out whole buffers. */
function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

async function* plainChunks(body: IncomingBody): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  for await (const chunk of body) yield plain(chunk);
}

async function* wholeBody(body: IncomingBody): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  yield plain(await body.whole());
}

async function* decoded(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  for await (const chunk of chunks) {
    const text = decoder.decode(chunk, { stream: true });
    if (text !== '') yield text;
  }
  const rest = decoder.decode();
  if (rest !== '') yield rest;
}
