import { withDefaults } from '../core/options.ts';

export interface FairQueueOptions {
  /** Requests that may wait, of all tenants together. */
  queueMaxCount: number;
  /** Requests of one tenant that may wait; `null` leaves it to the room that is left. */
  tenantQueueMaxCount: number | null;
}

const FAIR_QUEUE_DEFAULTS: Readonly<FairQueueOptions> = { queueMaxCount: 1000, tenantQueueMaxCount: null };

/** Taken entries are cut off when they are so many, and half of the array. */
const CUT_COUNT = 32;

/** What waits of one tenant, and its place in the round. */
class Tenant<Item> {
  readonly name: string;
  weight: number;
  credit = 0;
  next: Tenant<Item> | null = null;
  private items: Item[] = [];
  private takenCount = 0;

  constructor(name: string, weight: number) {
    this.name = name;
    this.weight = weight;
  }

  get count(): number {
    return this.items.length - this.takenCount;
  }

  push(item: Item): void {
    this.items.push(item);
  }

  take(): Item | undefined {
    const item = this.items[this.takenCount];
    this.takenCount += 1;
    if (this.takenCount >= CUT_COUNT && this.takenCount * 2 >= this.items.length) {
      this.items = this.items.slice(this.takenCount);
      this.takenCount = 0;
    }
    return item;
  }

  withdraw(item: Item): boolean {
    const at = this.items.indexOf(item, this.takenCount);
    if (at === -1) return false;
    this.items.splice(at, 1);
    return true;
  }
}

/**
 * A queue that is shared fairly: deficit round robin (Shreedhar and Varghese, 1995) over tenants, each request counting
 * the same. In each round a tenant that waits is served as often as its weight says, so that a tenant never waits longer than
 * the weights of the others that wait, whatever they send. O(1). A tenant of whom nothing waits is forgotten, so only
 * the queue's length bounds the memory.
 *
 * A tenant may fill as much of the queue as is left free, times its weight (dynamic thresholds, Choudhury and Hahne,
 * 1998). Alone it gets half, of n greedy ones of weight 1 each gets 1 / (n + 1): there is room for one who has nothing there yet.
 */
export class FairQueue<Item> {
  count = 0;
  private readonly options: FairQueueOptions;
  private readonly tenants = new Map<string, Tenant<Item>>();
  /** The round: who is served now, and who comes last. */
  private first: Tenant<Item> | null = null;
  private last: Tenant<Item> | null = null;

  /** Throws `TypeError` for wrong options. */
  constructor(given?: Partial<FairQueueOptions>) {
    this.options = withDefaults('fair queue', FAIR_QUEUE_DEFAULTS, given, ['tenantQueueMaxCount']);
  }

  /** Tenants of whom something waits. */
  get tenantCount(): number {
    return this.tenants.size;
  }

  /**
   * Lines a request up; `false` when its tenant has no room. `weight` is 1 or more; what is less counts as 1. A tenant's
   * name must come from where it cannot be made up, or anybody is as many tenants as he likes.
   */
  offer(tenantName: string, weight: number, item: Item): boolean {
    const { queueMaxCount, tenantQueueMaxCount } = this.options;
    const known = this.tenants.get(tenantName);
    const waitingCount = known?.count ?? 0;
    const share = Math.max(1, weight);
    if (waitingCount >= share * (queueMaxCount - this.count)) return false;
    if (tenantQueueMaxCount !== null && waitingCount >= tenantQueueMaxCount) return false;
    const tenant = known ?? this.open(tenantName);
    tenant.weight = share;
    tenant.push(item);
    this.count += 1;
    return true;
  }

  /** The next request to serve, or `undefined`. */
  take(): Item | undefined {
    const tenant = this.first;
    if (tenant === null) return undefined;
    if (tenant.credit < 1) tenant.credit += tenant.weight;
    tenant.credit -= 1;
    this.count -= 1;
    const item = tenant.take();
    if (tenant.count === 0) this.close(tenant);
    else if (tenant.credit < 1 && tenant.next !== null) {
      this.first = tenant.next;
      this.append(tenant);
    }
    return item;
  }

  /** Takes out one that will not wait any longer; `false` when it is not there. The oldest of a tenant is found first. */
  withdraw(tenantName: string, item: Item): boolean {
    const tenant = this.tenants.get(tenantName);
    if (tenant === undefined || !tenant.withdraw(item)) return false;
    this.count -= 1;
    if (tenant.count === 0) this.close(tenant);
    return true;
  }

  private open(name: string): Tenant<Item> {
    const tenant = new Tenant<Item>(name, 1);
    this.tenants.set(name, tenant);
    this.append(tenant);
    return tenant;
  }

  /** Leaves the round. Who is served is the first in it; who withdraws may be any. */
  private close(tenant: Tenant<Item>): void {
    this.tenants.delete(tenant.name);
    let before: Tenant<Item> | null = null;
    if (this.first === tenant) this.first = tenant.next;
    else {
      before = this.first;
      while (before !== null && before.next !== tenant) before = before.next;
      if (before !== null) before.next = tenant.next;
    }
    if (this.last === tenant) this.last = before;
  }

  private append(tenant: Tenant<Item>): void {
    tenant.next = null;
    if (this.last === null) this.first = tenant;
    else this.last.next = tenant;
    this.last = tenant;
  }
}
