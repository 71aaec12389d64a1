import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ReadMemory } from '../../core/body.ts';
import type {
  ByteSource,
  ClientCloseReason,
  ClientConnection,
  ClientConnectionOwner,
  OutgoingRequest,
  ResponseObserver,
} from '../../core/client.ts';
import type { Clock } from '../../core/clock.ts';
import { passed } from '../../core/deadlines.ts';
import { Failure } from '../../core/failure.ts';
import type { Lifecycle } from '../../core/lifecycle.ts';
import { ClientExchange, type ClientExchangeOwner } from './client-exchange.ts';
import type { Http2ClientLimits } from './client-limits.ts';
import { SharedMemory } from './client-memory.ts';
import { UpgradeQueue, unsupportedUpgrade } from './client-upgrade.ts';
import { ConnectionError, ERROR, StreamError } from './error.ts';
import { trailerFields } from './field-section.ts';
import { MAX_31_BIT, pingFrame } from './frame.ts';
import { type Block, Inbound, type InboundOwner } from './inbound.ts';
import { LINGER_MS, type SessionOptions } from './options.ts';
import { RequestBlocks } from './request-block.ts';
import { ResponseReader } from './response-head.ts';
import { Session, type SessionOwner } from './session.ts';
import type { Http2Stream } from './stream.ts';

/** How the connections to a server are. */
export interface Http2ClientSettings {
  readonly limits: Http2ClientLimits;
  readonly options: SessionOptions;
  readonly clock: Clock;
}

/** Streams that we open before the server has said how many it takes: it should take as many (RFC 9113 §6.5.2). */
const UNSAID_MAX_COUNT = 100;
const PROBE = 'anybody?';

/**
 * One connection to a server, many requests at once (RFC 9113). The socket is connected already, and nothing has been
 * read from it.
 */
export class Http2ClientConnection implements ClientConnection, SessionOwner, InboundOwner, ClientExchangeOwner {
  readonly isServer = false;
  readonly keepAliveMs = null;
  readonly life: Lifecycle;
  readonly session: Session;
  readonly limits: Http2ClientLimits;
  reused = false;
  nowMs: number;
  private readonly socket: Socket;
  private readonly source: ByteSource;
  private readonly memory: ReadMemory;
  private readonly owner: ClientConnectionOwner;
  private readonly clock: Clock;
  private readonly inbound: Inbound;
  private readonly reader: ResponseReader;
  private readonly blocks: RequestBlocks;
  private readonly exchanges = new Map<number, ClientExchange>();
  /** Their heads have come in the read that is being taken; the rest may be in it, too. */
  private arrived: ClientExchange[] = [];
  /** Their answers have ended before their requests; the server's word that it wants no more may be in this read, too. */
  private readonly answered: ClientExchange[] = [];
  private readonly upgrades = new UpgradeQueue();
  /** Work was begun for the first request when the connection was made. */
  private begun: boolean;
  private readCount = 0;
  /** Since when the server is asked whether it is still there; `null`: it is not. */
  private askedSinceMs: number | null = null;
  private closeReason: string | null = null;
  /** What the socket, or the server, has said of the end. */
  private cause: Error | undefined;

  /** `begun`: a request is about to be sent, so a drain under way does not close the connection before it. */
  constructor(
    socket: Socket,
    source: ByteSource,
    parent: Lifecycle,
    owner: ClientConnectionOwner,
    settings: Http2ClientSettings,
    begun: boolean,
  ) {
    const { clock, limits, options } = settings;
    this.socket = socket;
    this.source = source;
    this.memory = new SharedMemory(source);
    this.owner = owner;
    this.limits = limits;
    this.clock = clock;
    this.nowMs = clock.now();
    this.begun = begun;
    this.session = new Session(socket, this, options);
    this.inbound = new Inbound(this.session, this);
    this.reader = new ResponseReader(options, limits.headerMaxCount);
    this.blocks = new RequestBlocks(this.session.encoder, socket instanceof TLSSocket ? 'https' : 'http');
    source.receiver = (chunk) => this.receive(chunk);
    socket.on('drain', () => this.session.output.flush());
    socket.on('end', () => this.close('peer-closed'));
    socket.on('error', (error) => {
      this.cause ??= error;
    });
    socket.on('close', () => this.close('peer-error'));
    this.life = parent.open({ onClose: (reason) => this.closed(reason) }, begun);
  }

  get availableCount(): number {
    if (this.life.phase !== 'accepting' || this.askedSinceMs !== null) return 0;
    const maxCount = this.inbound.inPreface ? UNSAID_MAX_COUNT : this.session.peer.streamMaxCount;
    return Math.max(0, maxCount - this.session.streams.size - this.upgrades.count);
  }

  // ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  send(request: OutgoingRequest, observer: ResponseObserver): void {
    const may = this.begun ? this.life.phase !== 'closed' : this.life.phase === 'accepting' && this.life.begin();
    this.begun = false;
    if (!may) observer.onFail(new Failure('upstream-refused'));
    else if (request.upgrade !== null && this.inbound.inPreface) this.upgrades.push(request, observer);
    else this.begin(request, observer);
  }

  private begin(request: OutgoingRequest, observer: ResponseObserver): void {
    const { session } = this;
    if (request.upgrade !== null && !session.peer.connectProtocol) {
      this.life.end();
      observer.onFail(unsupportedUpgrade());
      return;
    }
    const id = session.lastOwnStreamId === 0 ? 1 : session.lastOwnStreamId + 2;
    session.lastOwnStreamId = id;
    const stream = session.open(id);
    stream.memory = this.memory;
    const exchange = new ClientExchange(stream, request, observer, this, this.reused, this.readCount);
    stream.observer = exchange;
    this.exchanges.set(id, exchange);
    // A server may turn down whatever it is asked, and do it badly; it is held against it only beyond that.
    session.guard.earn('resets', 1);
    session.guard.earn('faults', 1);
    exchange.send(this.blocks.head(request));
    // There is no identifier for another one (RFC 9113 §5.1.1).
    if (id === MAX_31_BIT) this.life.drain('keep-alive-off');
  }

  abort(observer: ResponseObserver, failure: Failure): void {
    if (this.upgrades.remove(observer)) {
      this.life.end();
      return;
    }
    for (const exchange of this.exchanges.values()) {
      if (!exchange.isOf(observer)) continue;
      exchange.abort(failure);
      return;
    }
  }

  // ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  private receive(chunk: Buffer): void {
    if (this.life.phase === 'closed') return;
    this.nowMs = this.clock.now();
    this.readCount += 1;
    const wasAsked = this.askedSinceMs !== null;
    this.askedSinceMs = null;
    this.inbound.take(chunk);
    if (wasAsked) this.free();
  }

  onHeaders(block: Block, stream: Http2Stream | null, ignored: boolean): void {
    const exchange = this.exchanges.get(block.streamId);
    if (stream === null || ignored || exchange === undefined) {
      this.reader.lines(block);
      return;
    }
    try {
      if (exchange.headed) this.takeTrailers(block, stream);
      else if (exchange.take(this.reader.read(block), block.endStream)) this.arrived.push(exchange);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      exchange.fail(new Failure('upstream-invalid', undefined, { cause: error }), error.code);
      this.session.guard.spend('faults', this.nowMs);
      return;
    }
    if (!block.endStream) return;
    if (!stream.remoteEnded) this.session.endRemote(stream, null);
    this.onBodyEnd(block.streamId);
  }

  private takeTrailers(block: Block, stream: Http2Stream): void {
    const lines = this.reader.lines(block);
    if (!block.endStream) throw new StreamError('PROTOCOL_ERROR', 'HEADERS in the middle of a body');
    this.session.endRemote(stream, trailerFields(lines));
  }

  /** Each request has earned one. */
  resetCount(): number {
    return 1;
  }

  onBodyEnd(streamId: number): void {
    const exchange = this.exchanges.get(streamId);
    if (exchange !== undefined) this.answered.push(exchange);
  }

  onReadEnd(): void {
    if (this.answered.length > 0) for (const exchange of this.answered.splice(0)) exchange.answerEnded();
    if (this.arrived.length === 0) return;
    const { arrived } = this;
    this.arrived = [];
    for (const exchange of arrived) exchange.deliver();
  }

  onSettings(): void {
    for (const { request, observer } of this.upgrades.takeAll()) this.begin(request, observer);
    this.free();
  }

  onSettingsTaken(): void {
    this.reader.settingsTaken();
  }

  /** What the server has not taken it will not take, and may be sent elsewhere (RFC 9113 §6.8). */
  onGoaway(lastStreamId: number, code: string): void {
    if (code !== 'NO_ERROR') this.cause ??= new Error(`the server went away (${code})`);
    this.life.drain('goaway');
    for (const stream of [...this.session.streams.values()]) {
      if (stream.id > lastStreamId) this.session.cut(stream, 'REFUSED_STREAM', true);
    }
  }

  onGoodbyeRead(): void {}

  onStreamGone(): void {}

  // ── the end of an exchange ──────────────────────────────────────────────────────────────────────────────────────

  over(exchange: ClientExchange): void {
    // The server may have reset it by then without knowing.
    this.session.guard.earn('resets', 1);
    this.exchanges.delete(exchange.stream.id);
    if (exchange.answered) this.reused = true;
    this.life.end();
    this.free();
  }

  failureOf(exchange: ClientExchange, code: string, byPeer: boolean): Failure {
    const { fault } = this.session;
    if (fault !== null) return new Failure('upstream-invalid', undefined, { cause: fault });
    const cause = { cause: this.cause ?? new Error(`the stream was reset (${code})`) };
    if (this.closeReason !== null) return this.lost(exchange, this.closeReason, cause);
    if (!byPeer) return new Failure('upstream-invalid', undefined, cause);
    if (exchange.answered) return new Failure('upstream-truncated', undefined, cause);
    return new Failure(code === 'REFUSED_STREAM' ? 'upstream-refused' : 'upstream-reset', undefined, cause);
  }

  /** Why an exchange fails whose connection is gone. */
  private lost(exchange: ClientExchange, reason: string, cause: ErrorOptions): Failure {
    if (reason !== 'peer-closed' && reason !== 'peer-error' && reason !== 'timeout') {
      return new Failure('server-draining', 'The connection to the upstream was closed.');
    }
    if (exchange.answered) return new Failure('upstream-truncated', undefined, cause);
    const stale = exchange.reused && exchange.readsBefore === this.readCount && reason !== 'timeout';
    return new Failure(stale ? 'upstream-stale' : 'upstream-reset', undefined, cause);
  }

  timedOut(): void {
    if (this.askedSinceMs !== null || this.life.phase === 'closed') return;
    this.askedSinceMs = this.nowMs;
    this.session.output.write(pingFrame(0, PROBE));
  }

  private free(): void {
    if (this.life.phase !== 'closed') this.owner.onFree(this);
  }

  // ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────

  sweep(nowMs: number): void {
    this.nowMs = nowMs;
    const { headTimeoutMs, pingTimeoutMs } = this.limits;
    if (passed(this.askedSinceMs ?? nowMs, pingTimeoutMs, nowMs)) this.close('timeout');
    else if (passed(this.inbound.blockSinceMs ?? nowMs, headTimeoutMs, nowMs)) {
      this.session.fail(new ConnectionError('ENHANCE_YOUR_CALM', 'a header block took too long'));
    } else {
      for (const exchange of [...this.exchanges.values()]) exchange.sweep(nowMs);
      if (this.upgrades.overdue(nowMs, headTimeoutMs)) this.refuseUpgrades(new Failure('upstream-head-timeout'));
    }
  }

  close(reason: ClientCloseReason): void {
    this.closeReason ??= reason;
    this.life.close(reason);
  }

  onFailed(): void {
    this.close('invalid-answer');
  }

  private closed(reason: string): void {
    const { session, socket } = this;
    this.closeReason ??= reason;
    this.source.receiver = null;
    const lost = session.streams.size > 0;
    session.output.write(session.goodbye.conclude(0, ERROR.NO_ERROR));
    session.cutAll('CANCEL');
    this.refuseUpgrades(new Failure('upstream-refused'));
    if (lost || socket.destroyed) socket.destroy();
    else {
      // The last word is to be heard, but not at any price.
      session.output.flush();
      socket.setTimeout(LINGER_MS, () => socket.destroy());
      socket.destroySoon();
    }
    this.owner.onClose(this, reason);
  }

  private refuseUpgrades(failure: Failure): void {
    for (const { observer } of this.upgrades.takeAll()) {
      this.life.end();
      observer.onFail(failure);
    }
  }
}
