/**
 * Counts of the last while, in a ring of buckets: what happened in the bucket of now and in those before it that the ring
 * still has. So the span is between `bucketCount - 1` and `bucketCount` buckets long. Counting and reading are O(1); to look
 * back on a part of the span costs as much as it has buckets.
 */
export class WindowCounts {
  private readonly bucketMs: number;
  private readonly bucketCount: number;
  private readonly kindCount: number;
  private readonly counts: Float64Array;
  private readonly sums: Float64Array;
  /** The number of the newest bucket since time began. */
  private newest = 0;

  /** `kindCount` kinds of events are counted, each apart. */
  constructor(bucketMs: number, bucketCount: number, kindCount: number) {
    this.bucketMs = Math.max(bucketMs, Number.MIN_VALUE);
    this.bucketCount = bucketCount;
    this.kindCount = kindCount;
    this.counts = new Float64Array(bucketCount * kindCount);
    this.sums = new Float64Array(kindCount);
  }

  add(kind: number, nowMs: number, count = 1): void {
    this.advance(nowMs);
    const at = (this.newest % this.bucketCount) * this.kindCount + kind;
    this.counts[at] = (this.counts[at] ?? 0) + count;
    this.sums[kind] = (this.sums[kind] ?? 0) + count;
  }

  /** `backCount`: in that many buckets only, that of now and those just before it. */
  sum(kind: number, nowMs: number, backCount: number = this.bucketCount): number {
    this.advance(nowMs);
    if (backCount >= this.bucketCount) return this.sums[kind] ?? 0;
    let sum = 0;
    for (let back = 0; back < backCount; back += 1) sum += this.countAt(back, kind);
    return sum;
  }

  /** How many buckets, that of now and those just before it, it takes to have so many; all when they are not so many. */
  backCountOf(kind: number, count: number, nowMs: number): number {
    let missing = count;
    if (this.sum(kind, nowMs) < count) return this.bucketCount;
    for (let back = 0; back < this.bucketCount; back += 1) {
      missing -= this.countAt(back, kind);
      if (missing <= 0) return back + 1;
    }
    return this.bucketCount;
  }

  private countAt(back: number, kind: number): number {
    const bucket = (this.newest + this.bucketCount - back) % this.bucketCount;
    return this.counts[bucket * this.kindCount + kind] ?? 0;
  }

  clear(): void {
    this.counts.fill(0);
    this.sums.fill(0);
  }

  /** Forgets what is too old. A clock that goes back is taken to stand still. */
  private advance(nowMs: number): void {
    const now = Math.floor(nowMs / this.bucketMs);
    if (now <= this.newest) return;
    if (now - this.newest >= this.bucketCount) this.clear();
    else for (let bucket = this.newest + 1; bucket <= now; bucket += 1) this.forget(bucket % this.bucketCount);
    this.newest = now;
  }

  private forget(bucket: number): void {
    for (let kind = 0; kind < this.kindCount; kind += 1) {
      const at = bucket * this.kindCount + kind;
      this.sums[kind] = (this.sums[kind] ?? 0) - (this.counts[at] ?? 0);
      this.counts[at] = 0;
    }
  }
}
