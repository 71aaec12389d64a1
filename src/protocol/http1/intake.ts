import type { Socket } from 'node:net';
import { type BodyOwner, IncomingBody } from '../../core/body.ts';
import { RateFloor } from '../../core/deadlines.ts';
import { Failure } from '../../core/failure.ts';
import { BodyReader } from './body.ts';
import { requestFraming } from './framing.ts';
import { DISCARD_MAX_BYTES, type Http1Limits, READ_AHEAD_MAX_BYTES } from './options.ts';
import { parseRequest, type RequestHead } from './parse.ts';

/** What the intake asks of its connection. */
export interface IntakeOwner {
  /** Another request is being answered, or the peer does not take its answers: what comes must wait. */
  readonly busy: boolean;
  /** A request is being answered: its body is its handler's. Else an unread body is thrown away. */
  readonly answering: boolean;
  /** No further request will be taken. */
  readonly closing: boolean;
  /** The clock, as read when these bytes came. */
  readonly nowMs: number;
  /** A request has come; of its body at least what was in the same read. `more`: bytes after it are here already. */
  begin(head: RequestHead, body: IncomingBody | null, more: boolean): void;
  /** The first bytes of a head are here, but not all of it. */
  headBegun(): void;
  /** The reader of the body wants its first bytes. */
  bodyWanted(): void;
  /** An unread body has been thrown away to its end (`true`), or is too long for that. */
  discarded(whole: boolean): void;
}

/** A byte that can end a head or prove it wrong. While none comes, an incomplete head is only kept. */
const TELLING = /[^\t\r\x20-\x7e\x80-\xff]/;
const NO_CHUNK = Buffer.alloc(0);

/**
 * The reading half of a connection: bytes → heads and bodies, one message after another. Nothing is parsed after a
 * framing error. What a client may send ahead, and what may wait for a body's reader, is bounded by pausing the socket.
 */
export class Intake implements BodyOwner {
  /** The peer has shut its sending side. */
  ended = false;
  /** The position of the next message is lost; no request can follow. */
  broken = false;
  private readonly owner: IntakeOwner;
  private readonly socket: Socket;
  private readonly limits: Http1Limits;
  /** A head that is not complete yet. */
  private carry = '';
  /** Bytes after the request in flight. */
  private ahead: Buffer | null = null;
  /** The body on the wire; outlives its exchange while unread bytes are thrown away. */
  private reader: BodyReader | null = null;
  private body: IncomingBody | null = null;
  private wanted = false;
  private paused = false;
  private discardedBytes = 0;
  /** Before the request line that is to come. */
  private emptyLineBytes = 0;
  private rate: RateFloor | null = null;
  /** The text of the chunk being taken, so that pipelined heads are decoded once. */
  private windowChunk: Buffer = NO_CHUNK;
  private windowText = '';
  private windowAt = 0;

  constructor(owner: IntakeOwner, socket: Socket, limits: Http1Limits) {
    this.owner = owner;
    this.socket = socket;
    this.limits = limits;
  }

  /** A head has begun and is not complete. */
  get inHead(): boolean {
    return this.carry !== '';
  }

  /** A body has not ended yet. */
  get inBody(): boolean {
    return this.reader !== null;
  }

  /** Whether bytes of a next request wait. */
  get hasAhead(): boolean {
    return this.ahead !== null;
  }

  /** Whether what is unread of the body is surely short enough to be thrown away. */
  get discardable(): boolean {
    const announced = this.reader?.announcedBytes ?? null;
    return this.reader === null || (announced !== null && announced <= DISCARD_MAX_BYTES);
  }

  /** Takes what was read. Throws the Failure to refuse the peer with. */
  take(chunk: Buffer): void {
    if (this.broken) return;
    this.rate?.observe(chunk.length);
    let at = 0;
    while (at < chunk.length && !this.owner.closing) {
      if (this.reader !== null) at = this.takeBody(this.reader, chunk, at);
      else if (this.owner.busy) {
        this.lookAhead(chunk, at);
        break;
      } else at = this.takeHead(chunk, at);
    }
    this.windowChunk = NO_CHUNK;
    this.windowText = '';
  }

  /** The connection is free again: the bytes that waited, to be taken now. */
  takeAhead(): Buffer | null {
    const { ahead } = this;
    this.ahead = null;
    return ahead;
  }

  /** The peer has ended its side: a body that is not complete fails. */
  end(): void {
    this.ended = true;
    if (this.reader !== null) this.break(new Failure('body-truncated'));
  }

  /** Gives the body up; its reader learns why. */
  break(failure: Failure): void {
    const { body } = this;
    this.broken = true;
    this.reader = null;
    this.rate = null;
    this.body = null;
    body?.fail(failure);
  }

  /** The answer is sent: what is left of the body is thrown away as it comes. */
  discardRest(): void {
    this.discardedBytes = 0;
    // Not cancelled: who still reads it would wait for ever.
    this.body?.fail(new TypeError('the request is answered already'));
    this.judgeRate(0);
    this.proceed();
  }

  /** Whether a peer that we are reading from is below the minimum data rate. */
  tooSlow(nowMs: number): boolean {
    return this.rate !== null && !this.paused && this.rate.tooSlow(nowMs);
  }

  /** Reads on, where reading was paused. */
  proceed(): void {
    if (!this.paused) return;
    this.paused = false;
    this.rate?.skipTo(this.owner.nowMs);
    this.socket.resume();
  }

  demand(): void {
    if (!this.wanted && this.reader !== null) {
      this.wanted = true;
      this.judgeRate(this.body?.receivedBytes ?? 0);
      this.owner.bodyWanted();
    }
    this.proceed();
  }

  hold(): void {
    if (this.paused) return;
    this.paused = true;
    this.socket.pause();
  }

  abandon(): void {
    this.proceed();
  }

  private lookAhead(chunk: Buffer, at: number): void {
    // A copy, because the chunk that it lies in may be much larger.
    const rest = Buffer.from(chunk.subarray(at));
    this.ahead = this.ahead === null ? rest : Buffer.concat([this.ahead, rest]);
    if (this.ahead.length > READ_AHEAD_MAX_BYTES) this.hold();
  }

  /** Returns the index after the head and after what is here of its body. */
  private takeHead(chunk: Buffer, at: number): number {
    const carried = this.carry.length;
    if (carried > 0 || this.windowChunk !== chunk) {
      const text = chunk.toString('latin1', at, at + this.limits.headMaxBytes + 4);
      if (carried > 0 && carried + text.length <= this.limits.headMaxBytes && !TELLING.test(text)) {
        this.carry += text;
        return chunk.length;
      }
      this.windowChunk = chunk;
      this.windowText = this.carry + text;
      this.windowAt = at - carried;
      this.carry = '';
    }
    const text = this.windowText;
    let start = carried > 0 ? 0 : at - this.windowAt;
    // Empty lines before a request line are ignored (RFC 9112 §2.2).
    while (text.charCodeAt(start) === 0x0d && text.charCodeAt(start + 1) === 0x0a) {
      start += 2;
      this.emptyLineBytes += 2;
    }
    if (this.emptyLineBytes > this.limits.headMaxBytes) throw new Failure('head-too-large');
    const onlyCr = start === text.length - 1 && text.endsWith('\r');
    const head = start === text.length || onlyCr ? null : parseRequest(text, start, this.limits);
    if (head !== null) return this.begin(head, chunk, this.windowAt + head.end);
    if (this.windowAt + text.length < chunk.length) {
      this.windowChunk = NO_CHUNK;
      return this.windowAt + start;
    }
    this.carry = text.slice(start);
    if (this.carry !== '' && carried === 0) {
      this.judgeRate(this.carry.length);
      this.owner.headBegun();
    }
    return chunk.length;
  }

  private begin(head: RequestHead, chunk: Buffer, bodyAt: number): number {
    this.emptyLineBytes = 0;
    this.rate = null;
    const framing = requestFraming(head.section, head.minorVersion);
    if (framing.kind === 'none') {
      this.owner.begin(head, null, bodyAt < chunk.length);
      return bodyAt;
    }
    const lengthBytes = framing.kind === 'length' ? framing.lengthBytes : null;
    const body = new IncomingBody(this, lengthBytes, this.limits.bodyMaxBytes);
    const reader = new BodyReader(framing, body, this.limits.headMaxBytes);
    const at = reader.feed(chunk, bodyAt);
    this.wanted = false;
    if (!reader.done) {
      this.reader = reader;
      this.body = body;
    }
    this.owner.begin(head, body, at < chunk.length);
    return at;
  }

  private takeBody(reader: BodyReader, chunk: Buffer, at: number): number {
    let end: number;
    try {
      end = reader.feed(chunk, at);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.break(error);
      if (!this.owner.answering) throw error;
      // Its handler learns of it where it reads, and answers.
      return chunk.length;
    }
    if (reader.done) {
      this.reader = null;
      this.body = null;
      this.rate = null;
      if (!this.owner.answering) this.owner.discarded(true);
    } else if (!this.owner.answering) {
      this.discardedBytes += end - at;
      if (this.discardedBytes > DISCARD_MAX_BYTES) this.owner.discarded(false);
    } else if (this.body !== null && this.body.heldBytes > READ_AHEAD_MAX_BYTES) this.hold();
    return end;
  }

  /** From now on the peer must keep up the rate. What has come already is to its credit. */
  private judgeRate(receivedBytes: number): void {
    const { dataRateMinBytesPerSec } = this.limits;
    if (dataRateMinBytesPerSec === null) return;
    this.rate = new RateFloor(dataRateMinBytesPerSec, this.owner.nowMs);
    this.rate.observe(receivedBytes);
  }
}
