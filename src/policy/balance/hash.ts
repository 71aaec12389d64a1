import { type Balancer, type Candidate, weightOf } from './candidate.ts';
import { maglev } from './maglev.ts';
import { ring } from './ring.ts';

/** One that has places in a table. */
export interface Member {
  readonly id: string;
  readonly weight: number;
}

/** Which of the members, by their index, owns each place of a circle. */
export interface HashTable {
  readonly owners: Uint32Array;
  /** The place of a key. */
  readonly locate: (key: number) => number;
}

export const HASH_TABLES = { ring, maglev } as const satisfies Record<
  string,
  (members: readonly Member[]) => HashTable
>;

/** How requests are pinned to candidates. */
export interface HashOptions {
  table: keyof typeof HASH_TABLES;
  /** How far above its share of the requests in flight a candidate may be before keys go on to the next; `null` is off. */
  slackRatio: number | null;
}

export const HASH_DEFAULTS: Readonly<HashOptions> = { table: 'ring', slackRatio: null };

interface Place<Item> extends Member {
  readonly item: Item;
  weight: number;
  loadCount: number;
  /** The last decision in which it was looked at. */
  seenAt: number;
}

/**
 * The same key to the same candidate, whatever the order in which candidates came; to the next on the circle when that
 * is not usable. A request without a key goes to any.
 *
 * With `slackRatio` loads are bounded (Mirrokni, Thorup, Zadimoghaddam 2016): with c = 1 + slackRatio none that is chosen
 * answers more than ⌈c × its weight's share of all requests in flight⌉, the new one counted. Should all that are usable
 * be at their bound, because others are not usable, the one with the least load for its weight is chosen.
 *
 * After a change of members or weights the table is made anew by the next decision: about 10 ms for 1 000
 * candidates. So weights that change often (slow start) are not for this policy, and none but `add`, `remove` and a
 * weight that is really another cost anything.
 */
export class HashChoice<Item extends Candidate> implements Balancer<Item> {
  private readonly places = new Map<Item, Place<Item>>();
  private readonly build: (members: readonly Member[]) => HashTable;
  private readonly slackRatio: number | null;
  /** Made from `places` in the order of their ids; `null` when that has changed. */
  private table: HashTable | null = null;
  private ordered: Place<Item>[] = [];
  private weightSum = 0;
  private loadSum = 0;
  private decisionCount = 0;

  constructor(options: Readonly<HashOptions> = HASH_DEFAULTS) {
    this.build = HASH_TABLES[options.table];
    this.slackRatio = options.slackRatio;
  }

  add(item: Item): void {
    if (this.places.has(item)) return;
    const { id, loadCount } = item;
    this.places.set(item, { item, id, weight: weightOf(item), loadCount, seenAt: 0 });
    this.loadSum += loadCount;
    this.table = null;
  }

  remove(item: Item): void {
    const place = this.places.get(item);
    if (place === undefined) return;
    this.places.delete(item);
    this.loadSum -= place.loadCount;
    this.table = null;
  }

  update(item: Item): void {
    const place = this.places.get(item);
    if (place === undefined) return;
    this.loadSum += item.loadCount - place.loadCount;
    place.loadCount = item.loadCount;
    const weight = weightOf(item);
    if (place.weight === weight) return;
    place.weight = weight;
    this.table = null;
  }

  pick(usable: (item: Item) => boolean, key: number | null, random: () => number): Item | null {
    const { owners, locate } = this.table ?? this.rebuild();
    const { ordered } = this;
    this.decisionCount += 1;
    let at = locate(key ?? Math.floor(random() * 2 ** 32));
    let best: Place<Item> | null = null;
    for (let unseenCount = ordered.length; unseenCount > 0; at = at + 1 < owners.length ? at + 1 : 0) {
      const place = ordered[owners[at] ?? 0];
      if (place === undefined || place.seenAt === this.decisionCount) continue;
      place.seenAt = this.decisionCount;
      unseenCount -= 1;
      if (!usable(place.item)) continue;
      if (this.hasRoom(place)) return place.item;
      if (best === null || (place.loadCount + 1) * best.weight < (best.loadCount + 1) * place.weight) best = place;
    }
    return best?.item ?? null;
  }

  private hasRoom(place: Place<Item>): boolean {
    if (this.slackRatio === null) return true;
    const share = ((this.loadSum + 1) * place.weight) / this.weightSum;
    return place.loadCount + 1 <= Math.ceil((1 + this.slackRatio) * share);
  }

  private rebuild(): HashTable {
    this.ordered = [...this.places.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    this.weightSum = this.ordered.reduce((sum, { weight }) => sum + weight, 0);
    this.table = this.build(this.ordered);
    return this.table;
  }
}
