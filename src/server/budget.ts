import { readFileSync } from 'node:fs';

/** Descriptors that are kept for files, upstream connections and the process itself. */
const RESERVE_COUNT = 128;

/** Refused connections that may be open at a time, where the file limit leaves room for them. */
const REFUSED_MAX_COUNT = 1024;

/** How many files this process may have open; `Infinity` where the system does not tell. */
function fileLimit(): number {
  let limits: string;
  try {
    limits = readFileSync('/proc/self/limits', 'latin1');
  } catch {
    // Not Linux: the configured limit stands, and running out of descriptors is met when it happens.
    return Number.POSITIVE_INFINITY;
  }
  return Number(/^Max open files\s+([0-9]+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
}

const reserveCount = (limit: number): number => Math.min(RESERVE_COUNT, Math.floor(limit / 4));

/** How many connections the process's file limit leaves room for. */
export function connectionCeiling(limit: number = fileLimit()): number {
  return Math.max(1, limit - reserveCount(limit));
}

/** How many refused connections may wait for their end: what connections and reserve leave, or half of the reserve. */
export function refusedCeiling(connectionMaxCount: number, limit: number = fileLimit()): number {
  const reserved = reserveCount(limit);
  return Math.min(REFUSED_MAX_COUNT, Math.max(limit - reserved - connectionMaxCount, Math.floor(reserved / 2)));
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
