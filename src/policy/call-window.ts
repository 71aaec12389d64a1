import { WindowCounts } from './window.ts';

/** How far back calls are looked at, and how many of them it takes. */
export interface CallWindowOptions {
  /** Never further. */
  windowMs: number;
  /** Nor less far, however many calls there are. */
  windowMinMs: number;
  /** No further than it takes to have so many. */
  volumeEnoughCount: number;
}

/** What is counted. */
export type CallKind = typeof CALLS | typeof FAILURES | typeof SLOW;
export const CALLS = 0;
export const FAILURES = 1;
export const SLOW = 2;
const KIND_COUNT = 3;

/** The shortest span that is looked back on has so many buckets, where that does not take too many in all. */
const SHORTEST_BUCKET_COUNT = 10;
const BUCKET_MAX_COUNT = 100;

/**
 * Calls of the last while, of one endpoint or of a group, and how far it is worth looking back on them. Windows of the same
 * options have the same buckets, so what they say can be compared.
 *
 * The window adapts: `volumeEnoughCount` calls are enough to tell a share, and older ones only tell what was. So the more
 * calls there are, the sooner a change is seen; with few of them it is the whole window that counts.
 */
export class CallWindow {
  private readonly counts: WindowCounts;
  private readonly enoughCount: number;
  private readonly backMinCount: number;

  constructor({ windowMs, windowMinMs, volumeEnoughCount }: Readonly<CallWindowOptions>) {
    const wantedCount =
      windowMinMs > 0 ? Math.ceil((SHORTEST_BUCKET_COUNT * windowMs) / windowMinMs) : BUCKET_MAX_COUNT;
    const bucketCount = Math.min(wantedCount, BUCKET_MAX_COUNT);
    const bucketMs = windowMs / bucketCount;
    this.counts = new WindowCounts(bucketMs, bucketCount, KIND_COUNT);
    this.enoughCount = volumeEnoughCount;
    // The bucket of now has only begun.
    this.backMinCount = windowMinMs > 0 ? Math.ceil(windowMinMs / bucketMs) + 1 : 1;
  }

  add(failed: boolean, slow: boolean, nowMs: number): void {
    this.counts.add(CALLS, nowMs);
    if (failed) this.counts.add(FAILURES, nowMs);
    if (slow) this.counts.add(SLOW, nowMs);
  }

  /** Calls in the whole window. */
  volumeCount(nowMs: number): number {
    return this.counts.sum(CALLS, nowMs);
  }

  /** How far to look back now, as a number of buckets. */
  backCount(nowMs: number): number {
    return Math.max(this.backMinCount, this.counts.backCountOf(CALLS, this.enoughCount, nowMs));
  }

  /** How many there were in so many buckets. */
  sum(kind: CallKind, backCount: number, nowMs: number): number {
    return this.counts.sum(kind, nowMs, backCount);
  }

  clear(): void {
    this.counts.clear();
  }
}
