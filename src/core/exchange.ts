import { failureResponse, reportFailure } from './answer.ts';
import type { IncomingBody } from './body.ts';
import { Failure } from './failure.ts';
import { type DrainNotice, discardBody, type HttpResponse, type InformationalResponse } from './message.ts';
import type { Exchange, HttpRequest } from './request.ts';
import type { Admission, RequestInFlight } from './runner.ts';

/** How far the answer to a request is. */
export type ExchangeStage = 'handling' | 'responding' | 'done';

/** Puts a response on the wire; throws, with nothing sent, when it cannot be sent. */
export interface ResponseSender<Exchange> {
  send(exchange: Exchange, response: HttpResponse): void;
}

/**
 * One request and its answer, as every engine has them: how far it is, and how it ends early. The connection makes it,
 * asks it, and lets go of it; the handler's request points to it.
 */
export abstract class RunningExchange implements Exchange, RequestInFlight {
  abstract readonly method: string;
  abstract readonly target: string;
  abstract readonly upgrade: string | null;
  stage: ExchangeStage = 'handling';
  /** Why it was ended early. The handler may still answer, where there is somebody to hear it. */
  failure: Failure | null = null;
  /** What the handler was given; `null` until then. */
  request: HttpRequest | null = null;
  /** Its leave to begin; `null` when it has none. */
  admission: Admission | null = null;
  /** The status that was answered; 0 before. */
  status = 0;
  /** Set by a long-lived response, which is told of a drain. */
  onDrain: ((drain: DrainNotice) => void) | null = null;
  readonly body: IncomingBody | null;
  readonly sinceMs: number;
  private controller: AbortController | null = null;
  private listeners: ((failure: Failure) => void)[] | null = null;
  private doneListeners: (() => void)[] | null = null;
  private over = false;

  constructor(body: IncomingBody | null, sinceMs: number) {
    this.body = body;
    this.sinceMs = sinceMs;
  }

  abstract inform(response: InformationalResponse): void;

  abstract requestId(): string;

  signal(): AbortSignal {
    if (this.controller === null) {
      this.controller = new AbortController();
      if (this.failure !== null) this.controller.abort(this.failure);
    }
    return this.controller.signal;
  }

  onAbort(listener: (failure: Failure) => void): void {
    if (this.failure !== null) {
      listener(this.failure);
      return;
    }
    this.listeners ??= [];
    this.listeners.push(listener);
  }

  abort(failure: Failure): void {
    if (this.failure !== null || this.stage === 'done') return;
    this.failure = failure;
    this.body?.fail(failure);
    this.controller?.abort(failure);
    const { listeners } = this;
    this.listeners = null;
    if (listeners !== null) for (const listener of listeners) listener(failure);
  }

  onDone(listener: () => void): void {
    if (this.over) {
      listener();
      return;
    }
    this.doneListeners ??= [];
    this.doneListeners.push(listener);
  }

  /** The request is over: gives its leave back, and tells who waits for it. Only the first call counts. */
  conclude(): void {
    if (this.over) return;
    this.over = true;
    this.admission?.end();
    const { doneListeners } = this;
    this.doneListeners = null;
    if (doneListeners !== null) for (const listener of doneListeners) listener();
  }

  /** Answers with this response, or with why it cannot be sent. */
  deliver(response: HttpResponse, engine: ResponseSender<this>): void {
    this.stage = 'responding';
    try {
      engine.send(this, response);
    } catch (error) {
      discardBody(response.body);
      const { request } = this;
      if (request === null) throw error;
      const invalid = error instanceof Failure ? error : new Failure('response-invalid', undefined, { cause: error });
      engine.send(this, failureResponse(invalid, request));
    }
  }

  /** Tells a long-lived response that its server drains; once. */
  tellDrain(graceMs: number): void {
    const { onDrain, request } = this;
    this.onDrain = null;
    try {
      onDrain?.({ graceMs });
    } catch (error) {
      if (request !== null) reportFailure(error, request);
    }
  }
}
