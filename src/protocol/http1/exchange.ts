import type { IncomingBody } from '../../core/body.ts';
import { RunningExchange } from '../../core/exchange.ts';
import { listTokens } from '../../core/headers.ts';
import type { InformationalResponse } from '../../core/message.ts';
import type { RequestHead } from './parse.ts';
import { informationalHead } from './write.ts';

/** One request and its answer on an HTTP/1.1 connection. */
export class Http1Exchange extends RunningExchange {
  readonly head: RequestHead;
  /** The client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1). */
  expectsContinue: boolean;
  /** The client lets the connection live on (RFC 9112 §9.3). */
  readonly keepAlive: boolean;
  /** The connection may carry no other request after it. */
  last = false;
  /** And so do we: what the answer's head has said. */
  persist = false;
  private readonly connectionId: number;
  private readonly sequence: number;
  private readonly send: (text: string) => void;

  constructor(
    head: RequestHead,
    body: IncomingBody | null,
    sinceMs: number,
    connectionId: number,
    sequence: number,
    send: (text: string) => void,
  ) {
    super(body, sinceMs);
    this.head = head;
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

  /** The first choice of `upgrade`; it means nothing without its connection option or in HTTP/1.0 (RFC 9110 §7.8). */
  get upgrade(): string | null {
    const { section, minorVersion } = this.head;
    if (minorVersion === 0 || !section.connection.includes('upgrade')) return null;
    return listTokens(section.fields.get('upgrade') ?? '')[0] ?? null;
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
