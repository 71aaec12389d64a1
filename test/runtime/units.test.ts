import assert from 'node:assert/strict';
import { test } from 'node:test';
import { millisecondsOrNone, type OptionKind, usualKind, wholeNumber } from '../../src/core/option-kind.ts';
import type { Leaf } from '../../src/runtime/schema/tree.ts';
import { configTree } from '../../src/runtime/schema.ts';

/** Options of which the library says more than their names do. */
const OWN_KINDS: readonly (readonly [path: RegExp, kind: OptionKind | null])[] = [
  [/slowStart\.windowMs$/, millisecondsOrNone],
  [/rateLimit\.keyMaxCount$/, wholeNumber(1, 100_000_000)],
  [/endpoints\[\]/, null],
  // The ranges that HTTP/2 allows: the library and the schema have them from the same table.
  [/^listeners\[\]\.http2\./, null],
];

const SAMPLES = [-1, 0, 0.5, 1, 1.5, 2, 100_000_000, 200_000_000];

function kindOf({ path }: Leaf): OptionKind | null {
  const own = OWN_KINDS.find(([pattern]) => pattern.test(path));
  if (own !== undefined) return own[1];
  const name = path.slice(path.lastIndexOf('.') + 1);
  return /(?:Ms|Bytes|PerSec|Count|Ratio)$/.test(name) ? usualKind(name, null) : null;
}

/** Whether the JSON Schema takes a number. */
function takes(node: Leaf['node'], value: number): boolean {
  if (node.anyOf !== undefined) return node.anyOf.some((form) => takes(form, value));
  if (node.type !== 'number' && node.type !== 'integer') return false;
  const { minimum = -Infinity, exclusiveMinimum = -Infinity, maximum = Infinity } = node;
  if (node.type === 'integer' && !Number.isInteger(value)) return false;
  return value >= minimum && value > Number(exclusiveMinimum) && value <= maximum;
}

test('the configuration takes the same numbers as the library, whatever they are called', () => {
  let count = 0;
  for (const leaf of configTree().leaves()) {
    const kind = kindOf(leaf);
    if (kind === null) continue;
    count += 1;
    for (const value of SAMPLES) {
      assert.equal(takes(leaf.node, value), kind.faults(value).length === 0, `${leaf.path}: ${value}`);
    }
  }
  assert.ok(count > 100, `${count} keys with a unit`);
});
