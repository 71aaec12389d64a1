import { ConnectionError, errorName, StreamError } from './error.ts';
import { FLAG, FRAME, FrameReader, type FrameSink, PREFACE, pingFrame, uint31 } from './frame.ts';
import { HeaderBlock, skipPriority, unpad } from './header-block.ts';
import type { Session } from './session.ts';
import type { Http2Stream } from './stream.ts';

/** A header block: `bytes[start, end)`, good only during the call. */
export interface Block {
  readonly streamId: number;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly endStream: boolean;
}

/** What comes of the frames, for the side of the connection that knows what to do with it. */
export interface InboundOwner {
  /**
   * A header block has come whole. It must be decoded whatever happens, because the compression depends on all blocks
   * before it. `stream` is null when there is none with this identifier; an `ignored` block must have no other effect.
   */
  onHeaders(block: Block, stream: Http2Stream | null, ignored: boolean): void;
  /** The peer has announced its settings, for the first time or anew. */
  onSettings(): void;
  /** The peer has taken our own settings. */
  onSettingsTaken(): void;
  /** The peer takes no streams of ours above this one. */
  onGoaway(lastStreamId: number, code: string): void;
  /** The peer has read that we are about to go. */
  onGoodbyeRead(): void;
  /** What it counts that the peer resets this stream; 1 where there is none any more. */
  resetCount(streamId: number): number;
  /** The peer's side of a stream has ended. */
  onBodyEnd(streamId: number): void;
  /** All that was read is taken; what answers it leaves right after. */
  onReadEnd(): void;
}

/** The reading half of a connection: takes frames, checks them against RFC 9113, and tells the session and its owner. */
export class Inbound implements FrameSink {
  private readonly session: Session;
  private readonly owner: InboundOwner;
  private readonly reader: FrameReader;
  /** How much of the preface has come; only a server gets one. */
  private prefaceAt: number;
  private settingsSeen = false;
  private block: HeaderBlock | null = null;
  /** When the frame began that is not complete, unless it is DATA. */
  private partialSinceMs: number | null = null;

  constructor(session: Session, owner: InboundOwner) {
    this.session = session;
    this.owner = owner;
    this.reader = new FrameReader(session.options.frameMaxBytes, this);
    this.prefaceAt = session.isServer ? 0 : PREFACE.length;
  }

  get closed(): boolean {
    return this.session.closed;
  }

  /** The peer has not said yet what it must say first. */
  get inPreface(): boolean {
    return !this.settingsSeen;
  }

  /** When the header block began that is being received, or another frame that is no DATA; `null`: there is none. */
  get blockSinceMs(): number | null {
    return this.block?.sinceMs ?? this.partialSinceMs;
  }

  /** Takes what was read. What it leads to leaves in one write. */
  take(chunk: Buffer): void {
    const { session } = this;
    if (session.closed) return;
    session.output.gather();
    try {
      this.reader.take(chunk, this.prefaceAt < PREFACE.length ? this.takePreface(chunk) : 0);
      if (this.reader.inFrame) this.observePartial();
      this.owner.onReadEnd();
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      session.fail(error);
    } finally {
      session.output.release();
    }
  }

  /** What comes of a frame counts before it is whole: a slow client with large frames is no slower than others. */
  private observePartial(): void {
    const { reader, session } = this;
    const { dataStreamId } = reader;
    if (dataStreamId !== 0) session.streams.get(dataStreamId)?.arriving(reader.arrivedBytes);
    else if (!this.inPreface) this.partialSinceMs ??= session.nowMs;
  }

  private takePreface(chunk: Buffer): number {
    const count = Math.min(chunk.length, PREFACE.length - this.prefaceAt);
    if (chunk.toString('latin1', 0, count) !== PREFACE.slice(this.prefaceAt, this.prefaceAt + count)) {
      throw new ConnectionError('PROTOCOL_ERROR', 'the connection preface is wrong');
    }
    this.prefaceAt += count;
    return count;
  }

  onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    this.partialSinceMs = null;
    if (this.block !== null && (type !== FRAME.CONTINUATION || id !== this.block.streamId)) {
      throw new ConnectionError('PROTOCOL_ERROR', 'another frame within a header block');
    }
    if (!this.settingsSeen && (type !== FRAME.SETTINGS || (flags & FLAG.ACK) !== 0)) {
      throw new ConnectionError('PROTOCOL_ERROR', 'the first frame is not SETTINGS');
    }
    try {
      this.dispatch(type, flags, id, bytes, start, end);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      const { session } = this;
      session.guard.spend('faults', session.nowMs);
      const stream = session.streams.get(id);
      if (stream === undefined) session.refuse(id, error.code);
      else session.reset(stream, error.code);
    }
  }

  private dispatch(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case FRAME.DATA:
        this.onData(flags, id, bytes, start, end);
        break;
      case FRAME.HEADERS:
        this.onHeaders(flags, id, bytes, start, end);
        break;
      case FRAME.CONTINUATION:
        this.onContinuation(flags, bytes, start, end);
        break;
      case FRAME.RST_STREAM:
        this.onReset(id, bytes, start, end);
        break;
      case FRAME.WINDOW_UPDATE:
        expectSize('WINDOW_UPDATE', end - start, 4);
        this.session.guard.spend('windowUpdates', this.session.nowMs);
        this.session.takeWindowUpdate(id, uint31(bytes, start));
        break;
      case FRAME.SETTINGS:
        this.onSettings(flags, id, bytes, start, end);
        break;
      case FRAME.PING:
        this.onPing(flags, id, bytes, start, end);
        break;
      case FRAME.GOAWAY:
        this.onGoaway(id, bytes, start, end);
        break;
      case FRAME.PRIORITY:
        this.onPriority(id, bytes, start, end);
        break;
      case FRAME.PRIORITY_UPDATE:
        this.onPriorityUpdate(id, bytes, start, end);
        break;
      case FRAME.PUSH_PROMISE:
        throw new ConnectionError('PROTOCOL_ERROR', 'push is not enabled');
      default: // Unknown frames mean nothing (RFC 9113 §5.5).
        this.session.guard.spend('emptyFrames', this.session.nowMs);
    }
  }

  private onData(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const { session } = this;
    expectStream('DATA', id);
    const frameBytes = end - start;
    if (!session.window.take(frameBytes)) throw new ConnectionError('FLOW_CONTROL_ERROR', 'the window is overrun');
    // A stream holds its own credit back while nobody reads; the connection's is given back at once, so that a body
    // which nobody reads does not stop the others.
    const incrementBytes = session.window.credit(frameBytes);
    if (incrementBytes > 0) session.openWindow(0, incrementBytes);
    const data = unpad(flags, bytes, start, end);
    const ends = (flags & FLAG.END_STREAM) !== 0;
    if (data.start === data.end && !ends) session.guard.spend('emptyFrames', session.nowMs);
    const stream = session.streams.get(id);
    if (stream === undefined) this.onStray(id, frameBytes);
    else if (stream.remoteEnded) throw new StreamError('STREAM_CLOSED', 'DATA after the end');
    else {
      stream.data(bytes.subarray(data.start, data.end), frameBytes);
      if (!ends || stream.cut) return;
      session.endRemote(stream, null);
      this.owner.onBodyEnd(id);
    }
  }

  private onHeaders(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    expectStream('HEADERS', id);
    const payload = unpad(flags, bytes, start, end);
    const blockEnd = payload.end;
    const blockStart = skipPriority(flags, id, bytes, payload.start, blockEnd);
    const endStream = (flags & FLAG.END_STREAM) !== 0;
    if ((flags & FLAG.END_HEADERS) !== 0) {
      this.onBlock({ streamId: id, bytes, start: blockStart, end: blockEnd, endStream });
      return;
    }
    // A block is hardly ever larger than the list that it stands for: twice the list is no attempt to stay within it.
    const maxBytes = this.session.options.headerListMaxBytes * 2;
    this.block = new HeaderBlock(id, bytes.subarray(blockStart, blockEnd), endStream, maxBytes, this.session.nowMs);
  }

  private onContinuation(flags: number, bytes: Buffer, start: number, end: number): void {
    const { block, session } = this;
    if (block === null) throw new ConnectionError('PROTOCOL_ERROR', 'CONTINUATION without HEADERS');
    if (start === end) session.guard.spend('emptyFrames', session.nowMs);
    block.add(bytes.subarray(start, end));
    if ((flags & FLAG.END_HEADERS) === 0) return;
    this.block = null;
    const whole = block.whole();
    this.onBlock({ streamId: block.streamId, bytes: whole, start: 0, end: whole.length, endStream: block.endStream });
  }

  private onBlock(block: Block): void {
    const { session, owner } = this;
    const { streamId } = block;
    const stream = session.streams.get(streamId) ?? null;
    if (stream !== null) {
      const { remoteEnded } = stream;
      owner.onHeaders(block, stream, remoteEnded);
      if (remoteEnded) throw new StreamError('STREAM_CLOSED', 'HEADERS after the end');
      return;
    }
    const isNew = session.isServer && (streamId & 1) === 1 && session.isIdle(streamId);
    owner.onHeaders(block, null, !isNew || streamId > session.goodbye.lastStreamId);
    if (isNew) return;
    if (session.gaps.has(streamId)) throw new ConnectionError('PROTOCOL_ERROR', 'the identifier is not a new one');
    this.onStray(streamId, 0);
  }

  /** DATA or HEADERS on a stream that is not there. */
  private onStray(id: number, dataBytes: number): void {
    const { session } = this;
    if (id > session.goodbye.lastStreamId) return;
    if (session.isIdle(id)) throw new ConnectionError('PROTOCOL_ERROR', 'a frame on an idle stream');
    const resetBy = session.resetBy(id);
    if (resetBy === 'by-us') {
      if (session.takeLate(id, dataBytes)) return;
      throw new ConnectionError('FLOW_CONTROL_ERROR', 'more than the window of a stream that was reset');
    }
    // Who has ended a stream knows it (RFC 9113 §5.1).
    if (resetBy === 'by-peer') throw new StreamError('STREAM_CLOSED', 'a frame after RST_STREAM');
    throw new ConnectionError('STREAM_CLOSED', 'a frame on a stream that has ended');
  }

  private onReset(id: number, bytes: Buffer, start: number, end: number): void {
    const { session } = this;
    expectStream('RST_STREAM', id);
    expectSize('RST_STREAM', end - start, 4);
    if (id > session.goodbye.lastStreamId) return;
    if (session.isIdle(id)) throw new ConnectionError('PROTOCOL_ERROR', 'RST_STREAM on an idle stream');
    session.guard.spend('resets', session.nowMs, this.owner.resetCount(id));
    const stream = session.streams.get(id);
    if (stream !== undefined) session.cut(stream, errorName(bytes.readUInt32BE(start)), true);
  }

  private onSettings(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const { session } = this;
    expectNoStream('SETTINGS', id);
    if ((flags & FLAG.ACK) !== 0) {
      expectSize('An acknowledgement', end - start, 0);
      if (session.settingsTaken()) this.owner.onSettingsTaken();
      else session.guard.spend('emptyFrames', session.nowMs);
      return;
    }
    session.guard.spend('settings', session.nowMs);
    session.takeSettings(bytes, start, end);
    this.settingsSeen = true;
    this.owner.onSettings();
  }

  private onPing(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const { session } = this;
    expectNoStream('PING', id);
    expectSize('PING', end - start, 8);
    const opaque = bytes.toString('latin1', start, end);
    if ((flags & FLAG.ACK) !== 0) {
      if (session.goodbye.isAnswer(opaque)) this.owner.onGoodbyeRead();
      else session.guard.spend('emptyFrames', session.nowMs);
      return;
    }
    session.guard.spend('pings', session.nowMs);
    session.output.write(pingFrame(FLAG.ACK, opaque));
  }

  private onGoaway(id: number, bytes: Buffer, start: number, end: number): void {
    expectNoStream('GOAWAY', id);
    if (end - start < 8) throw new ConnectionError('FRAME_SIZE_ERROR', 'GOAWAY is too short');
    this.session.guard.spend('emptyFrames', this.session.nowMs);
    this.owner.onGoaway(uint31(bytes, start), errorName(bytes.readUInt32BE(start + 4)));
  }

  /** RFC 7540's priorities are passed over; only their form is checked (RFC 9113 §5.3.2, §6.3). */
  private onPriority(id: number, bytes: Buffer, start: number, end: number): void {
    const { session } = this;
    expectStream('PRIORITY', id);
    session.guard.spend('priorities', session.nowMs);
    if (end - start !== 5 && session.streams.has(id)) throw new StreamError('FRAME_SIZE_ERROR', 'PRIORITY is 5 octets');
    expectSize('PRIORITY', end - start, 5);
    skipPriority(FLAG.PRIORITY, id, bytes, start, end);
  }

  private onPriorityUpdate(id: number, bytes: Buffer, start: number, end: number): void {
    const { session } = this;
    expectNoStream('PRIORITY_UPDATE', id);
    if (!session.isServer) throw new ConnectionError('PROTOCOL_ERROR', 'a server does not send PRIORITY_UPDATE');
    if (end - start < 4) throw new ConnectionError('FRAME_SIZE_ERROR', 'PRIORITY_UPDATE is too short');
    session.guard.spend('priorities', session.nowMs);
    const target = uint31(bytes, start);
    if ((target & 1) === 0) throw new ConnectionError('PROTOCOL_ERROR', 'PRIORITY_UPDATE of no request');
    session.reprioritize(target, bytes.toString('latin1', start + 4, end));
  }
}

function expectStream(frame: string, id: number): void {
  if (id === 0) throw new ConnectionError('PROTOCOL_ERROR', `${frame} belongs to a stream`);
}

function expectNoStream(frame: string, id: number): void {
  if (id !== 0) throw new ConnectionError('PROTOCOL_ERROR', `${frame} belongs to no stream`);
}

function expectSize(frame: string, bytes: number, wantedBytes: number): void {
  if (bytes !== wantedBytes) throw new ConnectionError('FRAME_SIZE_ERROR', `${frame} has ${wantedBytes} octets`);
}
