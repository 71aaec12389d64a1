import { type BodySink, IncomingBody } from '../core/body.ts';
import { Failure } from '../core/failure.ts';
import type { HeaderFields } from '../core/headers.ts';

/**
 * A request body that may have to be sent again: what has passed is kept, up to a limit, and each attempt has a body of
 * its own that begins with it. One attempt at a time; between two the client waits, so that nothing is lost and little
 * is held.
 */
export class ReplayBody implements BodySink {
  private readonly source: IncomingBody;
  private readonly maxBytes: number;
  /** What has passed; `null` when that was too much to be kept, or nobody will need it any more. */
  private kept: Uint8Array[] | null = [];
  private keptBytes = 0;
  /** The body of the attempt under way; `null` when that has given it up. */
  private current: IncomingBody | null = null;
  private reading = false;
  private held = false;
  private last = false;

  constructor(source: IncomingBody, maxBytes: number) {
    this.source = source;
    this.maxBytes = maxBytes;
  }

  /** Whether another attempt could have all of it. It stays so until the next attempt. */
  get replayable(): boolean {
    return this.kept !== null && this.source.failure === null;
  }

  /** The body of the next attempt, which begins from the start. */
  attempt(): IncomingBody {
    this.pause();
    const body: IncomingBody = new IncomingBody(
      { demand: () => this.demand(body), hold: () => this.hold(body), abandon: () => this.abandon(body) },
      this.source.lengthBytes,
      null,
    );
    this.current = body;
    for (const piece of this.kept ?? []) body.push(piece);
    this.forgetTooMuch();
    if (this.source.failure !== null) body.fail(this.source.failure);
    else if (this.reading && this.source.complete && this.source.heldBytes === 0) body.finish(this.source.trailers);
    return body;
  }

  /** The attempt under way has come to nothing: it gets no more, and all that still comes is kept for the next one. */
  pause(): void {
    const { current } = this;
    this.current = null;
    current?.fail(new Failure('upstream-reset', 'It answered before it had the whole request.'));
  }

  /** No other attempt will come. The one under way goes on to its end. */
  settle(): void {
    this.last = true;
    this.kept = null;
    // Nobody reads it, and nobody will.
    if (this.reading && this.current?.used !== true) this.source.cancel();
  }

  write(piece: Uint8Array): boolean {
    const { current } = this;
    this.keptBytes += piece.length;
    this.kept?.push(piece);
    if (current === null) return false;
    this.held = false;
    current.push(piece);
    this.forgetTooMuch();
    // What is not being read yet would only pile up.
    return !this.held && current.used;
  }

  end(trailers: HeaderFields | null): void {
    this.current?.finish(trailers);
  }

  fail(error: Error): void {
    this.current?.fail(error);
  }

  /** Once an attempt reads it, more than the limit is not kept for another. */
  private forgetTooMuch(): void {
    if (this.keptBytes > this.maxBytes) this.kept = null;
  }

  private demand(body: IncomingBody): void {
    if (body !== this.current) return;
    this.held = false;
    if (this.reading) this.source.resume();
    else {
      this.reading = true;
      this.source.consume(this);
    }
  }

  private hold(body: IncomingBody): void {
    if (body === this.current) this.held = true;
  }

  private abandon(body: IncomingBody): void {
    if (body !== this.current) return;
    this.current = null;
    if (this.last && this.reading) this.source.cancel();
  }
}
