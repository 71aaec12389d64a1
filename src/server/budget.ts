import { readFileSync } from 'node:fs';

/** Descriptors that are kept for files, upstream connections and the process itself. */
const RESERVE_COUNT = 128;

/** How many connections the process's file limit leaves room for; `Infinity` where the system does not tell. */
export function connectionCeiling(
  readLimits: () => string = () => readFileSync('/proc/self/limits', 'latin1'),
): number {
  let limits: string;
  try {
    limits = readLimits();
  } catch {
    // Not Linux: the configured limit stands, and running out of descriptors is met when it happens.
    return Number.POSITIVE_INFINITY;
  }
  const softLimit = Number(/^Max open files\s+([0-9]+)/m.exec(limits)?.[1] ?? Number.NaN);
  if (Number.isNaN(softLimit)) return Number.POSITIVE_INFINITY;
  return Math.max(1, softLimit - Math.min(RESERVE_COUNT, Math.floor(softLimit / 4)));
}

/** Counts connections by address. An address with none is forgotten, so the map is no larger than the connections. */
export class PeerBudget {
  private readonly maxCount: number;
  private readonly counts = new Map<string, number>();

  constructor(maxCount: number) {
    this.maxCount = maxCount;
  }

  /** Addresses that hold a connection. */
  get size(): number {
    return this.counts.size;
  }

  /** Takes a place. `false` when the address has all of its places taken. */
  acquire(address: string): boolean {
    const count = this.counts.get(address) ?? 0;
    if (count >= this.maxCount) return false;
    this.counts.set(address, count + 1);
    return true;
  }

  release(address: string): void {
    const count = this.counts.get(address) ?? 0;
    if (count <= 1) this.counts.delete(address);
    else this.counts.set(address, count - 1);
  }
}
