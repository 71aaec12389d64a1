/** How urgent a response is, and whether it is of use in parts (RFC 9218 §4). */
export interface Priority {
  /** 0, the most urgent, to 7. */
  readonly urgency: number;
  /** It shares the connection with others of its urgency; else it goes before those that came later. */
  readonly incremental: boolean;
}

/**
 * Of a request that says nothing. RFC 9218 §4.2 has it wait for its elders; but who says nothing does not know the
 * scheme, and is more often a proxy for many people than a browser that loads one page: they share.
 */
export const UNSAID: Priority = { urgency: 3, incremental: true };

/** What a field that says nothing we understand comes to (RFC 9218 §4). */
const SAID_NOTHING: Priority = { urgency: 3, incremental: false };

// Of members with one name the last counts (RFC 8941 §3.2).
const URGENCY = /^(?:.*[,\s])?u=([0-7])(?![^,;\s])/;
const INCREMENTAL = /^(?:.*[,\s])?i(?:=\?([01]))?(?![^,;\s])/;
const remembered = new Map<string, Priority>();
const REMEMBERED_MAX_COUNT = 64;
/** What is longer says more than anybody asks, and is not worth reading. */
const VALUE_MAX_CHARS = 64;

/** Reads a `priority` field or the value of PRIORITY_UPDATE; what it does not understand it takes for the default. */
export function parsePriority(value: string): Priority {
  if (value.length > VALUE_MAX_CHARS) return SAID_NOTHING;
  const known = remembered.get(value);
  if (known !== undefined) return known;
  const incremental = INCREMENTAL.exec(value);
  const priority = {
    urgency: Number(URGENCY.exec(value)?.[1] ?? 3),
    incremental: incremental !== null && incremental[1] !== '0',
  };
  if (remembered.size >= REMEMBERED_MAX_COUNT) remembered.clear();
  remembered.set(value, priority);
  return priority;
}

/** What can be scheduled: a stream that has bytes to send. */
export interface Schedulable {
  readonly priority: Priority;
  /** It is in a queue of the scheduler. */
  scheduled: boolean;
}

/** Decides whose DATA goes next: the most urgent; among these the elder, unless they share. */
export class Scheduler<Item extends Schedulable> {
  private readonly queues: Item[][] = Array.from({ length: 8 }, () => []);
  private count = 0;

  get empty(): boolean {
    return this.count === 0;
  }

  /** It has something to send. */
  add(item: Item): void {
    if (item.scheduled) return;
    item.scheduled = true;
    this.queues[item.priority.urgency]?.push(item);
    this.count += 1;
  }

  /** It has nothing to send any more, or is not allowed to. */
  remove(item: Item): void {
    if (!item.scheduled) return;
    item.scheduled = false;
    for (const queue of this.queues) {
      const at = queue.indexOf(item);
      if (at === -1) continue;
      queue.splice(at, 1);
      this.count -= 1;
      return;
    }
  }

  /** Whose turn it is; `null` when nobody has anything to send. */
  next(): Item | null {
    if (this.count === 0) return null;
    for (const queue of this.queues) {
      const [first] = queue;
      if (first !== undefined) return first;
    }
    return null;
  }

  /** It has sent a frame and has more: one that shares goes behind the others of its urgency. */
  sent(item: Item): void {
    if (!item.scheduled || !item.priority.incremental) return;
    const queue = this.queues[item.priority.urgency];
    if (queue === undefined || queue.length < 2 || queue[0] !== item) return;
    queue.shift();
    queue.push(item);
  }

  /** Its priority changes. */
  move(item: Item, change: () => void): void {
    const { scheduled } = item;
    this.remove(item);
    change();
    if (scheduled) this.add(item);
  }
}
