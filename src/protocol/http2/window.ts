/** What a peer may still send (RFC 9113 §5.2), of one stream or of the whole connection. */
export class ReceiveWindow {
  private leftBytes: number;
  /** Used, and not announced again yet. */
  private dueBytes = 0;
  private readonly thresholdBytes: number;

  /** It is refilled when `thresholdBytes`, or half of it, has been used. */
  constructor(sizeBytes: number, thresholdBytes: number) {
    this.leftBytes = sizeBytes;
    this.thresholdBytes = Math.max(1, Math.min(thresholdBytes, sizeBytes >>> 1));
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
    if (this.dueBytes < this.thresholdBytes) return 0;
    const incrementBytes = this.dueBytes;
    this.leftBytes += incrementBytes;
    this.dueBytes = 0;
    return incrementBytes;
  }

  /** The peer has learned of another initial size (RFC 9113 §6.9.2); the window may fall below zero. */
  adjust(deltaBytes: number): void {
    this.leftBytes += deltaBytes;
  }
}
