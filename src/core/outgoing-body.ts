import { type BodySink, IncomingBody } from './body.ts';
import { asBytes, asError, type BodySource, type PieceReader } from './body-source.ts';
import { Failure } from './failure.ts';
import type { HeaderFields } from './headers.ts';

/** What must be known before a body begins cannot come after it (RFC 9110 §6.5.1). */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set(['content-length', 'host', 'trailer']);

/**
 * A body in pieces on its way out, with backpressure to its source; an engine puts the pieces on its wire.
 * `onDone` is called once: with `null` when everything was put, else with the reason why the message is broken.
 */
export abstract class OutgoingBody implements BodySink {
  private readonly lengthBytes: number | null;
  private readonly onDone: (error: Error | null) => void;
  private readonly trailers: (() => HeaderFields | null) | null;
  private sentBytes = 0;
  private source: BodySource | null = null;
  private wake: (() => void) | null = null;
  protected done = false;

  /** `lengthBytes`: exactly this many bytes must come. `trailers` is asked at the end, in place of the source's own. */
  constructor(
    lengthBytes: number | null,
    trailers: (() => HeaderFields | null) | null,
    onDone: (error: Error | null) => void,
  ) {
    this.lengthBytes = lengthBytes;
    this.trailers = trailers;
    this.onDone = onDone;
  }

  /** Puts a piece, which is not empty, on the wire. `false` asks the source to wait until `drained()`. */
  protected abstract put(piece: Uint8Array): boolean;

  /** Puts the end on the wire. A throw breaks the message. */
  protected abstract putEnd(trailers: HeaderFields | null): void;

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

  /** The wire has room again. */
  drained(): void {
    const { wake } = this;
    this.wake = null;
    if (wake !== null) wake();
    else if (this.source instanceof IncomingBody && !this.done) this.source.resume();
  }

  /** Stops: the source is told, and nothing more is put. */
  abort(error: Error): void {
    this.settle(error);
  }

  write(piece: Uint8Array): boolean {
    if (this.done) return false;
    if (piece.length === 0) return true;
    this.sentBytes += piece.length;
    const { lengthBytes } = this;
    if (lengthBytes !== null && this.sentBytes > lengthBytes) {
      this.settle(
        new Failure('response-invalid', `Its body is longer than its content-length of ${lengthBytes} bytes.`),
      );
      return false;
    }
    return this.put(piece);
  }

  end(trailers: HeaderFields | null): void {
    if (this.done) return;
    const { lengthBytes } = this;
    if (lengthBytes !== null && this.sentBytes < lengthBytes) {
      this.settle(new Failure('response-invalid', `Its body ended ${lengthBytes - this.sentBytes} bytes short.`));
      return;
    }
    try {
      const fields = this.trailers === null ? trailers : this.trailers();
      this.putEnd(fields === null ? null : fields.endToEnd.without(NOT_IN_TRAILERS));
    } catch (error) {
      this.settle(asError(error));
      return;
    }
    this.settle(null);
  }

  fail(error: Error): void {
    this.settle(error);
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
