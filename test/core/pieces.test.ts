import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Pieces } from '../../src/core/pieces.ts';

const put = (pieces: Pieces, piece: Uint8Array): void => {
  if (!pieces.merge(piece)) pieces.add(piece);
};

test('a body in crumbs is kept in few pieces', () => {
  const pieces = new Pieces();
  for (let i = 0; i < 100_000; i += 1) put(pieces, Uint8Array.of(i & 0xff));
  assert.equal(pieces.byteCount, 100_000);
  const taken = pieces.take();
  assert.ok(taken.length <= 9, `${taken.length} pieces`);
  const all = Buffer.concat(taken);
  assert.deepEqual([all.length, all[0], all[255], all[99_999]], [100_000, 0, 255, 99_999 & 0xff]);
});

test('a piece that comes alone, or is large, is kept as it is', () => {
  const pieces = new Pieces();
  const [first, large] = [Buffer.from('a'), Buffer.alloc(2000)];
  put(pieces, first);
  put(pieces, large);
  assert.deepEqual(
    pieces.take().map((piece) => piece === first || piece === large),
    [true, true],
  );
  assert.equal(pieces.byteCount, 0);
});

test('whatever the sizes, the bytes come out as they went in, also after some were taken', () => {
  const sizes = fc.array(fc.oneof(fc.nat(3), fc.integer({ min: 1000, max: 1050 }), fc.nat(20_000)), { maxLength: 40 });
  fc.assert(
    fc.property(sizes, fc.nat(40), (lengths, takenAt) => {
      const pieces = new Pieces();
      const [given, got]: [Buffer[], Uint8Array[]] = [[], []];
      lengths.forEach((length, index) => {
        const piece = Buffer.alloc(length, index);
        given.push(Buffer.from(piece));
        put(pieces, piece);
        if (index === takenAt) got.push(...pieces.take());
      });
      got.push(...pieces.take());
      assert.ok(Buffer.concat(got).equals(Buffer.concat(given)));
    }),
  );
});
