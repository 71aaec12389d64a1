import { type Linked, LinkedList } from '../core/linked-list.ts';
import { withDefaults } from '../core/options.ts';

export interface FairQueueOptions {
  /** Requests that may wait, of all tenants together. */
  queueMaxCount: number;
  /** Requests of one tenant that may wait; `null` leaves it to the room that is left. */
  tenantQueueMaxCount: number | null;
}

const FAIR_QUEUE_DEFAULTS: Readonly<FairQueueOptions> = { queueMaxCount: 1000, tenantQueueMaxCount: null };

/** A place in the queue. */
export class FairPlace<Item> implements Linked<FairPlace<Item>> {
  readonly item: Item;
  previous: FairPlace<Item> | null = null;
  next: FairPlace<Item> | null = null;
  /** Whose it is; `null` when it was given up or taken. */
  tenant: Tenant<Item> | null;

  constructor(item: Item, tenant: Tenant<Item>) {
    this.item = item;
    this.tenant = tenant;
  }
}

/** What waits of one tenant, and its place in the round. */
class Tenant<Item> implements Linked<Tenant<Item>> {
  readonly name: string;
  readonly line = new LinkedList<FairPlace<Item>>();
  weight: number;
  credit = 0;
  previous: Tenant<Item> | null = null;
  next: Tenant<Item> | null = null;

  constructor(name: string, weight: number) {
    this.name = name;
    this.weight = weight;
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
  /** The first is the one that is served now. */
  private readonly round = new LinkedList<Tenant<Item>>();

  /** Throws `TypeError` for wrong options. */
  constructor(given?: Partial<FairQueueOptions>) {
    this.options = withDefaults('fair queue', FAIR_QUEUE_DEFAULTS, given);
  }

  /** Tenants of whom something waits. */
  get tenantCount(): number {
    return this.round.count;
  }

  /**
   * Lines a request up; `null` when its tenant has no room. `weight` is 1 or more; what is less counts as 1. A tenant's
   * name must come from where it cannot be made up, or anybody is as many tenants as he likes.
   */
  offer(tenantName: string, weight: number, item: Item): FairPlace<Item> | null {
    const { queueMaxCount, tenantQueueMaxCount } = this.options;
    const known = this.tenants.get(tenantName);
    const waitingCount = known?.line.count ?? 0;
    const share = Math.max(1, weight);
    if (waitingCount >= share * (queueMaxCount - this.count)) return null;
    if (tenantQueueMaxCount !== null && waitingCount >= tenantQueueMaxCount) return null;
    const tenant = known ?? this.open(tenantName);
    const place = new FairPlace(item, tenant);
    tenant.weight = share;
    tenant.line.push(place);
    this.count += 1;
    return place;
  }

  /** The next request to serve, or `undefined`. */
  take(): Item | undefined {
    const tenant = this.round.first;
    const place = tenant?.line.first ?? null;
    if (tenant === null || place === null) return undefined;
    if (tenant.credit < 1) tenant.credit += tenant.weight;
    tenant.credit -= 1;
    this.leave(place, tenant);
    if (tenant.line.count > 0 && tenant.credit < 1) {
      this.round.remove(tenant);
      this.round.push(tenant);
    }
    return place.item;
  }

  /** Gives up a place; `false` when it was given up or taken already. */
  withdraw(place: FairPlace<Item>): boolean {
    if (place.tenant === null) return false;
    this.leave(place, place.tenant);
    return true;
  }

  private open(name: string): Tenant<Item> {
    const tenant = new Tenant<Item>(name, 1);
    this.tenants.set(name, tenant);
    this.round.push(tenant);
    return tenant;
  }

  private leave(place: FairPlace<Item>, tenant: Tenant<Item>): void {
    place.tenant = null;
    tenant.line.remove(place);
    this.count -= 1;
    if (tenant.line.count > 0) return;
    this.tenants.delete(tenant.name);
    this.round.remove(tenant);
  }
}
