/** What a peer may still send (RFC 9113 §5.2), of one stream or of the whole connection. */
export class ReceiveWindow {
  private leftBytes: number;
  /** Used, and not announced again yet. */
  private dueBytes = 0;
  private sizeBytes: number;
  private readonly maxBytes: number;
  private readonly thresholdBytes: number;

  /**
   * It is refilled when `thresholdBytes`, or half of it, has been used. Below `maxBytes` it doubles each time: its reader
   * keeps up, so more may be under way; one that does not read has no more than it began with.
   */
  constructor(sizeBytes: number, thresholdBytes: number, maxBytes = sizeBytes) {
    this.leftBytes = sizeBytes;
    this.sizeBytes = sizeBytes;
    this.maxBytes = maxBytes;
    this.thresholdBytes = thresholdBytes;
  }

  /** The peer may send at least a byte. */
  get open(): boolean {
    return this.leftBytes > 0;
  }

  /** The peer has sent this much. `false`: more than it might (FLOW_CONTROL_ERROR). */
  take(bytes: number): boolean {
    this.leftBytes -= bytes;
    return this.leftBytes >= 0;
  }

  /** So much has found its reader. Returns the increment to announce now; 0 is none. */
  credit(bytes: number): number {
    this.dueBytes += bytes;
    if (this.dueBytes < Math.max(1, Math.min(this.thresholdBytes, this.sizeBytes >>> 1))) return 0;
    const grownBytes = Math.max(0, Math.min(this.sizeBytes, this.maxBytes - this.sizeBytes));
    const incrementBytes = this.dueBytes + grownBytes;
    this.sizeBytes += grownBytes;
    this.leftBytes += incrementBytes;
    this.dueBytes = 0;
    return incrementBytes;
  }

  /** The peer has learned of another initial size (RFC 9113 §6.9.2); the window may fall below zero. */
  adjust(deltaBytes: number): void {
    this.leftBytes += deltaBytes;
  }
}
