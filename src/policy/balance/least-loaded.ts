import { type Balancer, type Candidate, weightOf } from './candidate.ts';
import { Heap, type HeapNode } from './heap.ts';

interface Load<Item> extends HeapNode<Item> {
  weight: number;
}

/**
 * The one that has the fewest requests, with `weighted` for its weight. Those that are equal take turns, in
 * proportion to their weights, so that none is left out while there is little to do. O(log n).
 */
export class LeastLoaded<Item extends Candidate> implements Balancer<Item> {
  private readonly loads = new Map<Item, Load<Item>>();
  private readonly heap = new Heap<Item, Load<Item>>();
  private readonly weighted: boolean;
  /** When the last turn was due, in turns of weight 1. */
  private dueAt = 0;
  private addedCount = 0;

  constructor(weighted: boolean) {
    this.weighted = weighted;
  }

  add(item: Item): void {
    if (this.loads.has(item)) return;
    const weight = this.weighted ? weightOf(item) : 1;
    this.addedCount += 1;
    const tie = this.dueAt + 1 / weight;
    const load = { item, weight, key: item.loadCount / weight, tie, order: this.addedCount, at: 0 };
    this.loads.set(item, load);
    this.heap.push(load);
  }

  remove(item: Item): void {
    const load = this.loads.get(item);
    if (load === undefined) return;
    this.loads.delete(item);
    this.heap.remove(load);
  }

  update(item: Item): void {
    const load = this.loads.get(item);
    if (load === undefined) return;
    if (this.weighted) load.weight = weightOf(item);
    load.key = item.loadCount / load.weight;
    this.heap.changed(load);
  }

  pick(usable: (item: Item) => boolean, _key?: number | null, _random?: () => number, takesTurn = true): Item | null {
    const load = this.heap.firstUsable(usable);
    if (load === null) return null;
    if (!takesTurn) return load.item;
    // Turns go to whom they are due earliest. Who was busy for long is owed no turns for that.
    this.dueAt = Math.max(this.dueAt, load.tie);
    load.tie = this.dueAt + 1 / load.weight;
    this.heap.changed(load);
    return load.item;
  }
}
