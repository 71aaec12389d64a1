import { Failure } from './failure.ts';
import type { HeaderFields } from './headers.ts';
import { Pieces } from './pieces.ts';

/** Takes a body as it arrives. `end` or `fail` is called once, and nothing after it. */
export interface BodySink {
  /** After `false` nothing comes until `IncomingBody.resume()`. */
  write(chunk: Uint8Array): boolean;
  end(trailers: HeaderFields | null): void;
  fail(error: Error): void;
  /** Whether bytes that were written are still needed. A sink without this may need them for ever. */
  readonly holdsBytes?: boolean;
}

/**
 * Memory that an engine reads into again and again. What is pushed lies in it only until `push` returns, so an
 * IncomingBody says what of it lasts longer.
 */
export interface ReadMemory {
  /** These bytes will be needed after `push`: the same bytes, where they stay. */
  keep(chunk: Uint8Array): Uint8Array;
  /** Nobody needs these kept bytes any more. */
  release(chunk: Uint8Array): void;
  /** Somebody still needs bytes that were pushed, and will not say when that ends. */
  pin(chunk: Uint8Array): void;
}

/** The engine's side of a body that is still arriving. */
export interface BodyOwner {
  /** Bytes are wanted: the body is being read, or its reader has room again. */
  demand(): void;
  /** The reader is full: stop reading from the peer. */
  hold(): void;
  /** Nobody will read the rest. */
  abandon(): void;
  /** Set where pushed bytes do not last; without it they are the body's for good. */
  readonly memory?: ReadMemory;
}

/**
 * A message body on its way in: a request's at the server, a response's at the client.
 * The engine pushes; exactly one reader takes, either as it comes (`consume`, iteration) or whole (`whole`).
 */
export class IncomingBody implements AsyncIterable<Uint8Array> {
  /** From content-length; `null` when only the end tells. */
  readonly lengthBytes: number | null;
  /** Fields after a chunked body, once it has ended. */
  trailers: HeaderFields | null = null;
  receivedBytes = 0;
  /** All of it has arrived. */
  complete = false;
  failure: Error | null = null;
  private readonly held = new Pieces();
  private sink: BodySink | null = null;
  private reading = false;
  /** The sink has no room: what comes is held until it resumes. */
  private waits = false;
  private pouring = false;
  private wholeForm: Promise<Uint8Array> | null = null;
  private limitBytes: number | null;
  private limitIsDefault = true;
  private readonly owner: BodyOwner;

  /** `defaultMaxBytes` is the listener's limit, in force until a layer sets another or a proxy lifts it. */
  constructor(owner: BodyOwner, lengthBytes: number | null, defaultMaxBytes: number | null) {
    this.owner = owner;
    this.lengthBytes = lengthBytes;
    this.limitBytes = defaultMaxBytes;
  }

  /** More than this is 413; `null` for no limit. A layer may change it until reading begins. */
  get maxBytes(): number | null {
    return this.limitBytes;
  }

  set maxBytes(bytes: number | null) {
    this.limitBytes = bytes;
    this.limitIsDefault = false;
  }

  /** A body that is passed on as it comes needs no limit of its own; one that a layer has set stays. */
  liftDefaultLimit(): void {
    if (this.limitIsDefault) this.limitBytes = null;
  }

  /** Bytes that have arrived and nobody has taken yet. */
  get heldBytes(): number {
    return this.held.byteCount;
  }

  /** Somebody reads it or has read it. */
  get used(): boolean {
    return this.reading;
  }

  /** Throws 413 when the announced length is over the limit, before anything is read. */
  admit(): void {
    const size = this.lengthBytes ?? this.receivedBytes;
    if (this.maxBytes !== null && size > this.maxBytes)
      throw new Failure('body-too-large', `The limit is ${this.maxBytes} bytes.`);
  }

  /** Engine: bytes arrived. */
  push(chunk: Uint8Array): void {
    if (this.complete || this.failure !== null) return;
    this.receivedBytes += chunk.length;
    if (this.reading && this.maxBytes !== null && this.receivedBytes > this.maxBytes) {
      this.fail(new Failure('body-too-large', `The limit is ${this.maxBytes} bytes.`));
      this.owner.abandon();
      return;
    }
    const { sink } = this;
    const { memory } = this.owner;
    if (sink === null || this.waits) {
      if (this.held.merge(chunk)) return;
      if (memory === undefined) this.held.addView(chunk);
      else this.held.add(memory.keep(chunk));
      return;
    }
    const passing = memory === undefined || sink.holdsBytes === false;
    const room = sink.write(passing ? chunk : memory.keep(chunk));
    if (passing && sink.holdsBytes !== false) memory?.pin(chunk);
    if (room) return;
    this.waits = true;
    this.owner.hold();
  }

  /** Engine: the body ended as it should. */
  finish(trailers: HeaderFields | null): void {
    if (this.complete || this.failure !== null) return;
    this.complete = true;
    this.trailers = trailers;
    // It ends when it has room for what comes before the end.
    if (this.pouring || (this.waits && this.held.byteCount > 0)) return;
    const { sink } = this;
    this.sink = null;
    sink?.end(trailers);
  }

  /** Engine: the rest will never come. Reads reject with this error. */
  fail(error: Error): void {
    if (this.complete || this.failure !== null) return;
    this.failure = error;
    // Who has begun to read learns of it after what has come.
    if (this.sink !== null && !this.pouring) this.pourHeld(this.sink);
    this.held.take();
    const { sink } = this;
    this.sink = null;
    sink?.fail(error);
  }

  /** Reads the body as it comes. Throws when it is being read already, or is over its limit. */
  consume(sink: BodySink): void {
    if (this.reading) throw new TypeError('the body is read already');
    this.admit();
    this.reading = true;
    if (this.failure !== null) {
      sink.fail(this.failure);
      return;
    }
    this.sink = sink;
    this.pour(sink);
  }

  /** The reader has room again. */
  resume(): void {
    const { sink } = this;
    if (sink !== null && this.waits && !this.pouring) this.pour(sink);
    else if (!this.complete && this.failure === null) this.owner.demand();
  }

  /** Gives the sink all that is held; then more may come, if it still has room. */
  private pour(sink: BodySink): void {
    // What comes meanwhile comes after it.
    this.waits = true;
    this.pouring = true;
    const room = this.pourHeld(sink);
    this.pouring = false;
    if (this.sink !== sink) return;
    if (this.complete && this.held.byteCount === 0) {
      this.sink = null;
      sink.end(this.trailers);
    } else if (room) {
      this.waits = false;
      this.owner.demand();
    } else this.owner.hold();
  }

  private pourHeld(sink: BodySink): boolean {
    const { memory } = this.owner;
    let room = true;
    while (room && this.held.byteCount > 0) {
      const held = this.held.take();
      for (const chunk of held) room = sink.write(chunk) && room;
      if (memory === undefined) continue;
      for (const chunk of held) {
        if (sink.holdsBytes === false) memory.release(chunk);
        else memory.pin(chunk);
      }
    }
    return room;
  }

  /** The reader wants no more. */
  cancel(): void {
    this.reading = true;
    this.sink = null;
    this.held.take();
    if (this.complete || this.failure !== null) return;
    this.failure = new TypeError('the body was cancelled');
    this.owner.abandon();
  }

  /** All bytes at once if they are here already and unread, without waiting; otherwise `null`. */
  takeWhole(): Uint8Array | null {
    if (!this.complete || this.reading) return null;
    this.admit();
    this.reading = true;
    const held = this.held.take();
    const bytes = joined(held);
    for (const chunk of held) this.owner.memory?.pin(chunk);
    this.wholeForm = Promise.resolve(bytes);
    return bytes;
  }

  /** All bytes, when they have arrived. May be asked again. */
  whole(): Promise<Uint8Array> {
    if (this.wholeForm === null) {
      const taken = this.takeWhole();
      if (taken !== null) return Promise.resolve(taken);
      this.wholeForm = new Promise((resolve, reject) => {
        const pieces = new Pieces();
        this.consume({
          write(chunk) {
            if (!pieces.merge(chunk)) pieces.addView(chunk);
            return true;
          },
          end: () => resolve(joined(pieces.take())),
          fail: reject,
        });
      });
    }
    return this.wholeForm;
  }

  /** Resolves when all of it is here, and still unread: its reader then has it at once. */
  gather(): Promise<void> {
    return this.whole().then((bytes) => {
      this.held.add(bytes);
      this.wholeForm = null;
      this.reading = false;
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const queue: Uint8Array[] = [];
    let ended = false;
    let failed: Error | null = null;
    let wake: (() => void) | null = null;
    const notify = (): void => {
      wake?.();
      wake = null;
    };
    this.consume({
      write(chunk) {
        queue.push(chunk);
        notify();
        return false;
      },
      end() {
        ended = true;
        notify();
      },
      fail(error) {
        failed = error;
        notify();
      },
    });
    try {
      for (;;) {
        const chunk = queue.shift();
        if (chunk !== undefined) yield chunk;
        else if (failed !== null) throw failed;
        else if (ended) return;
        else {
          const more = new Promise<void>((resolve) => {
            wake = resolve;
          });
          this.resume();
          await more;
        }
      }
    } finally {
      if (!ended) this.cancel();
    }
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [first] = chunks;
  if (first === undefined) return new Uint8Array(0);
  return chunks.length === 1 ? first : Buffer.concat(chunks);
}
