import { Duplex } from 'node:stream';
import { IncomingBody } from '../../core/body.ts';
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
  private readonly incoming: IncomingBody | null;
  private readonly onGone: (ended: boolean) => void;
  private written: (() => void) | null = null;
  private reading = false;
  private full = false;

  /** `onGone` hears when it is destroyed, and whether both sides had ended. */
  constructor(stream: Http2Stream, onGone: (ended: boolean) => void) {
    super({ allowHalfOpen: true, autoDestroy: true });
    this.incoming = stream.body;
    this.onGone = onGone;
    // As with a socket that HTTP/1.1 hands over: who does not listen for errors hears of the end by `close`.
    this.on('error', () => undefined);
    stream
      .beginSending(null, null, (error) => {
        if (error !== null) this.destroy();
      })
      .send(this.outgoing);
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
    this.outgoing.finish(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.onGone(this.readableEnded && this.writableFinished);
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
