import type { IncomingBody } from '../../core/body.ts';
import { Failure } from '../../core/failure.ts';
import { CHUNK_EXTENSION_MAX_BYTES } from './options.ts';
import { parseTrailers } from './parse.ts';
import type { Framing } from './section.ts';

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;
const SPACE = 0x20;
const TAB = 0x09;

/** Where in a chunked body the next byte is (RFC 9112 §7.1). */
type ChunkState = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailers';

/** Takes one body off the wire, as its framing says, and pushes its bytes into an IncomingBody. */
export class BodyReader {
  /** The body has ended; what follows belongs to the next message. */
  done = false;
  private readonly framing: Framing;
  private readonly body: IncomingBody;
  private readonly trailersMaxBytes: number;
  /** Bytes that are still to come: of the body (`length`), or of the chunk. */
  private remainingBytes = 0;
  private state: ChunkState = 'size';
  private sizeDigitCount = 0;
  private extensionBytes = 0;
  private afterSemicolon = false;
  private trailerText = '';

  constructor(framing: Framing, body: IncomingBody, trailersMaxBytes: number) {
    this.framing = framing;
    this.body = body;
    this.trailersMaxBytes = trailersMaxBytes;
    if (framing.kind === 'length') this.remainingBytes = framing.lengthBytes;
  }

  /** The bytes that are certainly still to come; `null` when only the end tells. */
  get announcedBytes(): number | null {
    return this.framing.kind === 'length' ? this.remainingBytes : null;
  }

  /** Takes bytes from `at` on; returns the index of the first byte that is not part of the body. Throws `chunk-invalid`. */
  feed(chunk: Buffer, at: number): number {
    if (this.framing.kind === 'chunked') return this.feedChunked(chunk, at);
    if (this.framing.kind === 'close') {
      if (at < chunk.length) this.body.push(at === 0 ? chunk : chunk.subarray(at));
      return chunk.length;
    }
    const end = Math.min(chunk.length, at + this.remainingBytes);
    this.remainingBytes -= end - at;
    const whole = at === 0 && end === chunk.length;
    if (end > at) this.body.push(whole ? chunk : chunk.subarray(at, end));
    if (this.remainingBytes === 0) this.finish();
    return end;
  }

  /** The peer ended its side. Whether that is a proper end of this body. */
  endOfInput(): boolean {
    if (this.framing.kind === 'close') this.finish();
    return this.done;
  }

  private finish(): void {
    this.done = true;
    this.body.finish(this.trailerText === '' ? null : parseTrailers(this.trailerText));
  }

  private feedChunked(chunk: Buffer, from: number): number {
    let at = from;
    while (at < chunk.length && !this.done) {
      if (this.state === 'data') {
        const end = Math.min(chunk.length, at + this.remainingBytes);
        this.remainingBytes -= end - at;
        this.body.push(chunk.subarray(at, end));
        at = end;
        if (this.remainingBytes === 0) this.state = 'data-cr';
      } else if (this.state === 'trailers') {
        at = this.feedTrailers(chunk, at);
      } else {
        this.feedSyntax(chunk[at] ?? 0);
        at += 1;
      }
    }
    return at;
  }

  /** One byte of a chunk's size line or of the line end after its data. */
  private feedSyntax(byte: number): void {
    switch (this.state) {
      case 'size':
        if (hexValue(byte) !== -1) {
          this.sizeDigitCount += 1;
          // 12 digits are 256 TiB; more could only overflow somewhere.
          if (this.sizeDigitCount > 12) throw new Failure('chunk-invalid', 'The chunk size is too large.');
          this.remainingBytes = this.remainingBytes * 16 + hexValue(byte);
        } else if (this.sizeDigitCount === 0) throw new Failure('chunk-invalid', 'The chunk size is missing.');
        else if (byte === CR) this.state = 'size-lf';
        // BWS before an extension is grammatical, but no client sends it and parsers disagree on it: stricter, refused.
        else if (byte === SEMICOLON) {
          this.state = 'extension';
          this.afterSemicolon = true;
        } else throw new Failure('chunk-invalid', 'The chunk size is not hexadecimal.');
        break;
      case 'extension':
        this.extensionBytes += 1;
        if (this.extensionBytes > CHUNK_EXTENSION_MAX_BYTES)
          throw new Failure('chunk-invalid', 'The chunk extensions are too large.');
        if (byte === CR && this.afterSemicolon) throw new Failure('chunk-invalid', 'A chunk extension has no name.');
        this.afterSemicolon = byte === SEMICOLON;
        if (byte === CR) this.state = 'size-lf';
        else if ((byte < SPACE && byte !== TAB) || byte === 0x7f)
          throw new Failure('chunk-invalid', 'A chunk extension is not valid.');
        break;
      case 'size-lf':
        if (byte !== LF) throw new Failure('chunk-invalid', 'A line does not end in CR LF.');
        this.sizeDigitCount = 0;
        this.state = this.remainingBytes === 0 ? 'trailers' : 'data';
        break;
      case 'data-cr':
        if (byte !== CR) throw new Failure('chunk-invalid', 'The chunk is longer than its size.');
        this.state = 'data-lf';
        break;
      default:
        if (byte !== LF) throw new Failure('chunk-invalid', 'A line does not end in CR LF.');
        this.state = 'size';
    }
  }

  /** Collects trailer lines up to the empty line. */
  private feedTrailers(chunk: Buffer, at: number): number {
    const feed = chunk.indexOf(LF, at);
    const end = feed === -1 ? chunk.length : feed + 1;
    this.trailerText += chunk.toString('latin1', at, end);
    if (this.trailerText.length > this.trailersMaxBytes)
      throw new Failure('chunk-invalid', 'The trailers are too large.');
    if (feed === -1) return end;
    if (!this.trailerText.endsWith('\r\n')) throw new Failure('chunk-invalid', 'A line does not end in CR LF.');
    if (this.trailerText === '\r\n' || this.trailerText.endsWith('\r\n\r\n')) {
      this.trailerText = this.trailerText.slice(0, -2);
      this.finish();
    }
    return end;
  }
}

function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
