import { type BodyOwner, IncomingBody, type ReadMemory } from '../../core/body.ts';
import { RateFloor } from '../../core/deadlines.ts';
import type { HeaderFields } from '../../core/headers.ts';
import { StreamError } from './error.ts';
import { MAX_31_BIT } from './frame.ts';
import { type Priority, type Schedulable, UNSAID } from './priority.ts';
import type { Sender, SenderOwner } from './sender.ts';
import type { ReceiveWindow } from './window.ts';

/** Whose stream it is: a request being answered, or one being asked. */
export interface StreamObserver {
  /** The reader of the body wants its first bytes. */
  onBodyWanted(): void;
  /** The reader of the body wants no more of it. */
  onBodyUnwanted(): void;
  /** The stream was cut off before both sides had ended. Called once, and nothing after it. */
  onReset(code: string, byPeer: boolean): void;
  /** Our side has ended before the peer's. */
  onLocalEnd(): void;
  /** Both sides have ended. Called once, and nothing after it. */
  onEnd(): void;
}

/** What a stream asks of its connection. */
export interface StreamOwner {
  readonly nowMs: number;
  /** It has DATA to send when its turn comes. */
  schedule(stream: Http2Stream): void;
  openWindow(streamId: number, incrementBytes: number): void;
  writeTrailers(stream: Http2Stream, trailers: HeaderFields): void;
  /** Our side has ended: END_STREAM is written. */
  localEnded(stream: Http2Stream): void;
  newSender(stream: Http2Stream, lengthBytes: number | null, trailers: TrailersSource, onDone: OnSent): Sender;
}

/** Asked for the fields after a body, when it has ended. */
export type TrailersSource = (() => HeaderFields | null) | null;
const NOBODY: StreamObserver = { onBodyWanted() {}, onBodyUnwanted() {}, onReset() {}, onLocalEnd() {}, onEnd() {} };

type OnSent = (error: Error | null) => void;

/** One stream: its two sides end apart (RFC 9113 §5.1). */
export class Http2Stream implements BodyOwner, SenderOwner, Schedulable {
  readonly id: number;
  observer: StreamObserver = NOBODY;
  /** Bytes that we may send; below zero when the peer has made its window smaller (RFC 9113 §6.9.2). */
  sendWindowBytes: number;
  readonly window: ReceiveWindow;
  priority: Priority = UNSAID;
  scheduled = false;
  remoteEnded = false;
  localEnded = false;
  /** It was reset, by either side. */
  cut = false;
  sender: Sender | null = null;
  /** Since when it has had bytes that the peer's window does not let go; `null`: it has none. */
  shutSinceMs: number | null = null;
  body: IncomingBody | null = null;
  /** Where the bytes of its body lie, if they do not last. */
  memory?: ReadMemory;
  /** From content-length: what comes must be exactly this (RFC 9113 §8.1.1). */
  private expectedBytes: number | null = null;
  private receivedBytes = 0;
  /** What of a DATA frame that is not complete has counted for the rate. */
  private arrivedBytes = 0;
  /** The body's reader takes bytes as they come. */
  private flowing = false;
  private wanted = false;
  private unreadBytes = 0;
  private rate: RateFloor | null = null;
  private rateBytesPerSec: number | null = null;
  private readonly owner: StreamOwner;

  constructor(id: number, owner: StreamOwner, sendWindowBytes: number, window: ReceiveWindow) {
    this.id = id;
    this.owner = owner;
    this.sendWindowBytes = sendWindowBytes;
    this.window = window;
  }

  // ── in ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A body will come. `rateBytesPerSec`: slower than this, while it is wanted, is too slow. */
  expectBody(lengthBytes: number | null, maxBytes: number | null, rateBytesPerSec: number | null): IncomingBody {
    this.expectedBytes = lengthBytes;
    this.rateBytesPerSec = rateBytesPerSec;
    this.body = new IncomingBody(this, lengthBytes, maxBytes);
    return this.body;
  }

  /** No body will come, or none yet: DATA with bytes in it is an error. */
  expectNoBody(): void {
    this.expectedBytes = 0;
  }

  /** Takes a DATA frame; `frameBytes` is its whole payload, padding included. Throws a StreamError. */
  data(bytes: Buffer, frameBytes: number): void {
    if (!this.window.take(frameBytes)) throw new StreamError('FLOW_CONTROL_ERROR', 'more than the window has allowed');
    this.receivedBytes += bytes.length;
    if (this.expectedBytes !== null && this.receivedBytes > this.expectedBytes) throw lengthError();
    this.rate?.observe(Math.max(0, bytes.length - this.arrivedBytes));
    this.arrivedBytes = 0;
    this.credit(frameBytes - bytes.length);
    this.unreadBytes += bytes.length;
    if (bytes.length > 0) this.body?.push(bytes);
    if (this.flowing || this.body === null) this.creditRead();
  }

  /** So much has come of a DATA frame that is not complete. */
  arriving(bytes: number): void {
    this.rate?.observe(bytes - this.arrivedBytes);
    this.arrivedBytes = bytes;
  }

  /** The peer's side ends. Throws a StreamError. */
  endRemote(trailers: HeaderFields | null): void {
    if (this.expectedBytes !== null && this.receivedBytes !== this.expectedBytes) throw lengthError();
    this.remoteEnded = true;
    this.rate = null;
    this.body?.finish(trailers);
  }

  /** All that its content-length has promised is here, though its end is not. */
  get lengthReached(): boolean {
    return this.body !== null && this.expectedBytes !== null && this.receivedBytes === this.expectedBytes;
  }

  demand(): void {
    this.flowing = true;
    this.creditRead();
    if (this.wanted) return;
    this.wanted = true;
    if (this.remoteEnded) return;
    if (this.rateBytesPerSec !== null) this.rate = new RateFloor(this.rateBytesPerSec, this.owner.nowMs);
    this.observer.onBodyWanted();
  }

  hold(): void {
    this.flowing = false;
  }

  /** The body's reader has no room for more. */
  get held(): boolean {
    return !this.flowing;
  }

  /** Nobody reads the rest; it is let in and thrown away until the stream ends. */
  abandon(): void {
    this.observer.onBodyUnwanted();
    this.flowing = true;
    this.creditRead();
  }

  /** Whether the peer sends its body slower than it must, though it may send. */
  tooSlow(nowMs: number): boolean {
    if (this.rate === null) return false;
    if (this.flowing && this.window.open) return this.rate.tooSlow(nowMs);
    this.rate.skipTo(nowMs);
    return false;
  }

  private creditRead(): void {
    const bytes = this.unreadBytes;
    this.unreadBytes = 0;
    this.credit(bytes);
  }

  private credit(bytes: number): void {
    if (bytes === 0 || this.remoteEnded || this.cut) return;
    const incrementBytes = this.window.credit(bytes);
    if (incrementBytes > 0) this.owner.openWindow(this.id, incrementBytes);
  }

  // ── out ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Begins our body. `onDone` hears when its source has ended, or why it cannot be sent to its end. */
  beginSending(lengthBytes: number | null, trailers: TrailersSource, onDone: OnSent): Sender {
    this.sender = this.owner.newSender(this, lengthBytes, trailers, onDone);
    return this.sender;
  }

  ready(): void {
    const { sender } = this;
    if (sender === null || this.cut) return;
    // An end without bytes needs no window and no turn.
    if (sender.queuedBytes === 0) sender.emit(0);
    else this.owner.schedule(this);
  }

  sendTrailers(trailers: HeaderFields): void {
    this.owner.writeTrailers(this, trailers);
  }

  sentEnd(): void {
    this.localEnded = true;
    this.owner.localEnded(this);
  }

  /** The peer lets us send more. `false`: the window would be larger than can be (RFC 9113 §6.9.1). */
  widen(bytes: number): boolean {
    this.sendWindowBytes += bytes;
    if (this.sendWindowBytes > MAX_31_BIT) return false;
    if (this.sendWindowBytes > 0) this.shutSinceMs = null;
    if (this.sender !== null && this.sender.queuedBytes > 0) this.owner.schedule(this);
    return true;
  }

  /** Lets go of everything; the observer is told. */
  reset(code: string, byPeer: boolean): void {
    if (this.cut) return;
    this.cut = true;
    const { sender } = this;
    this.observer.onReset(code, byPeer);
    const error = new StreamError('CANCEL', `the stream was reset (${code})`);
    this.body?.fail(error);
    sender?.abort(error);
    sender?.clear();
  }
}

const lengthError = (): StreamError => new StreamError('PROTOCOL_ERROR', 'the body does not fit its content-length');
