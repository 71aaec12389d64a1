import type { BodyOwner } from '../../src/core/body.ts';
import { IncomingBody } from '../../src/core/body.ts';
import type { Failure } from '../../src/core/failure.ts';
import type { HeaderSource } from '../../src/core/headers.ts';
import { HeaderFields } from '../../src/core/headers.ts';
import type { InformationalResponse, Peer } from '../../src/core/message.ts';
import type { Exchange } from '../../src/core/request.ts';
import { HttpRequest, type Protocol } from '../../src/core/request.ts';

/** An exchange without a connection; it keeps what is asked of it. */
export class FakeExchange implements Exchange {
  readonly informed: InformationalResponse[] = [];
  failure: Failure | null = null;
  readonly upgrade: string | null;
  private controller: AbortController | null = null;
  private readonly listeners: ((failure: Failure) => void)[] = [];
  private readonly doneListeners: (() => void)[] = [];
  private over = false;
  private readonly body: IncomingBody | null;

  constructor(body: IncomingBody | null = null, upgrade: string | null = null) {
    this.upgrade = upgrade;
    this.body = body;
  }

  signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.failure !== null) this.controller.abort(this.failure);
    return this.controller.signal;
  }

  onAbort(listener: (failure: Failure) => void): void {
    this.listeners.push(listener);
  }

  abort(failure: Failure): void {
    if (this.failure !== null) return;
    this.failure = failure;
    this.controller?.abort(failure);
    this.body?.fail(failure);
    for (const listener of this.listeners) listener(failure);
  }

  onDone(listener: () => void): void {
    if (this.over) listener();
    else this.doneListeners.push(listener);
  }

  /** As an engine does when the answer has been sent, or the client has gone. */
  conclude(): void {
    if (this.over) return;
    this.over = true;
    for (const listener of this.doneListeners) listener();
  }

  inform(response: InformationalResponse): void {
    this.informed.push(response);
  }

  requestId(): string {
    return 'request-1';
  }
}

/** What a made request may be given; the rest is a plain GET. */
export interface RequestParts {
  readonly protocol?: Protocol;
  readonly authority?: string;
  readonly headers?: HeaderSource;
  readonly peer?: Partial<Peer>;
  /** A body that has arrived already, or one that a test pushes itself. */
  readonly body?: string | IncomingBody;
  readonly exchange?: FakeExchange;
}

const IDLE_OWNER: BodyOwner = { demand() {}, hold() {}, abandon() {} };

/** A body that has not arrived yet: push to it, then finish or fail it. */
export function arrivingBody(lengthBytes: number | null = null, maxBytes: number | null = null): IncomingBody {
  return new IncomingBody(IDLE_OWNER, lengthBytes, maxBytes);
}

/** A body that is all there. */
export function arrivedBody(text: string): IncomingBody {
  const bytes = Buffer.from(text);
  const body = arrivingBody(bytes.length);
  body.push(bytes);
  body.finish(null);
  return body;
}

/** A request as an engine makes it, without an engine. */
export function makeRequest(method: string, target: string, parts: RequestParts = {}): HttpRequest {
  const incoming = typeof parts.body === 'string' ? arrivedBody(parts.body) : (parts.body ?? null);
  return new HttpRequest(
    method,
    target,
    parts.authority ?? 'localhost:8080',
    parts.protocol ?? 'HTTP/1.1',
    HeaderFields.from(parts.headers),
    { address: '127.0.0.1', port: 50_000, secure: false, certificate: null, ...parts.peer },
    incoming,
    parts.exchange ?? new FakeExchange(incoming),
  );
}
