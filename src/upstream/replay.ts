import { type BodySink, IncomingBody } from '../core/body.ts';
import type { HeaderFields } from '../core/headers.ts';

/**
 * A request body that may have to be sent again: what has passed is kept, up to a limit, and each attempt has a body of
 * its own that begins with it. One attempt at a time.
 */
export class ReplayBody implements BodySink {
  private readonly source: IncomingBody;
  private readonly maxBytes: number;
  /** What has passed; `null` when that was too much to be kept. */
  private kept: Uint8Array[] | null = [];
  private keptBytes = 0;
  private current: IncomingBody | null = null;
  private reading = false;
  private held = false;

  constructor(source: IncomingBody, maxBytes: number) {
    this.source = source;
    this.maxBytes = maxBytes;
  }

  /** Whether another attempt could have all of it. */
  get replayable(): boolean {
    return this.kept !== null && this.source.failure === null;
  }

  /** The body of the next attempt. That of the one before hears nothing more. */
  attempt(): IncomingBody {
    const body = new IncomingBody(
      { demand: () => this.demand(body), hold: () => this.hold(body), abandon: () => this.hold(body) },
      this.source.lengthBytes,
      null,
    );
    this.current = body;
    for (const piece of this.kept ?? []) body.push(piece);
    if (this.source.complete && this.reading) body.finish(this.source.trailers);
    else if (this.source.failure !== null) body.fail(this.source.failure);
    return body;
  }

  write(piece: Uint8Array): boolean {
    this.keptBytes += piece.length;
    if (this.keptBytes > this.maxBytes) this.kept = null;
    this.kept?.push(piece);
    this.held = false;
    this.current?.push(piece);
    return !this.held;
  }

  end(trailers: HeaderFields | null): void {
    this.current?.finish(trailers);
  }

  fail(error: Error): void {
    this.current?.fail(error);
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
}
