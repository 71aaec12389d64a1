import { ConnectionError } from './error.ts';

/** Frame types (RFC 9113 §6; PRIORITY_UPDATE: RFC 9218 §7.1). */
export const FRAME = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
  PRIORITY_UPDATE: 0x10,
} as const;

export const FLAG = { END_STREAM: 0x1, ACK: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;

/** What a client sends before its first frame (RFC 9113 §3.4). */
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

const HEADER_BYTES = 9;
/** The largest window, and the largest stream identifier (RFC 9113 §5.1.1, §6.9.1). */
export const MAX_31_BIT = 0x7fff_ffff;

/** Takes whole frames. The payload is `bytes[start, end)`, good only during the call. */
export interface FrameSink {
  /** Nothing more will be taken. */
  readonly closed: boolean;
  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void;
}

/**
 * Cuts what is read into frames. A frame that lies whole in one read is handed on where it is; only one that is spread
 * over reads is copied, once.
 */
export class FrameReader {
  private readonly maxBytes: number;
  private readonly sink: FrameSink;
  /** A frame that is not complete: its header, then room for all of it. */
  private partial = Buffer.alloc(0);
  private filledBytes = 0;

  /** A payload over `maxBytes` is FRAME_SIZE_ERROR (RFC 9113 §4.2). */
  constructor(maxBytes: number, sink: FrameSink) {
    this.maxBytes = maxBytes;
    this.sink = sink;
  }

  /** A frame has begun and is not complete. */
  get inFrame(): boolean {
    return this.filledBytes > 0;
  }

  /** The stream whose DATA frame has begun and is not complete; 0 when it is another frame, or none. */
  get dataStreamId(): number {
    return this.filledBytes >= HEADER_BYTES && this.partial[3] === FRAME.DATA ? uint31(this.partial, 5) : 0;
  }

  /** How much of the payload of the frame that is not complete has come. */
  get arrivedBytes(): number {
    return Math.max(0, this.filledBytes - HEADER_BYTES);
  }

  take(chunk: Buffer, from: number): void {
    const { sink } = this;
    let at = this.filledBytes > 0 ? this.complete(chunk, from) : from;
    while (!sink.closed && chunk.length - at >= HEADER_BYTES) {
      const end = at + HEADER_BYTES + this.lengthAt(chunk, at);
      if (end > chunk.length) break;
      sink.onFrame(chunk[at + 3] ?? 0, chunk[at + 4] ?? 0, uint31(chunk, at + 5), chunk, at + HEADER_BYTES, end);
      at = end;
    }
    if (at < chunk.length && !sink.closed) this.stash(chunk, at);
  }

  private lengthAt(bytes: Buffer, at: number): number {
    const length = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    if (length > this.maxBytes) {
      throw new ConnectionError('FRAME_SIZE_ERROR', `a frame of ${length} bytes, the limit is ${this.maxBytes}`);
    }
    return length;
  }

  private stash(chunk: Buffer, at: number): void {
    const restBytes = chunk.length - at;
    const lengthBytes = restBytes < HEADER_BYTES ? HEADER_BYTES : HEADER_BYTES + this.lengthAt(chunk, at);
    this.partial = Buffer.allocUnsafe(lengthBytes);
    chunk.copy(this.partial, 0, at);
    this.filledBytes = restBytes;
  }

  /** Adds to the partial frame and hands it on when it is whole; returns where the next one begins. */
  private complete(chunk: Buffer, from: number): number {
    let at = this.fill(chunk, from);
    if (this.filledBytes === HEADER_BYTES && this.partial.length === HEADER_BYTES) {
      const lengthBytes = this.lengthAt(this.partial, 0);
      const whole = Buffer.allocUnsafe(HEADER_BYTES + lengthBytes);
      this.partial.copy(whole);
      this.partial = whole;
      at = this.fill(chunk, at);
    }
    const { partial } = this;
    if (this.filledBytes < partial.length) return at;
    this.filledBytes = 0;
    this.partial = Buffer.alloc(0);
    this.sink.onFrame(partial[3] ?? 0, partial[4] ?? 0, uint31(partial, 5), partial, HEADER_BYTES, partial.length);
    return at;
  }

  private fill(chunk: Buffer, from: number): number {
    const count = Math.min(this.partial.length - this.filledBytes, chunk.length - from);
    chunk.copy(this.partial, this.filledBytes, from, from + count);
    this.filledBytes += count;
    return from + count;
  }
}

/** A 31-bit number; the reserved bit before it is ignored (RFC 9113 §4.1). */
export function uint31(bytes: Buffer, at: number): number {
  return (
    (((bytes[at] ?? 0) & 0x7f) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  );
}

// Frames are written as latin-1 text, a character an octet, because what leaves in one turn is gathered into one string.

/** A frame header (RFC 9113 §4.1). */
export function frameHeader(lengthBytes: number, type: number, flags: number, streamId: number): string {
  return String.fromCharCode(
    lengthBytes >>> 16,
    (lengthBytes >>> 8) & 0xff,
    lengthBytes & 0xff,
    type,
    flags,
    (streamId >>> 24) & 0x7f,
    (streamId >>> 16) & 0xff,
    (streamId >>> 8) & 0xff,
    streamId & 0xff,
  );
}

/** Four octets, most significant first. */
const uint32Text = (value: number): string =>
  String.fromCharCode(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);

export const settingsFrame = (settings: readonly (readonly [id: number, value: number])[]): string => {
  const entries = settings.map(([id, value]) => String.fromCharCode(id >>> 8, id & 0xff) + uint32Text(value));
  return frameHeader(entries.length * 6, FRAME.SETTINGS, 0, 0) + entries.join('');
};

export const SETTINGS_ACK: string = frameHeader(0, FRAME.SETTINGS, FLAG.ACK, 0);

export const pingFrame = (flags: number, opaque: string): string => frameHeader(8, FRAME.PING, flags, 0) + opaque;

export const windowUpdateFrame = (streamId: number, incrementBytes: number): string =>
  frameHeader(4, FRAME.WINDOW_UPDATE, 0, streamId) + uint32Text(incrementBytes);

export const rstStreamFrame = (streamId: number, code: number): string =>
  frameHeader(4, FRAME.RST_STREAM, 0, streamId) + uint32Text(code);

/** `debug` is latin-1 text for whoever reads a trace on the other side. */
export const goawayFrame = (lastStreamId: number, code: number, debug = ''): string =>
  frameHeader(8 + debug.length, FRAME.GOAWAY, 0, 0) + uint32Text(lastStreamId) + uint32Text(code) + debug;

/** HEADERS, and CONTINUATION where the block is larger than one frame (RFC 9113 §4.3). */
export function headersFrames(streamId: number, block: string, endStream: boolean, frameMaxBytes: number): string {
  const end = endStream ? FLAG.END_STREAM : 0;
  if (block.length <= frameMaxBytes) {
    return frameHeader(block.length, FRAME.HEADERS, FLAG.END_HEADERS | end, streamId) + block;
  }
  let text = frameHeader(frameMaxBytes, FRAME.HEADERS, end, streamId) + block.slice(0, frameMaxBytes);
  for (let at = frameMaxBytes; at < block.length; at += frameMaxBytes) {
    const part = block.slice(at, at + frameMaxBytes);
    const last = at + frameMaxBytes >= block.length;
    text += frameHeader(part.length, FRAME.CONTINUATION, last ? FLAG.END_HEADERS : 0, streamId) + part;
  }
  return text;
}
