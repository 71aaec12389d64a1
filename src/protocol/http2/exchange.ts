import type { IncomingBody } from '../../core/body.ts';
import { RunningExchange } from '../../core/exchange.ts';
import type { InformationalResponse } from '../../core/message.ts';
import type { RequestHead } from './request-head.ts';
import type { Http2Stream, StreamObserver } from './stream.ts';
import type { Http2Tunnel } from './tunnel.ts';

/** What an exchange asks of its connection. */
export interface ExchangeOwner {
  inform(exchange: Http2Exchange, response: InformationalResponse): void;
  /** Our side has ended while the client's has not. */
  answeredEarly(exchange: Http2Exchange): void;
  /** The stream is over: `code` is null when both sides have ended it, else why it was cut off, and by whom. */
  over(exchange: Http2Exchange, code: string | null, byPeer: boolean): void;
}

/** One request and its answer on a stream. */
export class Http2Exchange extends RunningExchange implements StreamObserver {
  readonly head: RequestHead;
  readonly stream: Http2Stream;
  /** What the stream has become when it was taken over: each of its sides ends by itself. */
  tunnel: Http2Tunnel | null = null;
  /** Its answer goes on for long, and has a grace of its own in a drain. */
  longLived = false;
  /** Its stream is gone, and its handler runs on. */
  orphaned = false;
  /** The client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1). */
  expectsContinue: boolean;
  private readonly connectionId: number;
  private readonly owner: ExchangeOwner;

  constructor(
    head: RequestHead,
    stream: Http2Stream,
    body: IncomingBody | null,
    sinceMs: number,
    connectionId: number,
    owner: ExchangeOwner,
  ) {
    super(body, sinceMs);
    this.head = head;
    this.stream = stream;
    this.connectionId = connectionId;
    this.owner = owner;
    this.expectsContinue = body !== null && head.section.expect?.toLowerCase() === '100-continue';
  }

  get method(): string {
    return this.head.method;
  }

  get target(): string {
    return this.head.target;
  }

  get upgrade(): string | null {
    return this.head.upgrade;
  }

  get activity(): 'in-flight' | 'stream' {
    return this.longLived ? 'stream' : 'in-flight';
  }

  get streamId(): number {
    return this.stream.id;
  }

  inform(response: InformationalResponse): void {
    if (this.stage !== 'handling' || this.failure !== null) return;
    if (response.status === 100) this.expectsContinue = false;
    this.owner.inform(this, response);
  }

  requestId(): string {
    return `${this.connectionId.toString(36)}-${this.stream.id.toString(36)}`;
  }

  onBodyWanted(): void {
    if (this.expectsContinue && this.body?.receivedBytes === 0) this.inform({ status: 100 });
  }

  onBodyUnwanted(): void {}

  onLocalEnd(): void {
    if (this.tunnel === null) this.owner.answeredEarly(this);
    else this.tunnel.sentEnd();
  }

  onReset(code: string, byPeer: boolean): void {
    this.owner.over(this, code, byPeer);
  }

  onEnd(): void {
    this.tunnel?.sentEnd();
    this.owner.over(this, null, false);
  }
}
