import type { Balancer, Candidate } from './candidate.ts';
import { Lottery } from './lottery.ts';

/** Any one, in proportion to weights. O(log n). */
export class RandomChoice<Item extends Candidate> implements Balancer<Item> {
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
    const item = this.lottery.draw(usable, random);
    this.lottery.putBack();
    return item;
  }
}
