import { ConnectionError } from './error.ts';

/** What a peer may do that costs us more than it costs the peer: so often at once, and so often in each second after. */
interface Budget {
  readonly burstCount: number;
  readonly refillPerSec: number;
}

/**
 * The budgets of one connection. Over one of them it ends with ENHANCE_YOUR_CALM. An honest client uses a small part: a
 * browser that leaves a page resets what it had open, once. docs/http2.md says which attack each is against.
 */
export const BUDGETS = {
  /** RST_STREAM from the peer: rapid reset. A stream that ends without one gives one back. */
  resets: { burstCount: 256, refillPerSec: 64 },
  /** RST_STREAM that the peer has made us send, by breaking a rule on a stream. */
  faults: { burstCount: 64, refillPerSec: 8 },
  /** Streams beyond those that we let one connection have at once; some come before the client has read how many that are. */
  refusals: { burstCount: 1024, refillPerSec: 128 },
  /** Streams whose window the peer has left shut until we gave up. */
  stalls: { burstCount: 32, refillPerSec: 0.5 },
  /** PING that is no acknowledgement; each is answered. */
  pings: { burstCount: 64, refillPerSec: 8 },
  /** SETTINGS that is no acknowledgement; each is answered. */
  settings: { burstCount: 32, refillPerSec: 4 },
  /** DATA without bytes and without an end, CONTINUATION without bytes, unknown frames, acknowledgements of nothing, GOAWAY. */
  emptyFrames: { burstCount: 64, refillPerSec: 16 },
  /** WINDOW_UPDATE beyond those that the DATA we have sent explains. */
  windowUpdates: { burstCount: 1024, refillPerSec: 128 },
  /** PRIORITY and PRIORITY_UPDATE. */
  priorities: { burstCount: 512, refillPerSec: 128 },
  /** DATA that we had to cut small because the peer opens its window by crumbs. */
  crumbs: { burstCount: 512, refillPerSec: 64 },
} as const satisfies Record<string, Budget>;

export type BudgetName = keyof typeof BUDGETS;

/** A stream that is reset before it is so old, and before its answer has begun, was hardly meant to be answered. */
export const PREMATURE_MAX_MS = 20;
/**
 * What the reset of any other stream counts: people go away, and a proxy in front of many of them says so on one
 * connection. Of such streams there are never more at once than we allow, and each has lived for a while.
 */
export const RIPE_RESET_COUNT = 1 / 16;

interface Bucket {
  count: number;
  atMs: number;
}

/** Counts what a peer does against the budgets. */
export class Guard {
  private readonly buckets = new Map<BudgetName, Bucket>();

  /** Throws ENHANCE_YOUR_CALM when the budget is used up. */
  spend(name: BudgetName, nowMs: number, count = 1): void {
    const { burstCount, refillPerSec } = BUDGETS[name];
    const bucket = this.bucket(name, nowMs);
    const refilled = bucket.count + ((nowMs - bucket.atMs) * refillPerSec) / 1000;
    bucket.count = Math.min(burstCount, refilled) - count;
    bucket.atMs = nowMs;
    if (bucket.count < 0) throw new ConnectionError('ENHANCE_YOUR_CALM', `too many ${name}`);
  }

  /** Gives back what is explained by our own doing. */
  earn(name: BudgetName, count: number): void {
    const bucket = this.buckets.get(name);
    if (bucket !== undefined) bucket.count = Math.min(BUDGETS[name].burstCount, bucket.count + count);
  }

  private bucket(name: BudgetName, nowMs: number): Bucket {
    let bucket = this.buckets.get(name);
    if (bucket === undefined) {
      bucket = { count: BUDGETS[name].burstCount, atMs: nowMs };
      this.buckets.set(name, bucket);
    }
    return bucket;
  }
}
