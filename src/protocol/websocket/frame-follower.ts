/** The longest header of a frame: two bytes, a length of eight, a mask of four (RFC 6455 §5.2). */
const HEADER_MAX_BYTES = 14;
const CONTINUATION = 0x0;
const CLOSE = 0x8;

/** Who looks at the frames that are followed. */
export interface FrameWatcher {
  /** The head of a frame, with the mask at its end where there is one. It changes with the next frame. */
  frameBegun(head: Uint8Array, masked: boolean): void;
  /** Bytes of its payload. `whole`: all of a message that is one frame. */
  payload(bytes: Uint8Array, from: number, to: number, whole: boolean): void;
}

/**
 * Follows the frames of one direction of a WebSocket without taking them apart: where one begins and ends, and where a
 * message does (RFC 6455 §5.2). It checks nothing; on bytes that are no frames it follows what they would mean.
 */
export class FrameFollower {
  /** A Close has begun to pass; nothing follows it (RFC 6455 §5.5.1). */
  closing = false;
  /** The longest payload that a frame has announced so far. */
  longestPayloadBytes = 0;
  private readonly header = new Uint8Array(HEADER_MAX_BYTES);
  private headerBytes = 0;
  private payloadBytes = 0;
  private payloadLeftBytes = 0;
  /** The frame is all of its message. */
  private isWhole = false;
  /** A message has begun and its last frame has not. */
  private fragmented = false;
  private readonly watcher: FrameWatcher | null;

  constructor(watcher: FrameWatcher | null = null) {
    this.watcher = watcher;
  }

  /** No frame and no message has begun that has not ended: here another frame may be put in, also a Close. */
  get atBoundary(): boolean {
    return this.headerBytes === 0 && !this.fragmented;
  }

  /** Follows bytes up to the next such boundary, or to their end; where that is. */
  follow(bytes: Uint8Array, from = 0): number {
    let at = from;
    while (at < bytes.length) {
      at = this.payloadLeftBytes > 0 ? this.skipPayload(bytes, at) : this.takeHeader(bytes, at);
      if (this.atBoundary) return at;
    }
    return at;
  }

  /** Follows all of them. */
  followAll(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at = this.follow(bytes, at);
  }

  private skipPayload(bytes: Uint8Array, at: number): number {
    const end = Math.min(bytes.length, at + this.payloadLeftBytes);
    this.watcher?.payload(bytes, at, end, this.isWhole && end - at === this.payloadBytes);
    this.payloadLeftBytes -= end - at;
    if (this.payloadLeftBytes === 0) this.headerBytes = 0;
    return end;
  }

  private takeHeader(bytes: Uint8Array, from: number): number {
    let at = from;
    const { header } = this;
    while (at < bytes.length) {
      header[this.headerBytes] = bytes[at] ?? 0;
      this.headerBytes += 1;
      at += 1;
      if (this.headerBytes >= 2 && this.headerBytes === headerLength(header)) {
        this.beginFrame(header);
        return at;
      }
    }
    return at;
  }

  private beginFrame(header: Uint8Array): void {
    const first = header[0] ?? 0;
    const opcode = first & 0x0f;
    if (opcode === CLOSE) this.closing = true;
    // Control frames stand between the frames of a message and are whole themselves.
    if (opcode < CLOSE) this.fragmented = (first & 0x80) === 0 && (this.fragmented || opcode !== CONTINUATION);
    this.isWhole = (first & 0x80) !== 0 && opcode !== CONTINUATION;
    this.watcher?.frameBegun(header.subarray(0, this.headerBytes), (header[1] ?? 0) >= 0x80);
    const payloadBytes = payloadLength(header);
    this.payloadBytes = payloadBytes;
    this.longestPayloadBytes = Math.max(this.longestPayloadBytes, payloadBytes);
    this.payloadLeftBytes = payloadBytes;
    if (payloadBytes === 0) this.headerBytes = 0;
  }
}

function headerLength(header: Uint8Array): number {
  const second = header[1] ?? 0;
  const length = second & 0x7f;
  return 2 + (length === 127 ? 8 : length === 126 ? 2 : 0) + (second >= 0x80 ? 4 : 0);
}

function payloadLength(header: Uint8Array): number {
  const length = (header[1] ?? 0) & 0x7f;
  if (length < 126) return length;
  const view = new DataView(header.buffer);
  return length === 126 ? view.getUint16(2) : view.getUint32(2) * 2 ** 32 + view.getUint32(6);
}
