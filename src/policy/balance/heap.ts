/** What a heap orders. `at` is its place there, and the heap's own business. */
export interface HeapNode<Item> {
  readonly item: Item;
  /** The smallest is first. */
  key: number;
  /** Between equal keys the smallest is first. */
  tie: number;
  /** Between equal ties the smallest is first. Never changes, and differs from all others'. */
  readonly order: number;
  at: number;
}

/** A binary heap whose nodes know their place, so that one whose key has changed is put right in O(log n). */
export class Heap<Item, Node extends HeapNode<Item>> {
  private readonly nodes: Node[] = [];

  get first(): Node | undefined {
    return this.nodes[0];
  }

  push(node: Node): void {
    this.nodes.push(node);
    this.rise(node, this.nodes.length - 1);
  }

  remove(node: Node): void {
    const moved = this.nodes.pop();
    if (moved === undefined || moved === node) return;
    this.nodes[node.at] = moved;
    moved.at = node.at;
    this.changed(moved);
  }

  /** The key or tie of a node is another. */
  changed(node: Node): void {
    const { at } = node;
    this.rise(node, at);
    if (node.at === at) this.sink(node, at);
  }

  /**
   * The first one that is usable. Looks only below those that are not: with k of these at most 2k + 1 are asked,
   * however many there are.
   */
  firstUsable(usable: (item: Item) => boolean): Node | null {
    const { first } = this;
    if (first === undefined) return null;
    return usable(first.item) ? first : this.search(2, usable, this.search(1, usable, null));
  }

  private search(at: number, usable: (item: Item) => boolean, best: Node | null): Node | null {
    const node = this.nodes[at];
    if (node === undefined || (best !== null && !before(node, best))) return best;
    if (usable(node.item)) return node;
    return this.search(2 * at + 2, usable, this.search(2 * at + 1, usable, best));
  }

  private rise(node: Node, from: number): void {
    const { nodes } = this;
    let at = from;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = nodes[up];
      if (parent === undefined || !before(node, parent)) break;
      nodes[at] = parent;
      parent.at = at;
      at = up;
    }
    nodes[at] = node;
    node.at = at;
  }

  private sink(node: Node, from: number): void {
    const { nodes } = this;
    let at = from;
    for (;;) {
      let down = 2 * at + 1;
      let child = nodes[down];
      if (child === undefined) break;
      const other = nodes[down + 1];
      if (other !== undefined && before(other, child)) {
        child = other;
        down += 1;
      }
      if (!before(child, node)) break;
      nodes[at] = child;
      child.at = at;
      at = down;
    }
    nodes[at] = node;
    node.at = at;
  }
}

function before(a: HeapNode<unknown>, b: HeapNode<unknown>): boolean {
  if (a.key !== b.key) return a.key < b.key;
  return a.tie === b.tie ? a.order < b.order : a.tie < b.tie;
}
