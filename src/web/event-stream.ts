import type { Clock, ClockTimer } from '../core/clock.ts';
import type { EventItem } from './event-format.ts';
import { eventText } from './event-format.ts';

/** Events that are ready together leave together, up to this size; more is not asked of the source meanwhile. */
const COALESCED_MAX_CHARS = 16_384;
/** A comment: it means nothing to the client, and shows everybody on the way that the stream is alive. */
const HEARTBEAT = ':\n';

/**
 * The body of an event stream, piece by piece. What the source has ready within one turn of the event loop is one
 * piece. The source is asked only while the client takes what there is, and is at most one event ahead.
 */
export class EventStream implements AsyncIterator<string>, AsyncIterable<string> {
  private readonly source: AsyncIterable<EventItem>;
  private readonly heartbeatMs: number | null;
  private readonly clock: Clock;
  private iterator: AsyncIterator<EventItem> | null = null;
  private heartbeat: ClockTimer | null = null;
  private pending: string;
  private asked: PromiseWithResolvers<IteratorResult<string>> | null = null;
  private pulling = false;
  private flushing = false;
  private over = false;
  private failure: { readonly error: unknown } | null = null;

  /** `preamble` is sent before the first event. */
  constructor(source: AsyncIterable<EventItem>, preamble: string, heartbeatMs: number | null, clock: Clock) {
    this.source = source;
    this.pending = preamble;
    this.heartbeatMs = heartbeatMs;
    this.clock = clock;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<string>> {
    if (this.iterator === null) this.open();
    this.asked = Promise.withResolvers();
    const { promise } = this.asked;
    if (this.pending !== '' || this.over) this.flushSoon();
    this.pull();
    return promise;
  }

  /** The client is gone, or the response was not wanted. */
  return(): Promise<IteratorResult<string>> {
    this.pending = '';
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Says something beside the source. Nothing once the stream is over. */
  send(item: EventItem): void {
    if (this.over) return;
    this.pending += eventText(item);
    if (this.asked !== null) this.flushSoon();
  }

  /** Ends the stream after what was said; the source is stopped. */
  end(): void {
    if (this.over) return;
    this.finish();
    this.iterator ??= this.source[Symbol.asyncIterator]();
    const { iterator } = this;
    // A source that is given up has nothing more to tell; its own error is not ours to report.
    Promise.try(() => iterator.return?.()).catch(() => undefined);
    if (this.asked !== null) this.flushSoon();
  }

  private open(): void {
    this.iterator = this.source[Symbol.asyncIterator]();
    if (this.heartbeatMs === null) return;
    this.heartbeat = this.clock.every(this.heartbeatMs, () => {
      // While the client does not even take events, a heartbeat would only pile up.
      if (this.asked === null || this.pending !== '') return;
      this.pending = HEARTBEAT;
      this.flush();
    });
  }

  private pull(): void {
    const { iterator } = this;
    if (iterator === null || this.pulling || this.over) return;
    this.pulling = true;
    Promise.try(() => iterator.next()).then(
      (result) => {
        this.pulling = false;
        if (this.over) return;
        if (result.done === true) this.finish();
        else this.take(result.value);
      },
      (error: unknown) => {
        this.pulling = false;
        if (!this.over) this.fail(error);
      },
    );
  }

  private take(item: EventItem): void {
    try {
      this.pending += eventText(item);
    } catch (error) {
      this.end();
      this.fail(error);
      return;
    }
    if (this.asked === null) return;
    if (this.pending.length >= COALESCED_MAX_CHARS) {
      this.flush();
      return;
    }
    this.flushSoon();
    this.pull();
  }

  private fail(error: unknown): void {
    this.failure = { error };
    this.finish();
  }

  private finish(): void {
    this.over = true;
    this.heartbeat?.cancel();
    this.heartbeat = null;
    if (this.asked !== null) this.flushSoon();
  }

  private flushSoon(): void {
    if (this.flushing) return;
    this.flushing = true;
    setImmediate(() => {
      this.flushing = false;
      this.flush();
    });
  }

  private flush(): void {
    const { asked, pending, failure } = this;
    if (asked === null || (pending === '' && !this.over)) return;
    this.asked = null;
    this.pending = '';
    if (pending !== '') asked.resolve({ done: false, value: pending });
    else if (failure !== null) asked.reject(failure.error);
    else asked.resolve({ done: true, value: undefined });
  }
}
