import type { IncomingBody } from '../../core/body.ts';
import type { Failure } from '../../core/failure.ts';
import type { InformationalResponse } from '../../core/message.ts';
import type { Exchange, HttpRequest } from '../../core/request.ts';
import type { Admission, RequestInFlight } from '../../core/runner.ts';
import type { RequestHead } from './parse.ts';
import { informationalHead } from './write.ts';

/** How far the answer to a request is. */
export type ExchangeStage = 'handling' | 'responding' | 'done';

/** One request and its answer. The connection makes it, asks it, and lets go of it; the handler's request points to it. */
export class Http1Exchange implements Exchange, RequestInFlight {
  stage: ExchangeStage = 'handling';
  /** Why it was ended early. The handler may still answer, where there is somebody to hear it. */
  failure: Failure | null = null;
  readonly head: RequestHead;
  readonly body: IncomingBody | null;
  readonly sinceMs: number;
  /** The client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1). */
  expectsContinue: boolean;
  /** What the handler was given; `null` until then. */
  request: HttpRequest | null = null;
  /** The client lets the connection live on (RFC 9112 §9.3). */
  readonly keepAlive: boolean;
  /** And so do we: what the answer's head has said. */
  persist = false;
  /** Its leave to begin; `null` when it has none. */
  admission: Admission | null = null;
  /** The status that was answered; 0 before. */
  status = 0;
  private readonly connectionId: number;
  private readonly sequence: number;
  private readonly send: (text: string) => void;
  private controller: AbortController | null = null;
  private listeners: ((failure: Failure) => void)[] | null = null;

  constructor(
    head: RequestHead,
    body: IncomingBody | null,
    sinceMs: number,
    connectionId: number,
    sequence: number,
    send: (text: string) => void,
  ) {
    this.head = head;
    this.body = body;
    this.sinceMs = sinceMs;
    this.connectionId = connectionId;
    this.sequence = sequence;
    this.send = send;
    const { connection } = head.section;
    this.keepAlive = !connection.includes('close') && (head.minorVersion === 1 || connection.includes('keep-alive'));
    // RFC 9110 §10.1.1: a server may leave the 100 out when it has bytes of the body already.
    this.expectsContinue =
      body !== null && body.receivedBytes === 0 && head.section.expect !== null && head.minorVersion === 1;
  }

  get method(): string {
    return this.head.method;
  }

  get target(): string {
    return this.head.target;
  }

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

  inform(response: InformationalResponse): void {
    const head = informationalHead(response);
    if (this.stage !== 'handling' || this.failure !== null || this.head.minorVersion === 0) return;
    if (response.status === 100) this.expectsContinue = false;
    this.send(head);
  }

  requestId(): string {
    return `${this.connectionId.toString(36)}-${this.sequence.toString(36)}`;
  }
}
