import { Duplex } from 'node:stream';
import { IncomingBody } from '../../core/body.ts';
import type { ErrorName } from './error.ts';
import type { Http2Stream } from './stream.ts';

/**
 * A stream as a connection of its own (RFC 9113 §8.5): what is written goes out as DATA, with flow control in both
 * directions, and each side ends by itself.
 */
export class Http2Tunnel extends Duplex {
  /** What is written, on its way to the stream's sender. */
  private readonly outgoing = new IncomingBody(
    { demand: () => this.roomAgain(), hold: () => this.hold(), abandon: () => undefined },
    null,
    null,
  );
  private readonly stream: Http2Stream;
  private readonly incoming: IncomingBody | null;
  private readonly onCut: (code: ErrorName) => void;
  private written: (() => void) | null = null;
  /** All is written; END_STREAM is still to leave. */
  private ending: (() => void) | null = null;
  private reading = false;
  private full = false;

  /** `onCut` hears when it is destroyed before both sides have ended, and the code to reset the stream with. */
  constructor(stream: Http2Stream, onCut: (code: ErrorName) => void) {
    // What nobody reads yet waits in the body, in few pieces, and not one by one here.
    super({ allowHalfOpen: true, autoDestroy: true, readableHighWaterMark: 1 });
    this.stream = stream;
    this.incoming = stream.body;
    this.onCut = onCut;
    // As with a socket that HTTP/1.1 hands over: who does not listen for errors hears of the end by `close`.
    this.on('error', () => undefined);
    stream
      .beginSending(null, null, (error) => {
        if (error !== null) this.destroy();
      })
      .send(this.outgoing);
  }

  /** All that was written has left, END_STREAM with it. */
  sentEnd(): void {
    const { ending } = this;
    this.ending = null;
    ending?.();
  }

  /** The stream was reset. */
  cut(): void {
    if (!this.destroyed) this.destroy(Object.assign(new Error('the stream was reset'), { code: 'ECONNRESET' }));
  }

  override _read(): void {
    const { incoming } = this;
    if (incoming === null) this.push(null);
    else if (this.reading) incoming.resume();
    else {
      this.reading = true;
      incoming.consume({
        write: (chunk) => this.push(chunk),
        end: () => void this.push(null),
        fail: () => this.cut(),
      });
    }
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, written: () => void): void {
    this.written = written;
    this.outgoing.push(chunk);
    // A sender without room has said so by now; `demand` comes when it has room again.
    if (!this.full) this.goOn();
  }

  override _final(done: () => void): void {
    // Until the end has left, bytes may wait for the peer's window: who sees `finish` may cut the stream.
    this.ending = done;
    this.outgoing.finish(null);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // A peer that has been told all throws none of it away when it hears that nobody listens any more (RFC 9113 §8.1).
    if (!this.readableEnded || !this.writableFinished) this.onCut(this.stream.localEnded ? 'NO_ERROR' : 'CANCEL');
    this.goOn();
    done(error);
  }

  private hold(): void {
    this.full = true;
  }

  private roomAgain(): void {
    this.full = false;
    this.goOn();
  }

  private goOn(): void {
    const { written } = this;
    this.written = null;
    written?.();
  }
}
