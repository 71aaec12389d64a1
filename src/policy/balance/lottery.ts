import { type Candidate, weightOf } from './candidate.ts';
import { WeightTree } from './weight-tree.ts';

/** How often a draw is made again before what was drawn is taken out: mostly cheaper, and no less exact. */
const RETRY_COUNT = 2;

/**
 * Draws candidates in proportion to their weights. What is drawn is out of it until it is put back, so that
 * two draws give different ones, and exactly as if the ones that were not usable had not been there.
 */
export class Lottery<Item extends Candidate> {
  private readonly slots = new Map<Item, number>();
  private readonly items: Item[] = [];
  private readonly tree = new WeightTree();
  /** The slots that are out, and what they weighed. */
  private readonly outSlots: number[] = [];
  private readonly outWeights: number[] = [];
  private drawnSlot = -1;

  add(item: Item): void {
    if (this.slots.has(item)) return;
    this.slots.set(item, this.items.length);
    this.tree.set(this.items.length, weightOf(item));
    this.items.push(item);
  }

  remove(item: Item): void {
    const slot = this.slots.get(item);
    if (slot === undefined) return;
    const last = this.items.pop();
    this.slots.delete(item);
    const lastSlot = this.items.length;
    if (slot !== lastSlot && last !== undefined) {
      this.items[slot] = last;
      this.slots.set(last, slot);
      this.tree.set(slot, this.tree.get(lastSlot));
    }
    this.tree.set(lastSlot, 0);
  }

  update(item: Item): void {
    const slot = this.slots.get(item);
    if (slot === undefined) return;
    const weight = weightOf(item);
    if (this.tree.get(slot) !== weight) this.tree.set(slot, weight);
  }

  /** One that is usable and has not been drawn since `putBack`, or `null`. */
  draw(usable: (item: Item) => boolean, random: () => number): Item | null {
    let retryCount = this.items.length === 1 ? 0 : RETRY_COUNT;
    for (;;) {
      const slot = this.tree.draw(random());
      const item = this.items[slot];
      if (item === undefined) return null;
      if (slot !== this.drawnSlot && usable(item)) {
        this.drawnSlot = slot;
        return item;
      }
      retryCount -= 1;
      if (retryCount < 0) this.takeOut(slot);
    }
  }

  putBack(): void {
    this.drawnSlot = -1;
    for (let slot = this.outSlots.pop(); slot !== undefined; slot = this.outSlots.pop()) {
      this.tree.set(slot, this.outWeights.pop() ?? 0);
    }
  }

  private takeOut(slot: number): void {
    this.outSlots.push(slot);
    this.outWeights.push(this.tree.get(slot));
    this.tree.set(slot, 0);
  }
}
