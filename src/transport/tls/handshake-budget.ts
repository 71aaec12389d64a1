/** Why a handshake was refused. */
export type HandshakeRefusal = 'handshake-budget-exceeded' | 'handshake-rate-exceeded';

/** How many handshakes are in progress, and how many have begun lately. */
export class HandshakeBudget {
  inProgressCount = 0;
  private readonly maxCount: number;
  private readonly maxPerSec: number | null;
  private tokenCount: number;
  private atMs: number;

  /** `maxPerSec` of `null` is no limit; as many as that may also begin at once. */
  constructor(maxCount: number, maxPerSec: number | null, nowMs: number) {
    this.maxCount = maxCount;
    this.maxPerSec = maxPerSec;
    this.tokenCount = Math.max(1, maxPerSec ?? 0);
    this.atMs = nowMs;
  }

  /** Takes a place; `release` gives it back. Returns why there is none, or `null`. */
  acquire(nowMs: number): HandshakeRefusal | null {
    if (this.inProgressCount >= this.maxCount) return 'handshake-budget-exceeded';
    if (this.maxPerSec !== null) {
      const gainedCount = (this.maxPerSec * (nowMs - this.atMs)) / 1000;
      this.tokenCount = Math.min(Math.max(1, this.maxPerSec), this.tokenCount + gainedCount);
      this.atMs = nowMs;
      if (this.tokenCount < 1) return 'handshake-rate-exceeded';
      this.tokenCount -= 1;
    }
    this.inProgressCount += 1;
    return null;
  }

  release(): void {
    this.inProgressCount -= 1;
  }
}
