import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Linked, LinkedList } from '../../src/core/linked-list.ts';

class Node implements Linked<Node> {
  previous: Node | null = null;
  next: Node | null = null;
}

const forwards = (list: LinkedList<Node>): Node[] => {
  const nodes: Node[] = [];
  for (let node = list.first; node !== null; node = node.next) nodes.push(node);
  return nodes;
};

const backwards = (list: LinkedList<Node>): Node[] => {
  const nodes: Node[] = [];
  for (let node = list.last; node !== null; node = node.previous) nodes.unshift(node);
  return nodes;
};

test('whoever leaves, from wherever, the others stay in their order; who has left cannot leave twice, and may come again', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(30), { maxLength: 60 }), (steps) => {
      const list = new LinkedList<Node>();
      const model: Node[] = [];
      const out: Node[] = [];
      for (const at of steps) {
        if (at % 2 === 0 || model.length === 0) {
          const node = out.pop() ?? new Node();
          list.push(node);
          model.push(node);
        } else {
          const [node] = model.splice(at % model.length, 1);
          if (node === undefined) continue;
          list.remove(node);
          list.remove(node);
          out.push(node);
        }
        assert.deepEqual(forwards(list), model);
        assert.deepEqual(backwards(list), model);
        assert.equal(list.count, model.length);
      }
    }),
  );
});
