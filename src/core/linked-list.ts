/** What may be in a list. It holds its own place there, so that it can leave from anywhere at once. */
export interface Linked<Self> {
  previous: Self | null;
  next: Self | null;
}

/** A line: who comes last is behind all others, and anybody leaves in constant time. */
export class LinkedList<Node extends Linked<Node>> {
  first: Node | null = null;
  last: Node | null = null;
  count = 0;

  /** Puts one behind all others. It is in no list yet. */
  push(node: Node): void {
    node.previous = this.last;
    node.next = null;
    if (this.last === null) this.first = node;
    else this.last.next = node;
    this.last = node;
    this.count += 1;
  }

  /** Takes one out that is in this list, or in none: then nothing happens. */
  remove(node: Node): void {
    if (node.previous !== null) node.previous.next = node.next;
    else if (this.first === node) this.first = node.next;
    else return;
    if (node.next === null) this.last = node.previous;
    else node.next.previous = node.previous;
    node.previous = null;
    node.next = null;
    this.count -= 1;
  }
}
