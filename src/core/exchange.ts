import { reportFailure } from './answer.ts';
import type { IncomingBody } from './body.ts';
import type { Failure } from './failure.ts';
import type { DrainNotice, InformationalResponse } from './message.ts';
import type { Exchange, HttpRequest } from './request.ts';
import type { Admission, RequestInFlight } from './runner.ts';

/** How far the answer to a request is. */
export type ExchangeStage = 'handling' | 'responding' | 'done';

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
