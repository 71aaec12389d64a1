import { ConnectionError } from './error.ts';
import { FLAG, uint31 } from './frame.ts';

/** A block may come in so many CONTINUATION frames; who needs more wants something else (CVE-2024-27316 and its kin). */
const CONTINUATION_MAX_COUNT = 32;

/** A header block that comes in more than one frame (RFC 9113 §4.3): nothing else may come between them. */
export class HeaderBlock {
  readonly streamId: number;
  readonly endStream: boolean;
  readonly sinceMs: number;
  private readonly parts: Buffer[];
  private readonly maxBytes: number;
  private sizeBytes: number;
  private frameCount = 0;

  /** `first` is copied: a read may be long over when the last part comes. */
  constructor(streamId: number, first: Buffer, endStream: boolean, maxBytes: number, sinceMs: number) {
    this.streamId = streamId;
    this.endStream = endStream;
    this.sinceMs = sinceMs;
    this.parts = [Buffer.from(first)];
    this.sizeBytes = first.length;
    this.maxBytes = maxBytes;
  }

  /** Throws ENHANCE_YOUR_CALM when the block is far larger than any header list that is taken, or is cut to crumbs. */
  add(part: Buffer): void {
    this.frameCount += 1;
    this.sizeBytes += part.length;
    if (this.frameCount > CONTINUATION_MAX_COUNT) {
      throw new ConnectionError('ENHANCE_YOUR_CALM', 'too many CONTINUATION frames in a block');
    }
    if (this.sizeBytes > this.maxBytes) throw new ConnectionError('ENHANCE_YOUR_CALM', 'the header block is too large');
    this.parts.push(Buffer.from(part));
  }

  whole(): Buffer {
    return Buffer.concat(this.parts);
  }
}

/** Where the payload of a frame that may be padded begins and ends (RFC 9113 §6.1). */
export interface Unpadded {
  start: number;
  end: number;
}

/**
 * Takes padding off. Throws PROTOCOL_ERROR when there is more of it than payload. The result is one object, used again
 * and again.
 */
export function unpad(flags: number, bytes: Buffer, start: number, end: number): Unpadded {
  unpadded.start = start;
  unpadded.end = end;
  if ((flags & FLAG.PADDED) === 0) return unpadded;
  if (start === end) throw new ConnectionError('FRAME_SIZE_ERROR', 'the pad length is missing');
  unpadded.start = start + 1;
  unpadded.end = end - (bytes[start] ?? 0);
  if (unpadded.end < unpadded.start)
    throw new ConnectionError('PROTOCOL_ERROR', 'the padding is longer than the frame');
  return unpadded;
}

const unpadded: Unpadded = { start: 0, end: 0 };

/**
 * Passes over the priority fields in HEADERS (RFC 9113 §6.2), which mean nothing any more; `streamId` must not depend on
 * itself (RFC 7540 §5.3.1). Returns where the block begins.
 */
export function skipPriority(flags: number, streamId: number, bytes: Buffer, start: number, end: number): number {
  if ((flags & FLAG.PRIORITY) === 0) return start;
  if (end - start < 5) throw new ConnectionError('FRAME_SIZE_ERROR', 'the priority fields are cut off');
  if (uint31(bytes, start) === streamId) throw new ConnectionError('PROTOCOL_ERROR', 'a stream depends on itself');
  return start + 5;
}
