import { IncomingBody } from '../../core/body.ts';
import type { OutgoingRequest, ResponseObserver } from '../../core/client.ts';
import { passed } from '../../core/deadlines.ts';
import { Failure } from '../../core/failure.ts';
import type { Http2ClientLimits } from './client-limits.ts';
import { type ErrorName, StreamError } from './error.ts';
import { sendWhole } from './outgoing.ts';
import { awaitsContinue, wantsTunnel } from './request-block.ts';
import type { ResponseHead } from './response-head.ts';
import type { Session } from './session.ts';
import type { Http2Stream, StreamObserver } from './stream.ts';
import { Http2Tunnel } from './tunnel.ts';

/** What an exchange asks of its connection. */
export interface ClientExchangeOwner {
  readonly session: Session;
  readonly limits: Http2ClientLimits;
  /** Its stream carries nothing any more. Called once, before the observer hears of the end. */
  over(exchange: ClientExchange): void;
  /** Why it fails when its stream is cut off. */
  failureOf(exchange: ClientExchange, code: string, byPeer: boolean): Failure;
  /** The server has kept it waiting too long. */
  timedOut(): void;
}

/** The present wait began after the last sweep. No clock is read per request, so no deadline comes early. */
const SINCE_SWEEP = -1;
const NO_BYTES = Buffer.alloc(0);

/** One request and its answer on a stream of ours. */
export class ClientExchange implements StreamObserver {
  readonly stream: Http2Stream;
  /** The connection had carried another one to its end before. */
  readonly reused: boolean;
  /** Reads of the connection before it was sent. */
  readonly readsBefore: number;
  /** Some head has come, if only an informational one. */
  answered = false;
  private readonly request: OutgoingRequest;
  private readonly owner: ClientExchangeOwner;
  private observer: ResponseObserver | null;
  /** The head of the final answer. */
  private head: ResponseHead | null = null;
  private delivered = false;
  private done = false;
  /** The body waits until the server asks for it. */
  private held: IncomingBody | null = null;
  private tunnel: Http2Tunnel | null = null;
  /** Why we give it up. */
  private failure: Failure | null = null;
  private sinceMs = SINCE_SWEEP;
  private movedBeforeBytes = 0;

  constructor(
    stream: Http2Stream,
    request: OutgoingRequest,
    observer: ResponseObserver,
    owner: ClientExchangeOwner,
    reused: boolean,
    readsBefore: number,
  ) {
    this.stream = stream;
    this.request = request;
    this.observer = observer;
    this.owner = owner;
    this.reused = reused;
    this.readsBefore = readsBefore;
    // Nothing but the head may come first (RFC 9113 §8.1).
    stream.expectNoBody();
  }

  isOf(observer: ResponseObserver): boolean {
    return this.observer === observer;
  }

  // ── the request ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** `block`: its encoded head. */
  send(block: string): void {
    const { request, stream } = this;
    const { session } = this.owner;
    const { body } = request;
    if (body !== null && !(body instanceof IncomingBody)) {
      sendWhole(session, stream, block, body, body.length);
      return;
    }
    session.writeHeaders(stream, block, body === null && !wantsTunnel(request));
    if (body === null) return;
    if (awaitsContinue(request)) this.held = body;
    else this.sendBody(body);
  }

  private sendBody(body: IncomingBody): void {
    const { request, stream } = this;
    stream
      .beginSending(
        body.lengthBytes,
        () => request.trailers(),
        (error) => this.uploaded(error),
      )
      .send(body);
  }

  private releaseBody(): void {
    const { held } = this;
    if (held === null) return;
    this.held = null;
    this.sinceMs = SINCE_SWEEP;
    this.sendBody(held);
  }

  private uploaded(error: Error | null): void {
    if (error === null || this.done) return;
    // A request that cannot be finished must not look finished: the server sees the stream reset in its middle.
    this.fail(error instanceof Failure ? error : new Failure('client-gone', undefined, { cause: error }));
  }

  // ── the answer ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** The head of the final answer has come. */
  get headed(): boolean {
    return this.head !== null;
  }

  /** Takes a head. Throws a StreamError. Returns whether the answer waits to be delivered. */
  take(head: ResponseHead, endStream: boolean): boolean {
    const { status, section } = head;
    this.answered = true;
    if (status < 200) {
      if (endStream) throw new StreamError('PROTOCOL_ERROR', 'an informational response ends the stream');
      if (status === 100) this.releaseBody();
      else this.observer?.onInform(status, section.fields);
      return false;
    }
    this.head = head;
    this.sinceMs = SINCE_SWEEP;
    // A body that was held is untouched: nobody has asked for it.
    this.held = null;
    if (wantsTunnel(this.request) && status < 300 && !endStream) {
      this.switchOver(head);
      return false;
    }
    if (status !== 204 && status !== 304 && this.request.method !== 'HEAD') {
      if (!endStream) this.stream.expectBody(section.lengthBytes, null, null);
      else if (section.lengthBytes !== null && section.lengthBytes > 0) {
        throw new StreamError('PROTOCOL_ERROR', 'the body does not fit its content-length');
      }
    }
    return true;
  }

  private switchOver({ status, section }: ResponseHead): void {
    const { observer, stream } = this;
    this.delivered = true;
    stream.expectBody(null, null, null);
    const tunnel = new Http2Tunnel(stream, (code) => this.owner.session.reset(stream, code));
    this.tunnel = tunnel;
    observer?.onUpgrade(status, section.fields, tunnel, NO_BYTES);
  }

  /** Hands the answer on: its body as bytes when all of it is here. */
  deliver(): void {
    const { head, observer, stream } = this;
    if (this.delivered || head === null) return;
    this.delivered = true;
    observer?.onResponse(head.status, 'HTTP/2', head.section.fields, received(stream.body));
  }

  /** The server's side has ended. What is left of ours is of no use to it. */
  answerEnded(): void {
    if (this.done || this.tunnel !== null) return;
    if (this.head === null) this.fail(new Failure('upstream-invalid', 'It ended without a head.'), 'PROTOCOL_ERROR');
    else this.owner.session.reset(this.stream, 'NO_ERROR');
  }

  // ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Nobody wants it any more, and nobody is told. */
  abort(failure: Failure): void {
    this.observer = null;
    this.fail(failure);
  }

  fail(failure: Failure, code: ErrorName = 'CANCEL'): void {
    this.failure ??= failure;
    this.owner.session.reset(this.stream, code);
  }

  onBodyWanted(): void {}

  onBodyUnwanted(): void {
    this.owner.session.reset(this.stream, 'CANCEL');
  }

  onLocalEnd(): void {
    this.sinceMs = SINCE_SWEEP;
    this.tunnel?.sentEnd();
  }

  onEnd(): void {
    this.tunnel?.sentEnd();
    if (this.head === null) this.finish(new Failure('upstream-invalid', 'It ended without a head.'));
    else this.finish(null);
  }

  onReset(code: string, byPeer: boolean): void {
    // Node's servers put RST_STREAM NO_ERROR in the place of an END_STREAM that had to wait for a window.
    if (byPeer && code === 'NO_ERROR' && !this.stream.remoteEnded && this.stream.lengthReached) {
      this.stream.endRemote(null);
    }
    // An answer that is complete stays so, whatever becomes of the request (RFC 9113 §8.1).
    const complete = this.stream.remoteEnded && this.head !== null && this.tunnel === null;
    if (complete && this.failure === null) this.finish(null);
    else this.finish(this.failure ?? this.owner.failureOf(this, code, byPeer));
  }

  private finish(failure: Failure | null): void {
    if (this.done) return;
    this.done = true;
    this.owner.over(this);
    if (failure === null) {
      this.deliver();
      return;
    }
    this.tunnel?.cut();
    this.stream.body?.fail(failure);
    if (!this.delivered) {
      this.delivered = true;
      this.observer?.onFail(failure);
    }
  }

  // ── deadlines ───────────────────────────────────────────────────────────────────────────────────────────────────

  sweep(nowMs: number): void {
    if (this.done) return;
    const { deadlineMs } = this.request;
    if (deadlineMs !== null && nowMs >= deadlineMs && this.tunnel === null) {
      this.fail(new Failure('upstream-deadline'));
      return;
    }
    const { movedBytes } = this;
    if (this.waitsForUs || movedBytes !== this.movedBeforeBytes) {
      this.movedBeforeBytes = movedBytes;
      this.sinceMs = SINCE_SWEEP;
    } else if (this.sinceMs === SINCE_SWEEP) this.sinceMs = nowMs;
    else this.checkDeadline(nowMs);
  }

  /** What has come, and what the server has let go; of a tunnel only that, since it may answer for long and take nothing. */
  private get movedBytes(): number {
    const { body, sender } = this.stream;
    return (this.tunnel === null ? (body?.receivedBytes ?? 0) : 0) + (sender?.emittedBytes ?? 0);
  }

  /** Who is slow on our side may be so; an answer that nobody reads may not keep its stream for ever. */
  private get waitsForUs(): boolean {
    const { body, held, sender } = this.stream;
    const nothingToSend = sender === null || sender.queuedBytes === 0;
    // Nothing is ever due in a tunnel, but what is sent through it has to be taken.
    if (this.tunnel !== null) return nothingToSend;
    return (body?.used === true && held) || (this.sending && nothingToSend);
  }

  private get sending(): boolean {
    return this.stream.sender !== null && !this.stream.localEnded;
  }

  private checkDeadline(nowMs: number): void {
    const { sinceMs } = this;
    const { bodyTimeoutMs, continueTimeoutMs, headTimeoutMs } = this.owner.limits;
    if (this.held !== null) {
      if (passed(sinceMs, continueTimeoutMs, nowMs)) this.releaseBody();
    } else if (this.head !== null) {
      if (passed(sinceMs, bodyTimeoutMs, nowMs)) this.timeOut(new Failure('upstream-body-timeout'));
    } else if (this.sending) {
      if (passed(sinceMs, bodyTimeoutMs, nowMs)) {
        this.timeOut(new Failure('upstream-head-timeout', 'It stopped taking the request.'));
      }
    } else if (passed(sinceMs, headTimeoutMs, nowMs)) this.timeOut(new Failure('upstream-head-timeout'));
  }

  private timeOut(failure: Failure): void {
    this.fail(failure);
    this.owner.timedOut();
  }
}

function received(body: IncomingBody | null): Uint8Array | IncomingBody | null {
  if (body === null || !body.complete || body.trailers !== null) return body;
  const bytes = body.takeWhole();
  return bytes?.length === 0 ? null : bytes;
}
