import type { Balancer, Candidate } from './candidate.ts';

/** A place in the round, which is a ring; alone it is its own neighbour. */
class Place<Item> {
  readonly item: Item;
  next: Place<Item> = this;
  previous: Place<Item> = this;

  constructor(item: Item) {
    this.item = item;
  }
}

/**
 * Everybody in turn, whatever their weight. The next turn is that of the one after the chosen one, so that the neighbour
 * of one that is not usable has no second turn in the round.
 */
export class RoundRobin<Item extends Candidate> implements Balancer<Item> {
  private readonly places = new Map<Item, Place<Item>>();
  /** Who was chosen last; new ones come behind it, which is the end of the round. */
  private last: Place<Item> | null = null;

  add(item: Item): void {
    if (this.places.has(item)) return;
    const place = new Place(item);
    this.places.set(item, place);
    const { last } = this;
    if (last !== null) {
      place.previous = last;
      place.next = last.next;
      last.next.previous = place;
      last.next = place;
    }
    this.last = place;
  }

  remove(item: Item): void {
    const place = this.places.get(item);
    if (place === undefined) return;
    this.places.delete(item);
    place.previous.next = place.next;
    place.next.previous = place.previous;
    if (this.last === place) this.last = place.previous === place ? null : place.previous;
  }

  update(): void {}

  pick(usable: (item: Item) => boolean, _key?: number | null, _random?: () => number, takesTurn = true): Item | null {
    const { last } = this;
    if (last === null) return null;
    let place = last;
    do {
      place = place.next;
      if (usable(place.item)) {
        if (takesTurn) this.last = place;
        return place.item;
      }
    } while (place !== last);
    return null;
  }
}
