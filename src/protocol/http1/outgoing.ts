import type { Socket } from 'node:net';
import { type BodySink, IncomingBody } from '../../core/body.ts';
import { asBuffer, asBytes, asError, type BodySource, type PieceReader } from '../../core/body-source.ts';
import { Failure } from '../../core/failure.ts';
import type { HeaderFields } from '../../core/headers.ts';

/** What must be known before a body begins cannot come after it (RFC 9110 §6.5.1). */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set(['content-length', 'host', 'trailer']);

/** How the pieces are put on the wire. */
export interface OutgoingFraming {
  readonly kind: 'length' | 'chunked' | 'close';
  /** For `length`: exactly this many bytes must come. */
  readonly lengthBytes: number | null;
}

/** Up to this size a piece and its chunk frame are copied into one string, which is cheaper than a gathered write. */
const COPIED_MAX_BYTES = 4096;

/**
 * A body in pieces on its way out, with backpressure from the socket to its source.
 * `onDone` is called once: with `null` when everything was written, else with the reason why the message is broken.
 */
export class OutgoingBody implements BodySink {
  private readonly socket: Socket;
  private readonly framing: OutgoingFraming;
  private readonly onDone: (error: Error | null) => void;
  private readonly trailers: (() => HeaderFields | null) | null;
  private sentBytes = 0;
  private done = false;
  private source: BodySource | null = null;
  private wake: (() => void) | null = null;

  constructor(
    socket: Socket,
    framing: OutgoingFraming,
    trailers: (() => HeaderFields | null) | null,
    onDone: (error: Error | null) => void,
  ) {
    this.socket = socket;
    this.framing = framing;
    this.trailers = trailers;
    this.onDone = onDone;
  }

  /** The kernel has not taken all of it: what was written is still in use. */
  get holdsBytes(): boolean {
    return this.socket.writableLength > 0;
  }

  /** Starts sending. May be done when it returns. */
  send(source: BodySource): void {
    this.source = source;
    if (source instanceof IncomingBody) {
      try {
        source.consume(this);
      } catch (error) {
        this.settle(asError(error));
      }
    } else void this.pull(source);
  }

  /** The socket has room again. */
  drained(): void {
    const { wake } = this;
    this.wake = null;
    if (wake !== null) wake();
    else if (this.source instanceof IncomingBody && !this.done) this.source.resume();
  }

  /** Stops: the source is told, and nothing more is written. */
  abort(error: Error): void {
    this.settle(error);
  }

  write(piece: Uint8Array): boolean {
    if (this.done) return false;
    if (piece.length === 0) return true;
    this.sentBytes += piece.length;
    const { lengthBytes } = this.framing;
    if (lengthBytes !== null && this.sentBytes > lengthBytes) {
      this.settle(
        new Failure('response-invalid', `Its body is longer than its content-length of ${lengthBytes} bytes.`),
      );
      return false;
    }
    return this.framing.kind === 'chunked' ? this.writeChunk(piece) : this.socket.write(piece);
  }

  end(trailers: HeaderFields | null): void {
    if (this.done) return;
    const { lengthBytes } = this.framing;
    if (lengthBytes !== null && this.sentBytes < lengthBytes) {
      this.settle(new Failure('response-invalid', `Its body ended ${lengthBytes - this.sentBytes} bytes short.`));
      return;
    }
    if (this.framing.kind === 'chunked') {
      try {
        const fields = this.trailers === null ? trailers : this.trailers();
        this.socket.write(`0\r\n${fields?.endToEnd.without(NOT_IN_TRAILERS).text ?? ''}\r\n`, 'latin1');
      } catch (error) {
        this.settle(asError(error));
        return;
      }
    }
    this.settle(null);
  }

  fail(error: Error): void {
    this.settle(error);
  }

  private writeChunk(piece: Uint8Array): boolean {
    const size = `${piece.length.toString(16)}\r\n`;
    if (piece.length <= COPIED_MAX_BYTES) {
      return this.socket.write(`${size}${asBuffer(piece).toString('latin1')}\r\n`, 'latin1');
    }
    this.socket.cork();
    this.socket.write(size, 'latin1');
    this.socket.write(piece);
    const room = this.socket.write('\r\n', 'latin1');
    this.socket.uncork();
    return room;
  }

  private settle(error: Error | null): void {
    if (this.done) return;
    this.done = true;
    const { source, wake } = this;
    this.source = null;
    this.wake = null;
    if (error !== null) source?.cancel();
    wake?.();
    this.onDone(error);
  }

  private async pull(reader: PieceReader): Promise<void> {
    try {
      for (;;) {
        const piece = await reader.next();
        if (this.done) return;
        if (piece === null) break;
        if (!this.write(typeof piece === 'string' ? Buffer.from(piece) : asBytes(piece)) && !this.done) {
          await new Promise<void>((resolve) => {
            this.wake = resolve;
          });
        }
        if (this.done) return;
      }
      this.end(null);
    } catch (error) {
      this.settle(asError(error));
    }
  }
}
