import { type Balancer, type Candidate, weightOf } from './candidate.ts';
import { Lottery } from './lottery.ts';

/** The cost of one that has not answered yet but is busy: others are asked first, as in Finagle. */
const UNKNOWN_COST = 1e12;

/**
 * Draws two in proportion to their weights and takes the one that costs less (Mitzenmacher 2001), where cost is what
 * Finagle and Linkerd take: latency × requests it has, here for its weight, with the new one. Of one that has
 * not answered yet one request is the measure: it costs nothing while it is idle, and much until it has answered. A failure
 * has to be told as a high latency (`Ewma.fail`), or one that fails at once would cost least of all.
 *
 * A latency that fades while a candidate is idle (`Ewma.at`) brings one that was slow back. O(log n).
 */
export class PowerOfTwo<Item extends Candidate> implements Balancer<Item> {
  private readonly lottery = new Lottery<Item>();

  add(item: Item): void {
    this.lottery.add(item);
  }

  remove(item: Item): void {
    this.lottery.remove(item);
  }

  update(item: Item): void {
    this.lottery.update(item);
  }

  pick(usable: (item: Item) => boolean, _key: number | null, random: () => number): Item | null {
    const one = this.lottery.draw(usable, random);
    const other = one === null ? null : this.lottery.draw(usable, random);
    this.lottery.putBack();
    // Where both cost the same the first is taken, for it was drawn by weight alone.
    return one !== null && other !== null && cost(other) < cost(one) ? other : one;
  }
}

function cost(item: Candidate): number {
  const { loadCount, latencyMs } = item;
  const load = loadCount / weightOf(item);
  if (latencyMs === null) return loadCount === 0 ? 0 : UNKNOWN_COST * (1 + load);
  return latencyMs * (1 + load);
}
