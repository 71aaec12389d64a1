import { Readable } from 'node:stream';
import { IncomingBody } from './body.ts';
import { Failure } from './failure.ts';
import { discardBody } from './message.ts';

/** A body that comes in pieces. */
export type BodyStream = IncomingBody | AsyncIterable<Uint8Array | string>;

/** Reads pieces one after another, in a way that can be stopped while there is nothing to give. */
export interface PieceReader {
  /** `null` at the end. */
  next(): Promise<Uint8Array | string | null>;
  cancel(): void;
}

/** A body in pieces, opened. */
export type BodySource = IncomingBody | PieceReader;

/**
 * Opens a source, to be read in a way that can be stopped while it has nothing to give. Throws when that cannot be, as
 * with a stream that somebody else reads.
 */
export function openSource(source: BodyStream): BodySource {
  if (source instanceof IncomingBody) return source;
  if (source instanceof ReadableStream) {
    const reader: ReadableStreamDefaultReader<Uint8Array | string> = source.getReader();
    return {
      next: () => reader.read().then((result) => (result.done ? null : result.value)),
      cancel: () => void reader.cancel().catch(() => undefined),
    };
  }
  const iterator = source[Symbol.asyncIterator]();
  return {
    next: () => iterator.next().then((result) => (result.done === true ? null : result.value)),
    cancel() {
      if (source instanceof Readable) discardBody(source);
      else Promise.try(() => iterator.return?.()).catch(() => undefined);
    },
  };
}

/** Throws `response-invalid` on what a careless source may give instead of bytes. */
export function asBytes(piece: Uint8Array): Uint8Array {
  if (piece instanceof Uint8Array) return piece;
  throw new Failure('response-invalid', 'A piece of its body is neither text nor bytes.');
}

/** The same bytes as a Buffer, without a copy. */
export function asBuffer(piece: Uint8Array): Buffer {
  return piece instanceof Buffer ? piece : Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
}

/** What was thrown, as an Error. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
