import { type Balancer, type Candidate, weightOf } from './candidate.ts';
import { Heap, type HeapNode } from './heap.ts';

interface Turn<Item> extends HeapNode<Item> {
  weight: number;
  /** Virtual time from which its next turn may be taken, and before which it is due: one turn, 1 / weight, later. */
  startsAt: number;
  /** `startsAt` has not come. */
  waiting: boolean;
}

/** Virtual time is counted anew before it is so large that small steps are lost. */
const REBASE_AT = 2 ** 20;
/** What sums of rounded fractions may be off by. */
const ROUNDING = 1e-9;

/**
 * Turns in proportion to weights, and evenly spread: each turn goes to the candidate whose turn is due earliest among
 * those whose turn has begun (WF²Q, Bennett and Zhang 1996; "earliest eligible virtual deadline first"). O(log n).
 *
 * As with nginx's smooth rule, each round of W turns, the sum of whole weights, gives each exactly its weight. A
 * candidate is never ahead of its share by a whole turn, and never has more than 1 + W / (W - weight) turns in a row.
 * One that was not usable is not owed the turns it missed.
 */
export class WeightedRoundRobin<Item extends Candidate> implements Balancer<Item> {
  private readonly turns = new Map<Item, Turn<Item>>();
  /** Those whose turn has begun, by when it is due. */
  private readonly begun = new Heap<Item, Turn<Item>>();
  /** The others, by when it begins. */
  private readonly waiting = new Heap<Item, Turn<Item>>();
  private virtualTime = 0;
  private weightSum = 0;
  private addedCount = 0;

  add(item: Item): void {
    if (this.turns.has(item)) return;
    this.addedCount += 1;
    const weight = weightOf(item);
    const startsAt = this.virtualTime;
    const key = startsAt + 1 / weight;
    const turn = { item, weight, startsAt, waiting: false, key, tie: 0, order: this.addedCount, at: 0 };
    this.turns.set(item, turn);
    this.weightSum += weight;
    this.begun.push(turn);
  }

  remove(item: Item): void {
    const turn = this.turns.get(item);
    if (turn === undefined) return;
    this.turns.delete(item);
    this.weightSum = this.turns.size === 0 ? 0 : this.weightSum - turn.weight;
    (turn.waiting ? this.waiting : this.begun).remove(turn);
  }

  update(item: Item): void {
    const turn = this.turns.get(item);
    const weight = weightOf(item);
    if (turn === undefined || turn.weight === weight) return;
    // What it still has to wait shrinks as its weight grows.
    if (turn.startsAt > this.virtualTime) {
      turn.startsAt = this.virtualTime + ((turn.startsAt - this.virtualTime) * turn.weight) / weight;
    }
    this.weightSum += weight - turn.weight;
    turn.weight = weight;
    turn.key = turn.waiting ? turn.startsAt : turn.startsAt + 1 / weight;
    (turn.waiting ? this.waiting : this.begun).changed(turn);
  }

  pick(usable: (item: Item) => boolean, _key?: number | null, _random?: () => number, takesTurn = true): Item | null {
    this.beginTurns();
    const turn = this.begun.firstUsable(usable) ?? this.waiting.firstUsable(usable);
    if (turn === null) return null;
    if (!takesTurn) return turn.item;
    if (turn.waiting) {
      this.waiting.remove(turn);
      if (turn.startsAt > this.virtualTime) this.virtualTime = turn.startsAt;
    } else this.begun.remove(turn);
    turn.startsAt = Math.max(turn.startsAt + 1 / turn.weight, this.virtualTime);
    turn.key = turn.startsAt;
    turn.waiting = true;
    this.waiting.push(turn);
    this.virtualTime += 1 / this.weightSum;
    if (this.virtualTime > REBASE_AT) this.rebase();
    return turn.item;
  }

  private beginTurns(): void {
    const untilTime = this.virtualTime + ROUNDING;
    for (let turn = this.waiting.first; turn !== undefined && turn.startsAt <= untilTime; turn = this.waiting.first) {
      this.waiting.remove(turn);
      turn.waiting = false;
      turn.key = turn.startsAt + 1 / turn.weight;
      this.begun.push(turn);
    }
  }

  private rebase(): void {
    for (const turn of this.turns.values()) {
      turn.startsAt -= this.virtualTime;
      turn.key -= this.virtualTime;
    }
    this.virtualTime = 0;
  }
}
