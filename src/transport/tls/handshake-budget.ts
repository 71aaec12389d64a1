/** Why a handshake was refused. */
export type HandshakeRefusal = 'handshake-budget-exceeded' | 'handshake-rate-exceeded';

/** A handshake that has a place. */
export interface HandshakeHolder {
  /** It has sent its part and waits for the peer's. */
  readonly answered: boolean;
  /** Another one gets its place. */
  giveUp(): void;
}

/** An honest client, also a slow one on a long way, has answered by then. */
const SILENCE_MAX_MS = 1000;

/** How many handshakes are in progress, and how many have begun lately. */
export class HandshakeBudget {
  private readonly maxCount: number;
  private readonly maxPerSec: number | null;
  /** When each has begun, the oldest first. */
  private readonly holders = new Map<HandshakeHolder, number>();
  private tokenCount: number;
  private atMs: number;

  /** `maxPerSec` of `null` is no limit; as many as that may also begin at once. */
  constructor(maxCount: number, maxPerSec: number | null, nowMs: number) {
    this.maxCount = maxCount;
    this.maxPerSec = maxPerSec;
    this.tokenCount = Math.max(1, maxPerSec ?? 0);
    this.atMs = nowMs;
  }

  /**
   * Takes a place; `release` gives it back. When all are taken, the oldest handshake whose peer has had its answer and says
   * nothing makes room: who sends a first message and stops, as often as there are places, would keep everybody else out.
   * Returns why there is none, or `null`.
   */
  acquire(nowMs: number, holder: HandshakeHolder): HandshakeRefusal | null {
    const full = this.holders.size >= this.maxCount;
    const silent = full ? this.silent(nowMs) : null;
    if (full && silent === null) return 'handshake-budget-exceeded';
    if (this.maxPerSec !== null) {
      const gainedCount = (this.maxPerSec * (nowMs - this.atMs)) / 1000;
      this.tokenCount = Math.min(Math.max(1, this.maxPerSec), this.tokenCount + gainedCount);
      this.atMs = nowMs;
      if (this.tokenCount < 1) return 'handshake-rate-exceeded';
      this.tokenCount -= 1;
    }
    if (silent !== null) {
      this.release(silent);
      silent.giveUp();
    }
    this.holders.set(holder, nowMs);
    return null;
  }

  release(holder: HandshakeHolder): void {
    this.holders.delete(holder);
  }

  private silent(nowMs: number): HandshakeHolder | null {
    for (const [holder, sinceMs] of this.holders) {
      if (nowMs - sinceMs < SILENCE_MAX_MS) return null;
      if (holder.answered) return holder;
    }
    return null;
  }
}
