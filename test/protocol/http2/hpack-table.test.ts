import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DynamicTable, FieldLine, STATIC_LINES } from '../../../src/protocol/http2/hpack-table.ts';

test('the static table has 61 lines, those of the RFC at their places (RFC 7541 appendix A)', () => {
  assert.equal(STATIC_LINES.length, 61);
  const at = (index: number): (string | undefined)[] => [STATIC_LINES[index - 1]?.name, STATIC_LINES[index - 1]?.value];
  assert.deepEqual(at(1), [':authority', '']);
  assert.deepEqual(at(2), [':method', 'GET']);
  assert.deepEqual(at(14), [':status', '500']);
  assert.deepEqual(at(16), ['accept-encoding', 'gzip, deflate']);
  assert.deepEqual(at(28), ['content-length', '']);
  assert.deepEqual(at(32), ['cookie', '']);
  assert.deepEqual(at(46), ['location', '']);
  assert.deepEqual(at(61), ['www-authenticate', '']);
});

test('a table behaves as a list whose newest is first and whose oldest leave (RFC 7541 §4)', () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ insert: fc.nat(120) }) },
    { weight: 1, arbitrary: fc.record({ resize: fc.constantFrom(0, 40, 100, 1000, 3000, 4096, 20_000) }) },
  );
  const property = fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
    const table = new DynamicTable();
    let list: FieldLine[] = [];
    let maxBytes = 4096;
    for (const next of steps) {
      if ('insert' in next) {
        const line = new FieldLine('', 'x'.repeat(next.insert));
        table.insert(line);
        list.unshift(line);
      } else {
        maxBytes = next.resize;
        table.resize(maxBytes);
      }
      let sizeBytes = 0;
      list = list.filter((line) => {
        sizeBytes += line.sizeBytes;
        return sizeBytes <= maxBytes;
      });
      assert.equal(table.count, list.length);
      assert.equal(
        table.sizeBytes,
        list.reduce((sum, line) => sum + line.sizeBytes, 0),
      );
    }
    for (const [position, line] of list.entries()) assert.equal(table.at(position), line);
    for (let beyond = list.length; beyond < 300; beyond += 1) assert.equal(table.at(beyond), undefined);
  });
  fc.assert(property, { numRuns: 100 });
});
