/**
 * Weights of numbered slots and the sums over them, for drawing a slot in proportion to its weight in O(log n). Sums are
 * always made anew from below, so rounding does not add up.
 */
export class WeightTree {
  /** Sums from the root at 1; leaves are the second half. */
  private sums = new Float64Array(2);
  private leafCount = 1;

  get weightSum(): number {
    return this.sums[1] ?? 0;
  }

  get(slot: number): number {
    return this.sums[this.leafCount + slot] ?? 0;
  }

  set(slot: number, weight: number): void {
    while (slot >= this.leafCount) this.grow();
    const { sums } = this;
    let at = this.leafCount + slot;
    sums[at] = weight;
    for (at >>= 1; at >= 1; at >>= 1) sums[at] = (sums[2 * at] ?? 0) + (sums[2 * at + 1] ?? 0);
  }

  /** The slot at `random` in [0, 1) of the sum; -1 when that is 0. */
  draw(random: number): number {
    const { sums, leafCount } = this;
    let rest = random * (sums[1] ?? 0);
    if (!((sums[1] ?? 0) > 0)) return -1;
    let at = 1;
    while (at < leafCount) {
      at *= 2;
      const left = sums[at] ?? 0;
      // What rounding leaves over must not lead to a side without weight.
      if (rest >= left && (sums[at + 1] ?? 0) > 0) {
        rest -= left;
        at += 1;
      }
    }
    return at - leafCount;
  }

  private grow(): void {
    const weights = this.sums.subarray(this.leafCount);
    this.leafCount *= 2;
    this.sums = new Float64Array(2 * this.leafCount);
    this.sums.set(weights, this.leafCount);
    for (let at = this.leafCount - 1; at >= 1; at -= 1) {
      this.sums[at] = (this.sums[2 * at] ?? 0) + (this.sums[2 * at + 1] ?? 0);
    }
  }
}
