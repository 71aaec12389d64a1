import { asBuffer } from '../../core/body-source.ts';
import type { HeaderFields } from '../../core/headers.ts';
import { OutgoingBody } from '../../core/outgoing-body.ts';
import { Pieces } from '../../core/pieces.ts';
import { FLAG, FRAME, frameHeader } from './frame.ts';
import { COPIED_MAX_BYTES, QUEUED_MAX_BYTES } from './options.ts';
import type { Output } from './output.ts';

/** What a sender asks of its stream. */
export interface SenderOwner {
  readonly id: number;
  /** There are bytes, or there is an end, to be sent when it is this stream's turn. */
  ready(): void;
  /** The stream's side is to be ended with these fields, which come after its last byte. */
  sendTrailers(trailers: HeaderFields): void;
  /** END_STREAM has been written. */
  sentEnd(): void;
}

/** A body on its way out of one stream: pieces wait here until flow control and the scheduler let them go. */
export class Sender extends OutgoingBody {
  /** What has been written as DATA. */
  emittedBytes = 0;
  private readonly owner: SenderOwner;
  private readonly output: Output;
  private readonly queue = new Pieces();
  private ended = false;
  private last: HeaderFields | null = null;

  /** `onDone` hears when the source has given everything, or why it cannot. */
  constructor(
    owner: SenderOwner,
    output: Output,
    lengthBytes: number | null,
    trailers: (() => HeaderFields | null) | null,
    onDone: (error: Error | null) => void,
  ) {
    super(lengthBytes, trailers, onDone);
    this.owner = owner;
    this.output = output;
  }

  /** Bytes that wait for their turn. */
  get queuedBytes(): number {
    return this.queue.byteCount;
  }

  /** There is something to send, if only the end. */
  get pending(): boolean {
    return this.queuedBytes > 0 || this.ended;
  }

  /** Sends all of it, as the windows allow. */
  sendWhole(bytes: Uint8Array): void {
    this.write(bytes);
    this.end(null);
  }

  protected put(piece: Uint8Array): boolean {
    if (!this.queue.merge(piece)) this.queue.addView(piece);
    this.owner.ready();
    return this.queuedBytes < QUEUED_MAX_BYTES;
  }

  protected putEnd(trailers: HeaderFields | null): void {
    this.ended = true;
    this.last = trailers === null || trailers.count === 0 ? null : trailers;
    this.owner.ready();
  }

  /** Writes one DATA frame of at most this many bytes; returns how many it was. The end goes with the last one. */
  emit(maxBytes: number): number {
    const count = Math.min(maxBytes, this.queuedBytes);
    this.emittedBytes += count;
    const last = this.ended && this.queuedBytes === count;
    const trailers = this.last;
    const closes = last && trailers === null;
    if (count > 0 || closes) {
      const header = frameHeader(count, FRAME.DATA, closes ? FLAG.END_STREAM : 0, this.owner.id);
      if (count <= COPIED_MAX_BYTES) this.output.write(header + this.takeText(count));
      else {
        this.output.write(header);
        this.takeBytes(count);
      }
    }
    if (last) {
      this.ended = false;
      if (trailers !== null) this.owner.sendTrailers(trailers);
      this.owner.sentEnd();
    } else if (!this.done && this.queuedBytes < QUEUED_MAX_BYTES) this.drained();
    return count;
  }

  /** Throws away what waits: the stream is reset. */
  clear(): void {
    this.queue.take();
    this.ended = false;
  }

  private takeText(count: number): string {
    let text = '';
    for (let left = count; left > 0; ) {
      const piece = this.queue.takeFirst(left);
      text += asBuffer(piece).toString('latin1', 0, piece.length);
      left -= piece.length;
    }
    return text;
  }

  private takeBytes(count: number): void {
    for (let left = count; left > 0; ) {
      const piece = this.queue.takeFirst(left);
      this.output.writeBytes(piece);
      left -= piece.length;
    }
  }
}
