import type { Socket } from 'node:net';
import { type BodyOwner, IncomingBody } from '../../core/body.ts';
import { asBuffer } from '../../core/body-source.ts';
import type {
  ByteSource,
  ClientCloseReason,
  ClientConnection,
  ClientConnectionOwner,
  OutgoingRequest,
  ResponseObserver,
} from '../../core/client.ts';
import { Failure } from '../../core/failure.ts';
import { type HeaderFields, listTokens } from '../../core/headers.ts';
import type { Lifecycle } from '../../core/lifecycle.ts';
import { BodyReader } from './body.ts';
import { requestHead } from './client-head.ts';
import type { Http1ClientLimits } from './client-limits.ts';
import { SwitchedSocket } from './client-switch.ts';
import { Http1Upload } from './client-upload.ts';
import { responseFraming } from './framing.ts';
import { DISCARD_MAX_BYTES, READ_AHEAD_MAX_BYTES } from './options.ts';
import { parseResponse, type ResponseHead } from './parse.ts';
import type { Framing } from './section.ts';

/** A body up to this size leaves in one string with its head, which is cheaper than a gathered write. */
const COPIED_MAX_BYTES = 16_384;
/** In a chunk larger than this the end of the head is looked for before anything is decoded. */
const DECODED_MAX_BYTES = 4096;
/** The present wait began after the last sweep. No clock is read per request, so no deadline comes early. */
const SINCE_SWEEP = -1;
const ENDED_EARLY = new Failure('upstream-reset', 'It answered before it had the whole request.');

/**
 * One connection to a server, one request at a time (RFC 9112 §9.3). The socket is connected already.
 *
 * Every answer is read to its end or the connection is destroyed, so that an answer can never be taken for that of
 * the next request. Bytes nobody asked for destroy it at once.
 */
export class Http1ClientConnection implements ClientConnection, BodyOwner {
  readonly life: Lifecycle;
  reused = false;
  keepAliveMs: number | null = null;
  readonly memory: ByteSource;
  private readonly socket: Socket;
  private readonly owner: ClientConnectionOwner;
  private readonly limits: Http1ClientLimits & { readonly targetMaxBytes: number };
  /** Whose exchange this is; `null` while idle. */
  private observer: ResponseObserver | null = null;
  private method = '';
  private deadlineMs: number | null = null;
  /** The protocol that it asks to switch to. */
  private upgrade: string | null = null;
  /** It speaks HTTP no more; its socket belongs to who asked. */
  private switched = false;
  /** Work was begun for the first request when the connection was made. */
  private begun: boolean;
  /** The request body that has not been sent to its end; `null` once it has. */
  private upload: Http1Upload | null = null;
  /** A head that is not complete yet. */
  private carry = '';
  private answered = false;
  private responded = false;
  private persist = false;
  private reader: BodyReader | null = null;
  private body: IncomingBody | null = null;
  private paused = false;
  private sinceMs = SINCE_SWEEP;
  private socketError: Error | undefined;

  /** `begun`: a request is about to be sent, so a drain under way does not close the connection before it. */
  constructor(
    socket: Socket,
    source: ByteSource,
    parent: Lifecycle,
    owner: ClientConnectionOwner,
    limits: Http1ClientLimits,
    begun: boolean,
  ) {
    this.socket = socket;
    this.memory = source;
    this.owner = owner;
    this.limits = { ...limits, targetMaxBytes: 0 };
    this.begun = begun;
    source.receiver = (chunk) => this.receive(chunk);
    socket.on('drain', () => this.upload?.drained());
    socket.on('end', () => this.endOfInput());
    socket.on('error', (error) => {
      this.socketError = error;
    });
    socket.on('close', () => this.cutOff('peer-error'));
    this.life = parent.open({ onClose: (reason) => this.closed(reason) }, begun);
  }

  get availableCount(): number {
    const free = this.observer === null && this.body === null && !this.switched;
    return free && this.life.phase === 'accepting' ? 1 : 0;
  }

  send(request: OutgoingRequest, observer: ResponseObserver): void {
    if (this.begun) this.begun = false;
    else if (!this.life.begin()) {
      observer.onFail(new Failure('upstream-stale'));
      return;
    }
    const { body } = request;
    this.observer = observer;
    this.method = request.method;
    this.deadlineMs = request.deadlineMs;
    this.upgrade = request.upgrade;
    this.answered = false;
    this.responded = false;
    this.sinceMs = SINCE_SWEEP;
    const head = requestHead(request);
    if (body === null) {
      this.socket.write(head, 'latin1');
    } else if (body instanceof IncomingBody) {
      const trailers = (): HeaderFields | null => request.trailers();
      this.upload = new Http1Upload(this.socket, body, trailers, (failure) => this.uploaded(failure));
      if (request.expectContinue) this.socket.write(head, 'latin1');
      else this.upload.begin(head);
    } else if (body.length <= COPIED_MAX_BYTES) {
      this.socket.write(head + asBuffer(body).toString('latin1'), 'latin1');
    } else {
      this.socket.cork();
      this.socket.write(head, 'latin1');
      this.socket.write(body);
      this.socket.uncork();
    }
  }

  abort(observer: ResponseObserver, failure: Failure): void {
    if (this.observer !== observer) return;
    this.observer = null;
    this.upload?.stop(failure);
    this.body?.fail(failure);
    this.close('aborted');
  }

  close(reason: ClientCloseReason): void {
    this.life.close(reason);
  }

  sweep(nowMs: number): void {
    if (this.observer === null) return;
    if (this.deadlineMs !== null && nowMs >= this.deadlineMs) {
      this.fail(new Failure('upstream-deadline'), 'timeout');
      return;
    }
    // A reader that is slow may be so; an answer that nobody reads may not keep its connection for ever.
    const readerIsSlow = this.paused && this.body?.used === true;
    if (readerIsSlow || this.upload?.waitsForClient === true) this.sinceMs = SINCE_SWEEP;
    else if (this.sinceMs === SINCE_SWEEP) this.sinceMs = nowMs;
    else this.checkDeadline(nowMs - this.sinceMs);
  }

  private checkDeadline(waitedMs: number): void {
    const { continueTimeoutMs, headTimeoutMs, bodyTimeoutMs } = this.limits;
    if (this.upload?.state === 'held') {
      if (waitedMs >= continueTimeoutMs) this.releaseBody();
    } else if (this.responded) {
      if (bodyTimeoutMs !== null && waitedMs >= bodyTimeoutMs)
        this.fail(new Failure('upstream-body-timeout'), 'timeout');
    } else if (this.upload !== null) {
      if (bodyTimeoutMs !== null && waitedMs >= bodyTimeoutMs)
        this.fail(new Failure('upstream-head-timeout', 'It stopped taking the request.'), 'timeout');
    } else if (headTimeoutMs !== null && waitedMs >= headTimeoutMs) {
      this.fail(new Failure('upstream-head-timeout'), 'timeout');
    }
  }

  // ── the body of the answer, as its reader sees us ───────────────────────────────────────────────────────────────

  demand(): void {
    if (!this.paused) return;
    this.paused = false;
    this.socket.resume();
  }

  hold(): void {
    if (this.paused) return;
    this.paused = true;
    this.socket.pause();
  }

  abandon(): void {
    const restBytes = this.reader?.announcedBytes ?? null;
    // The little that is left costs less than a new connection.
    if (this.upload === null && this.persist && restBytes !== null && restBytes <= DISCARD_MAX_BYTES) this.demand();
    else this.close('aborted');
  }

  // ── the request's body ──────────────────────────────────────────────────────────────────────────────────────────

  private releaseBody(): void {
    if (this.upload?.state !== 'held') return;
    this.sinceMs = SINCE_SWEEP;
    this.upload.begin('');
  }

  private uploaded(failure: Failure | null): void {
    this.upload = null;
    this.sinceMs = SINCE_SWEEP;
    // A request that cannot be finished must not look finished: the server sees the connection end in its middle.
    if (failure !== null) this.fail(failure, 'aborted');
  }

  // ── bytes in ────────────────────────────────────────────────────────────────────────────────────────────────────

  private receive(chunk: Buffer): void {
    if (this.life.phase === 'closed') return;
    if (this.reader === null && this.observer === null) {
      this.close('unexpected-bytes');
      return;
    }
    try {
      if (this.reader !== null) this.takeBody(this.reader, chunk, 0);
      else this.takeHead(chunk);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const invalid = error.code === 'upstream-invalid';
      this.fail(invalid ? error : new Failure('upstream-invalid', undefined, { cause: error }), 'invalid-answer');
    }
  }

  private takeHead(chunk: Buffer): void {
    this.answered = true;
    for (let at = 0; at < chunk.length && this.observer !== null; ) {
      const carried = this.carry;
      const text = carried + chunk.toString('latin1', at, this.decodedEnd(chunk, at));
      const head = parseResponse(text, 0, this.limits);
      if (head === null) {
        this.carry = text;
        return;
      }
      this.carry = '';
      at += head.end - carried.length;
      if (this.switches(head)) {
        this.switchOver(head, chunk, at);
        return;
      }
      if (head.status >= 200) {
        this.respond(head, chunk, at);
        return;
      }
      this.inform(head);
    }
  }

  /** How much of a chunk must be text for its head to be read: not a whole body along with it. */
  private decodedEnd(chunk: Buffer, at: number): number {
    if (chunk.length - at <= DECODED_MAX_BYTES) return chunk.length;
    const blank = this.carry === '' ? chunk.indexOf('\r\n\r\n', at) : -1;
    return blank === -1 ? Math.min(chunk.length, at + this.limits.headMaxBytes + 1) : blank + 4;
  }

  /** Whether this answer ends HTTP on this connection (RFC 9110 §7.8, §9.3.6). */
  private switches({ status, section }: ResponseHead): boolean {
    if (this.method === 'CONNECT') return status >= 200 && status < 300;
    if (status !== 101 || this.upgrade === null) return false;
    return listTokens(section.fields.get('upgrade') ?? '').includes(this.upgrade);
  }

  private switchOver(head: ResponseHead, chunk: Buffer, at: number): void {
    const { observer } = this;
    this.observer = null;
    this.switched = true;
    const firstBytes = Buffer.from(chunk.subarray(at));
    const stream = new SwitchedSocket(this.socket, this.memory);
    observer?.onUpgrade(head.status, head.section.fields, stream, firstBytes);
  }

  private inform(head: ResponseHead): void {
    // To a protocol that we have not asked for: this would be somebody else's connection (RFC 9110 §15.2.2).
    if (head.status === 101) throw new Failure('upstream-invalid', 'It switched protocols unasked.');
    if (head.status === 100) this.releaseBody();
    else this.observer?.onInform(head.status, head.section.fields);
  }

  private respond(head: ResponseHead, chunk: Buffer, at: number): void {
    const { observer } = this;
    const { section, status } = head;
    const framing = responseFraming(status, section, head.minorVersion, this.method);
    if (observer === null) return;
    const protocol = head.minorVersion === 1 ? 'HTTP/1.1' : 'HTTP/1.0';
    this.keepAliveMs = section.keepAliveMs;
    this.persist = persists(head, framing);
    // RFC 9112 §9.5: a server that answers like this does not want the rest. Any other may be answering as it reads.
    if (this.upload !== null && (status >= 300 || !this.persist || this.upload.state === 'held'))
      this.upload.stop(ENDED_EARLY);
    const wholeBytes = framing.kind === 'none' ? 0 : framing.kind === 'length' ? framing.lengthBytes : null;
    if (wholeBytes !== null && wholeBytes <= chunk.length - at) {
      const end = at + wholeBytes;
      const body = wholeBytes === 0 ? null : this.memory.keep(chunk.subarray(at, end));
      this.finish(end === chunk.length);
      observer.onResponse(status, protocol, section.fields, body);
      return;
    }
    const body = new IncomingBody(this, wholeBytes, null);
    this.body = body;
    this.reader = new BodyReader(framing, body, this.limits.headMaxBytes);
    // What came with the head goes into the body first: a small chunked answer is whole when it is handed on.
    if (at < chunk.length) this.takeBody(this.reader, chunk, at);
    this.responded = this.body === body;
    observer.onResponse(status, protocol, section.fields, body);
  }

  private takeBody(reader: BodyReader, chunk: Buffer, at: number): void {
    this.sinceMs = SINCE_SWEEP;
    const end = reader.feed(chunk, at);
    if (reader.done) this.finish(end === chunk.length);
    else if (this.body?.used === false && this.body.heldBytes > READ_AHEAD_MAX_BYTES) this.hold();
  }

  private endOfInput(): void {
    if (this.switched) return;
    if (this.reader?.endOfInput() === true) this.finish(false);
    else this.cutOff('peer-closed');
  }

  // ── the end of an exchange ──────────────────────────────────────────────────────────────────────────────────────

  /** The answer is complete. `exact`: nothing came after it. */
  private finish(exact: boolean): void {
    const { upload } = this;
    this.observer = null;
    this.reader = null;
    this.body = null;
    if (this.paused) this.demand();
    if (upload === null && this.persist && exact) {
      this.reused = true;
      this.life.end();
      if (this.life.phase === 'accepting') this.owner.onFree(this);
      return;
    }
    upload?.stop(ENDED_EARLY);
    this.close(upload !== null ? 'answered-early' : this.persist ? 'unexpected-bytes' : 'keep-alive-off');
  }

  /** The peer has closed the connection, or it broke. */
  private cutOff(reason: 'peer-closed' | 'peer-error'): void {
    if (this.life.phase === 'closed') return;
    const cause = { cause: this.socketError };
    if (this.observer === null && this.body === null) this.close(reason);
    else if (this.answered) this.fail(new Failure('upstream-truncated', undefined, cause), reason);
    else this.fail(new Failure(this.reused ? 'upstream-stale' : 'upstream-reset', undefined, cause), reason);
  }

  private fail(failure: Failure, reason: ClientCloseReason): void {
    const { body, observer, responded } = this;
    this.observer = null;
    this.upload?.stop(failure);
    this.close(reason);
    body?.fail(failure);
    if (!responded) observer?.onFail(failure);
  }

  private closed(reason: string): void {
    // A FIN would not tell a server that nobody waits for its answer any more. Only TCP knows a reset.
    if (reason === 'aborted' && this.socket.remoteFamily !== undefined) this.socket.resetAndDestroy();
    else this.socket.destroy();
    const { body, observer, responded } = this;
    this.observer = null;
    this.reader = null;
    this.body = null;
    if (observer !== null) {
      const failure = new Failure('server-draining', 'The connection to the upstream was closed.');
      this.upload?.stop(failure);
      body?.fail(failure);
      if (!responded) observer.onFail(failure);
    }
    this.owner.onClose(this, reason);
  }
}

/** Whether the connection may carry another request after this answer (RFC 9112 §9.3). */
function persists(head: ResponseHead, framing: Framing): boolean {
  if (framing.kind === 'close') return false;
  const { connection } = head.section;
  return head.minorVersion === 1 ? !connection.includes('close') : connection.includes('keep-alive');
}
