/** A rate is judged over this long at most: what came fast long ago does not excuse a stall now. */
const CREDIT_MAX_MS = 10_000;
/** Nobody is judged before: people type, and a first packet may come alone. */
const CREDIT_START_MS = 3000;

/**
 * The least rate at which bytes must come, as a bucket that drains by time and fills by bytes. It begins with the
 * worth of three seconds, so a peer that sends nothing is too slow after three seconds, and a drip never resets anything.
 */
export class RateFloor {
  private readonly bytesPerSec: number;
  private creditBytes: number;
  private atMs: number;

  constructor(bytesPerSec: number, nowMs: number) {
    this.bytesPerSec = bytesPerSec;
    this.creditBytes = (bytesPerSec * CREDIT_START_MS) / 1000;
    this.atMs = nowMs;
  }

  /** Bytes have come. */
  observe(bytes: number): void {
    this.creditBytes = Math.min(this.creditBytes + bytes, (this.bytesPerSec * CREDIT_MAX_MS) / 1000);
  }

  /** Whether the peer has been too slow by now. */
  tooSlow(nowMs: number): boolean {
    this.creditBytes -= (this.bytesPerSec * (nowMs - this.atMs)) / 1000;
    this.atMs = nowMs;
    return this.creditBytes < 0;
  }

  /** Time during which we did not read does not count. */
  skipTo(nowMs: number): void {
    this.atMs = nowMs;
  }
}

/** What is written to: a connection. */
export interface Writer {
  readonly socket: { readonly writableLength: number };
  /** Bytes written that the kernel has not taken yet. */
  unsentBytes(): number;
}

/** A peer that takes none of the bytes it is sent. */
export class WriteStall {
  private unsentBytes = 0;
  private sinceMs = 0;

  /** Whether not one byte has been taken for `timeoutMs`; `null` is never. */
  stalled(writer: Writer, nowMs: number, timeoutMs: number | null): boolean {
    const unsentBytes = writer.socket.writableLength === 0 ? 0 : writer.unsentBytes();
    if (unsentBytes === 0 || unsentBytes !== this.unsentBytes) {
      this.unsentBytes = unsentBytes;
      this.sinceMs = nowMs;
      return false;
    }
    return passed(this.sinceMs, timeoutMs, nowMs);
  }
}

/** Whether a deadline is over; `null` is never. */
export function passed(sinceMs: number, timeoutMs: number | null, nowMs: number): boolean {
  return timeoutMs !== null && nowMs - sinceMs >= timeoutMs;
}
