import type { Socket } from 'node:net';
import type { HeaderFields } from '../../core/headers.ts';
import { ConnectionError, ERROR, type ErrorName, StreamError } from './error.ts';
import { headersFrames, MAX_31_BIT, PREFACE, rstStreamFrame, SETTINGS_ACK, windowUpdateFrame } from './frame.ts';
import { Goodbye } from './goodbye.ts';
import { Guard } from './guard.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { IdGaps } from './id-gaps.ts';
import { type SessionOptions, WINDOW_START_BYTES } from './options.ts';
import { Output } from './output.ts';
import { type Priority, parsePriority, Scheduler } from './priority.ts';
import { lowerPairs } from './section-block.ts';
import { Sender } from './sender.ts';
import { firstSettings, PeerSettings } from './settings.ts';
import { Http2Stream, type StreamOwner, type TrailersSource } from './stream.ts';
import { ReceiveWindow } from './window.ts';

/** Whose connection it is. */
export interface SessionOwner {
  readonly isServer: boolean;
  /** The clock, as read when the last bytes came. */
  readonly nowMs: number;
  onStreamGone(stream: Http2Stream): void;
  /** The peer broke a rule of the connection: GOAWAY is written, and every stream is cut. */
  onFailed(error: ConnectionError): void;
}

/**
 * Streams that were reset and are still known, besides two for each that may be open: what was under way to them is not
 * held against the peer.
 */
const REMEMBERED_RESET_COUNT = 256;
/** A server may let us open any number; so many of them are reckoned with. */
const OWN_STREAM_MAX_COUNT = 4096;
/** DATA frames are not made larger than this, so that streams take turns. */
const DATA_MAX_BYTES = 16_384;
/** A DATA frame smaller than this, cut so by the peer's window, is a crumb. */
const CRUMB_BYTES = 256;
/** So much DATA explains one more: windows of a download end where they end, now and then just short of a frame. */
const BYTES_PER_CRUMB = 8192;
/** WINDOW_UPDATE frames that one DATA frame explains. */
const UPDATES_PER_DATA = 4;

/** The state of one HTTP/2 connection, whichever side it is: its streams, its windows, and whose turn it is to send. */
export class Session implements StreamOwner {
  closed = false;
  readonly isServer: boolean;
  readonly options: SessionOptions;
  readonly streams = new Map<number, Http2Stream>();
  readonly peer = new PeerSettings();
  readonly encoder = new HpackEncoder();
  readonly output: Output;
  readonly goodbye = new Goodbye();
  readonly guard = new Guard();
  /** Body bytes of all streams that the peer may send. */
  readonly window: ReceiveWindow;
  /** The last streams that either side has opened; 0 before the first. */
  lastPeerStreamId = 0;
  lastOwnStreamId = 0;
  readonly gaps = new IdGaps();
  /** The rule that the peer has broken, when it was that which has ended the connection. */
  fault: ConnectionError | null = null;
  /** Since when bytes have waited for the connection's window; `null`: none do. */
  shutSinceMs: number | null = null;
  private sendWindowBytes = WINDOW_START_BYTES;
  private settingsAcknowledged = false;
  private readonly owner: SessionOwner;
  private readonly scheduler = new Scheduler<Http2Stream>();
  /** Streams that were reset: what the peer may still send on one that we have reset, or that it was the peer's doing. */
  private readonly resets = new Map<number, ReceiveWindow | 'by-peer'>();
  /** Priorities that came before their streams. */
  private readonly priorities = new Map<number, Priority>();

  constructor(socket: Socket, owner: SessionOwner, options: SessionOptions) {
    this.owner = owner;
    this.isServer = owner.isServer;
    this.options = options;
    this.output = new Output(socket, () => this.pump());
    this.window = new ReceiveWindow(options.connectionWindowBytes, options.windowRefillThresholdBytes);
    this.output.write((owner.isServer ? '' : PREFACE) + firstSettings(options, owner.isServer));
  }

  get nowMs(): number {
    return this.owner.nowMs;
  }

  // ── streams ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** A stream begins, of the peer's or of ours. */
  open(id: number): Http2Stream {
    const { streamWindowBytes, streamWindowMaxBytes, windowRefillThresholdBytes } = this.options;
    const window = new ReceiveWindow(streamWindowBytes, windowRefillThresholdBytes, streamWindowMaxBytes);
    // Until our SETTINGS are acknowledged the peer may send by the start value (RFC 9113 §6.9.2).
    if (!this.settingsAcknowledged && streamWindowBytes < WINDOW_START_BYTES) {
      window.adjust(WINDOW_START_BYTES - streamWindowBytes);
    }
    const stream = new Http2Stream(id, this, this.peer.streamWindowBytes, window);
    this.streams.set(id, stream);
    return stream;
  }

  /** The peer has opened a stream, taken or not. */
  observeId(id: number): void {
    this.gaps.observe(this.lastPeerStreamId, id);
    this.lastPeerStreamId = id;
  }

  /** A stream that nobody has opened yet. */
  isIdle(id: number): boolean {
    const ofPeer = ((id & 1) === 1) === this.isServer;
    return id > (ofPeer ? this.lastPeerStreamId : this.lastOwnStreamId);
  }

  /** Who has reset a stream that is gone; `null` when it ended as it should, or too long ago. */
  resetBy(id: number): 'by-us' | 'by-peer' | null {
    const by = this.resets.get(id) ?? null;
    return by instanceof ReceiveWindow ? 'by-us' : by;
  }

  /**
   * DATA has come on a stream that we have reset: it may have been under way, as far as the stream's window let it go.
   * `false`: it is more (RFC 9113 §5.1).
   */
  takeLate(id: number, bytes: number): boolean {
    const window = this.resets.get(id);
    return !(window instanceof ReceiveWindow) || window.take(bytes);
  }

  /** Ends a stream early. */
  reset(stream: Http2Stream, code: ErrorName): void {
    if (this.streams.get(stream.id) !== stream) return;
    this.output.write(rstStreamFrame(stream.id, ERROR[code]));
    this.remember(stream.id, stream.window);
    this.cut(stream, code, false);
  }

  /** Ends a stream that was never opened. */
  refuse(id: number, code: ErrorName): void {
    this.output.write(rstStreamFrame(id, ERROR[code]));
    if (this.resetBy(id) !== 'by-us') this.remember(id, this.startWindow());
  }

  /** What the peer may send at most on a stream of which it has heard nothing yet. */
  private startWindow(): ReceiveWindow {
    return new ReceiveWindow(Math.max(this.options.streamWindowBytes, WINDOW_START_BYTES), 1);
  }

  /** A stream is gone early, and the peer knows. */
  cut(stream: Http2Stream, code: string, byPeer: boolean): void {
    if (byPeer) this.remember(stream.id, 'by-peer');
    this.remove(stream);
    stream.reset(code, byPeer);
    this.owner.onStreamGone(stream);
  }

  /** The peer's side of a stream ends. Throws a StreamError when it may not. */
  endRemote(stream: Http2Stream, trailers: HeaderFields | null): void {
    stream.endRemote(trailers);
    if (stream.localEnded && !stream.cut) this.finish(stream);
  }

  localEnded(stream: Http2Stream): void {
    if (stream.remoteEnded) this.finish(stream);
    else stream.observer.onLocalEnd();
  }

  private finish(stream: Http2Stream): void {
    if (!this.remove(stream)) return;
    stream.observer.onEnd();
    this.owner.onStreamGone(stream);
  }

  private remove(stream: Http2Stream): boolean {
    this.scheduler.remove(stream);
    if (this.scheduler.empty) this.shutSinceMs = null;
    return this.streams.delete(stream.id);
  }

  /** Streams that may be open at once: the peer's on a server, ours on a client, as many as its server lets us open. */
  private get streamMaxCount(): number {
    const { streamMaxCount } = this.options;
    return this.isServer
      ? streamMaxCount
      : Math.max(streamMaxCount, Math.min(this.peer.streamMaxCount, OWN_STREAM_MAX_COUNT));
  }

  private remember(id: number, by: ReceiveWindow | 'by-peer'): void {
    this.resets.set(id, by);
    if (this.resets.size <= REMEMBERED_RESET_COUNT + 2 * this.streamMaxCount) return;
    for (const oldest of this.resets.keys()) {
      this.resets.delete(oldest);
      return;
    }
  }

  // ── priorities (RFC 9218) ─────────────────────────────────────────────────────────────────────────────────────

  /** How urgent a stream is: by its `priority` field, unless PRIORITY_UPDATE has said otherwise before. */
  startPriority(stream: Http2Stream, field: string | null): void {
    const update = this.priorities.get(stream.id);
    this.priorities.delete(stream.id);
    if (update !== undefined) stream.priority = update;
    else if (field !== null) stream.priority = parsePriority(field);
  }

  /** PRIORITY_UPDATE: of a stream that runs, or of one that is still to come. */
  reprioritize(id: number, value: string): void {
    const stream = this.streams.get(id);
    if (stream !== undefined) {
      this.scheduler.move(stream, () => {
        stream.priority = parsePriority(value);
      });
    } else if (this.isIdle(id)) this.expect(id, value);
  }

  /** Remembers a priority for a stream that is to come; for as many as may be open. */
  private expect(id: number, value: string): void {
    const { priorities } = this;
    const maxCount = this.options.streamMaxCount;
    // Some may have been passed over, and will never come.
    if (priorities.size >= maxCount)
      for (const known of priorities.keys()) if (!this.isIdle(known)) priorities.delete(known);
    if (priorities.size < maxCount) priorities.set(id, parsePriority(value));
  }

  // ── what the peer has said ────────────────────────────────────────────────────────────────────────────────────

  /** Takes SETTINGS and acknowledges them. Throws a ConnectionError. */
  takeSettings(bytes: Buffer, start: number, end: number): void {
    const { peer } = this;
    const windowBefore = peer.streamWindowBytes;
    const tableBefore = peer.headerTableBytes;
    peer.apply(bytes, start, end, !this.isServer);
    if (peer.headerTableBytes !== tableBefore) this.encoder.setTableMaxBytes(peer.headerTableBytes);
    const deltaBytes = peer.streamWindowBytes - windowBefore;
    if (deltaBytes !== 0) {
      for (const stream of this.streams.values()) {
        if (!stream.widen(deltaBytes)) throw new ConnectionError('FLOW_CONTROL_ERROR', 'a window is too large');
      }
    }
    this.output.write(SETTINGS_ACK);
  }

  /**
   * The peer has taken our SETTINGS: a stream window of ours that is smaller than the start value begins here. `false`:
   * it had done so before.
   */
  settingsTaken(): boolean {
    if (this.settingsAcknowledged) return false;
    this.settingsAcknowledged = true;
    const lessBytes = WINDOW_START_BYTES - this.options.streamWindowBytes;
    if (lessBytes > 0) for (const stream of this.streams.values()) stream.window.adjust(-lessBytes);
    return true;
  }

  /** WINDOW_UPDATE (RFC 9113 §6.9). Throws a ConnectionError or a StreamError. */
  takeWindowUpdate(id: number, incrementBytes: number): void {
    if (id === 0) {
      if (incrementBytes === 0) throw new ConnectionError('PROTOCOL_ERROR', 'an increment of 0');
      this.sendWindowBytes += incrementBytes;
      this.shutSinceMs = null;
      if (this.sendWindowBytes > MAX_31_BIT) throw new ConnectionError('FLOW_CONTROL_ERROR', 'the window is too large');
      return;
    }
    if (id > this.goodbye.lastStreamId) return;
    if (this.isIdle(id)) throw new ConnectionError('PROTOCOL_ERROR', 'WINDOW_UPDATE on an idle stream');
    if (incrementBytes === 0) throw new StreamError('PROTOCOL_ERROR', 'an increment of 0');
    const stream = this.streams.get(id);
    if (stream?.widen(incrementBytes) === false) throw new StreamError('FLOW_CONTROL_ERROR', 'the window is too large');
  }

  // ── out ───────────────────────────────────────────────────────────────────────────────────────────────────────

  openWindow(streamId: number, incrementBytes: number): void {
    this.output.write(windowUpdateFrame(streamId, incrementBytes));
  }

  /** HEADERS; `block` is encoded already, in the order in which blocks are written. */
  writeHeaders(stream: Http2Stream, block: string, endStream: boolean): void {
    this.output.write(headersFrames(stream.id, block, endStream, this.peer.frameMaxBytes));
    if (endStream) stream.sentEnd();
  }

  writeTrailers(stream: Http2Stream, trailers: HeaderFields): void {
    const block = this.encoder.encode(lowerPairs(trailers));
    this.output.write(headersFrames(stream.id, block, true, this.peer.frameMaxBytes));
  }

  newSender(
    stream: Http2Stream,
    lengthBytes: number | null,
    trailers: TrailersSource,
    onDone: (error: Error | null) => void,
  ): Sender {
    return new Sender(stream, this.output, lengthBytes, trailers, onDone);
  }

  /** Whether so many bytes of a stream may go this instant, before anything that waits. */
  mayPass(stream: Http2Stream, bytes: number): boolean {
    return (
      this.scheduler.empty &&
      bytes <= this.sendWindowBytes &&
      bytes <= stream.sendWindowBytes &&
      bytes <= this.peer.frameMaxBytes &&
      !this.output.full
    );
  }

  /** DATA that has passed so was written. */
  passed(stream: Http2Stream, bytes: number): void {
    this.sendWindowBytes -= bytes;
    stream.sendWindowBytes -= bytes;
    this.guard.earn('windowUpdates', UPDATES_PER_DATA);
    this.guard.earn('crumbs', bytes / BYTES_PER_CRUMB);
    // Who estimates the bandwidth sends one with what it takes.
    this.guard.earn('pings', 1);
  }

  schedule(stream: Http2Stream): void {
    if (stream.sendWindowBytes > 0) this.scheduler.add(stream);
    else stream.shutSinceMs ??= this.nowMs;
    this.output.wake();
  }

  /** Writes the DATA whose turn it is, as far as the windows and the socket let it go. */
  private pump(): void {
    for (let stream = this.scheduler.next(); stream !== null && !this.output.full; stream = this.scheduler.next()) {
      if (this.sendWindowBytes <= 0) {
        this.shutSinceMs ??= this.nowMs;
        return;
      }
      this.sendNext(stream);
    }
  }

  private sendNext(stream: Http2Stream): void {
    const { sender } = stream;
    if (sender === null || sender.queuedBytes === 0) {
      this.scheduler.remove(stream);
      return;
    }
    // SETTINGS may have taken away what it had when it was put in the queue.
    if (stream.sendWindowBytes <= 0) {
      this.scheduler.remove(stream);
      this.schedule(stream);
      return;
    }
    const wanted = Math.min(sender.queuedBytes, this.peer.frameMaxBytes, DATA_MAX_BYTES);
    const bytes = Math.min(wanted, this.sendWindowBytes, stream.sendWindowBytes);
    if (bytes < wanted && bytes < CRUMB_BYTES && !this.affordCrumb()) return;
    // Out of the queue first: what is emitted may bring more, or the end.
    this.passed(stream, bytes);
    sender.emit(bytes);
    if (sender.queuedBytes > 0 && stream.sendWindowBytes > 0) this.scheduler.sent(stream);
    else {
      this.scheduler.remove(stream);
      if (sender.queuedBytes > 0) stream.shutSinceMs = this.nowMs;
    }
  }

  private affordCrumb(): boolean {
    try {
      this.guard.spend('crumbs', this.nowMs);
      return true;
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.fail(error);
      return false;
    }
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Ends the connection for a fault of the peer (RFC 9113 §5.4.1). */
  fail(error: ConnectionError): void {
    if (this.closed) return;
    this.fault = error;
    this.output.write(this.goodbye.conclude(this.lastPeerStreamId, ERROR[error.code], error.message));
    this.cutAll(error.code);
    this.owner.onFailed(error);
  }

  /** No stream goes on, and nothing more is taken. */
  cutAll(code: string): void {
    this.closed = true;
    for (const stream of [...this.streams.values()]) this.cut(stream, code, true);
  }
}
