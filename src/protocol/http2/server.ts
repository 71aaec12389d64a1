import type { Socket } from 'node:net';
import { passed, WriteStall } from '../../core/deadlines.ts';
import type { Failure } from '../../core/failure.ts';
import type {
  CloseReason,
  Connection,
  ConnectionRunner,
  ConnectionWork,
  RequestInFlight,
  WorkInFlight,
  WorkShare,
} from '../../core/runner.ts';
import { ConnectionError, ERROR, StreamError } from './error.ts';
import { goawayFrame, settingsFrame } from './frame.ts';
import { type Block, Inbound, type InboundOwner } from './inbound.ts';
import { type Http2Limits, type Http2Options, LINGER_MS, UNSENT_MAX_BYTES } from './options.ts';
import { RequestReader } from './request-head.ts';
import { Requests } from './requests.ts';
import { Session, type SessionOwner } from './session.ts';
import type { Http2Stream } from './stream.ts';

/** HTTP/2 (RFC 9113) on one plaintext or decrypted connection. */
export function http2Runner(limits: Http2Limits, options: Http2Options): ConnectionRunner {
  return {
    name: 'h2',
    run(connection) {
      connection.attend(new Http2ServerConnection(connection, limits, options));
    },
    refuse(socket) {
      socket.end(settingsFrame([]) + goawayFrame(0, ERROR.REFUSED_STREAM), 'latin1');
    },
  };
}

/** One connection: what comes in, its deadlines and its end. Its requests are a matter of their own. */
class Http2ServerConnection implements ConnectionWork, SessionOwner, InboundOwner {
  readonly isServer = true;
  nowMs: number;
  private readonly connection: Connection;
  private readonly socket: Socket;
  private readonly limits: Http2Limits;
  private readonly session: Session;
  private readonly inbound: Inbound;
  private readonly reader: RequestReader;
  private readonly requests: Requests;
  /** Since when there has been no stream. */
  private sinceMs: number;
  /** Why it will end, once its streams have. */
  private endReason: CloseReason = 'client-closed';
  private lingering = false;
  /** When a drain has begun; `null`: none has. */
  private drainedAtMs: number | null = null;
  private paused = false;
  private readonly stall = new WriteStall();

  constructor(connection: Connection, limits: Http2Limits, options: Http2Options) {
    this.connection = connection;
    this.socket = connection.socket;
    this.limits = limits;
    this.nowMs = connection.service.clock.now();
    this.sinceMs = this.nowMs;
    this.session = new Session(this.socket, this, options);
    this.inbound = new Inbound(this.session, this);
    this.reader = new RequestReader(options, limits);
    this.requests = new Requests(connection, this.session, limits);
    this.socket
      .on('data', (chunk: Buffer) => this.receive(chunk))
      .on('end', () => this.endOfInput())
      .on('drain', () => this.drained());
  }

  // ── in ────────────────────────────────────────────────────────────────────────────────────────────────────────

  private receive(chunk: Buffer): void {
    this.nowMs = this.connection.service.clock.now();
    if (this.lingering) return;
    this.inbound.take(chunk);
    // A peer that takes no answers asks no more.
    if (this.socket.writableLength <= UNSENT_MAX_BYTES || this.paused) return;
    this.paused = true;
    this.socket.pause();
  }

  private drained(): void {
    this.session.output.flush();
    if (!this.paused || this.socket.writableLength > UNSENT_MAX_BYTES) return;
    this.paused = false;
    this.socket.resume();
  }

  /** The client is gone: without its side of the connection nothing can go on (RFC 9113 §9.1). */
  private endOfInput(): void {
    this.session.cutAll('CANCEL');
    this.shutdown('client-closed');
  }

  onHeaders(block: Block, stream: Http2Stream | null, ignored: boolean): void {
    if (stream === null && !ignored) {
      this.session.observeId(block.streamId);
      if (this.endReason === 'drained-idle') this.endReason = 'drained-answered';
      this.requests.begin(block, this.reader.read(block));
      if (this.requests.count === this.limits.requestsPerConnectionMaxCount) this.leave('requests-exhausted');
      return;
    }
    if (stream === null || ignored) {
      this.reader.skip(block);
      return;
    }
    const trailers = this.reader.readTrailers(block);
    if (!block.endStream) throw new StreamError('PROTOCOL_ERROR', 'HEADERS in the middle of a body');
    this.session.endRemote(stream, trailers);
    this.requests.bodyEnded(block.streamId);
  }

  resetCount(streamId: number): number {
    return this.requests.resetCount(streamId);
  }

  onBodyEnd(streamId: number): void {
    this.requests.bodyEnded(streamId);
  }

  onReadEnd(): void {
    this.requests.readEnded();
    this.leaveInTime();
  }

  onSettings(): void {
    if (this.connection.activity === 'reading') this.connection.activity = 'idle';
  }

  onSettingsTaken(): void {
    this.reader.settingsTaken();
  }

  onGoaway(): void {
    this.endReason = 'client-closed';
  }

  onStreamGone(): void {
    if (this.session.streams.size > 0 || this.session.closed) return;
    this.sinceMs = this.nowMs;
    this.settle();
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Begins to leave: no stream is lost, whatever is under way. */
  private leave(reason: CloseReason): void {
    if (this.lingering || this.session.goodbye.stage !== 'none') return;
    this.endReason = reason;
    this.session.output.write(this.session.goodbye.announce(this.nowMs));
  }

  /**
   * Leaves a server that drains. A client that has just come is first let say what it came for: told to go, it would drop what
   * it has not sent yet.
   */
  private leaveInTime(): void {
    const { drainedAtMs, nowMs } = this;
    if (drainedAtMs === null) return;
    const waits = this.requests.count === 0 && !passed(drainedAtMs, this.connection.service.quietMs, nowMs);
    if (!waits) this.leave(this.endReason);
  }

  onGoodbyeRead(): void {
    const { session } = this;
    session.output.write(session.goodbye.conclude(session.lastPeerStreamId, ERROR.NO_ERROR));
    this.settle();
  }

  /** Closes when nothing more can come and nothing runs. */
  private settle(): void {
    const { session } = this;
    if (session.streams.size > 0 || session.goodbye.stage !== 'final') return;
    this.shutdown(this.endReason);
  }

  onFailed(error: ConnectionError): void {
    this.shutdown(error.code === 'ENHANCE_YOUR_CALM' ? 'enhance-your-calm' : 'protocol-error');
  }

  /** FIN after the last frame; reads on for a while, so that a reset does not overtake it. */
  private shutdown(reason: CloseReason): void {
    if (this.lingering) return;
    this.lingering = true;
    this.session.closed = true;
    this.sinceMs = this.nowMs;
    this.connection.reason ??= reason;
    this.session.output.flush();
    this.socket.end();
    this.socket.resume();
  }

  sweep(nowMs: number): void {
    this.nowMs = nowMs;
    // The linger begins when all has been taken: a slow reader is not cut off in the middle of it.
    if (this.lingering && !this.socket.writableFinished) this.sinceMs = nowMs;
    if (this.lingering && nowMs - this.sinceMs >= LINGER_MS) this.socket.destroy();
    else if (this.stall.stalled(this.connection, nowMs, this.limits.writeStallTimeoutMs))
      this.connection.reset('write-stall');
    else if (!this.lingering) this.sweepSession(nowMs);
  }

  private sweepSession(nowMs: number): void {
    const { session, inbound, limits } = this;
    try {
      if (passed(inbound.blockSinceMs ?? nowMs, limits.headTimeoutMs, nowMs)) {
        throw new ConnectionError('ENHANCE_YOUR_CALM', 'a header block took too long');
      }
      if (passed(session.shutSinceMs ?? nowMs, limits.writeStallTimeoutMs, nowMs)) {
        throw new ConnectionError('ENHANCE_YOUR_CALM', 'the window of the connection stays shut');
      }
      this.requests.sweep(nowMs);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      session.fail(error);
      return;
    }
    this.leaveInTime();
    // A request whose head is under way is taken, if the client has not said that it knows.
    if (session.goodbye.due(nowMs) && inbound.blockSinceMs === null) this.onGoodbyeRead();
    else if (session.streams.size > 0) return;
    else if (inbound.inPreface) {
      if (passed(this.sinceMs, limits.headTimeoutMs, nowMs)) this.shutdown('request-timeout');
    } else if (passed(this.sinceMs, limits.idleTimeoutMs, nowMs)) this.leave('idle-timeout');
  }

  drain(): void {
    this.nowMs = this.connection.service.clock.now();
    this.drainedAtMs = this.nowMs;
    const { goodbye, streams } = this.session;
    if (goodbye.stage === 'none') this.endReason = streams.size > 0 ? 'drained-answered' : 'drained-idle';
    this.leaveInTime();
    this.requests.drain();
  }

  abort(failure: Failure, share: WorkShare): void {
    this.requests.abort(failure, share);
  }

  cutOff(share: WorkShare): number | null {
    const { session } = this;
    if (share === 'all' && !this.lingering) {
      session.output.write(session.goodbye.conclude(session.lastPeerStreamId, ERROR.NO_ERROR));
    }
    const count = this.requests.cutOff(share);
    // Now: the socket may be destroyed next.
    if (!this.lingering) session.output.flush();
    return count;
  }

  underWay(share: WorkShare): readonly WorkInFlight[] {
    return this.requests.underWay(share);
  }

  closed(): void {
    this.session.cutAll('CANCEL');
  }

  inFlight(): readonly RequestInFlight[] {
    return this.requests.inFlight();
  }
}
