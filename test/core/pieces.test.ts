import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Pieces } from '../../src/core/pieces.ts';

const put = (pieces: Pieces, piece: Uint8Array): void => {
  if (!pieces.merge(piece)) pieces.addView(piece);
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
  const [first, large] = [Buffer.allocUnsafeSlow(1), Buffer.alloc(2000)];
  put(pieces, first);
  put(pieces, large);
  assert.deepEqual(
    pieces.take().map((piece) => piece === first || piece === large),
    [true, true],
  );
  assert.equal(pieces.byteCount, 0);
});

test('pieces that are small parts of what was read with them do not hold it', () => {
  for (const crumbs of [false, true]) {
    const pieces = new Pieces();
    for (let count = 0; count < 64; count += 1) {
      const read = Buffer.allocUnsafeSlow(65_536);
      put(pieces, read.subarray(0, 1024));
      if (crumbs) put(pieces, read.subarray(2000, 2001));
    }
    const { byteCount } = pieces;
    const memory = new Set(pieces.take().map(({ buffer }) => buffer));
    const heldBytes = [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0);
    assert.ok(heldBytes <= 2 * byteCount + 65_536, `${heldBytes} bytes for ${byteCount}`);
  }
});

test('large parts of one read are not copied', () => {
  const pieces = new Pieces();
  const reads = Array.from({ length: 4 }, () => Buffer.allocUnsafeSlow(65_536));
  for (const read of reads) for (let at = 9; at < 65_536; at += 16_393) put(pieces, read.subarray(at, at + 16_384));
  assert.ok(pieces.take().every(({ buffer }) => reads.some((read) => read.buffer === buffer)));
});

test('whatever the sizes, the bytes come out as they went in, also after some were taken', () => {
  const reads = Array.from({ length: 20 }, () => Buffer.allocUnsafeSlow(50_000));
  const sizes = fc.array(fc.oneof(fc.nat(3), fc.integer({ min: 1000, max: 1050 }), fc.nat(20_000)), { maxLength: 40 });
  fc.assert(
    fc.property(sizes, fc.nat(40), (lengths, takenAt) => {
      const pieces = new Pieces();
      const [given, got]: [Buffer[], Uint8Array[]] = [[], []];
      lengths.forEach((length, index) => {
        // Two of them lie in one memory, with much else.
        const at = (index & 1) * 25_000;
        const piece = reads[index >> 1]?.subarray(at, at + length).fill(index) ?? Buffer.alloc(0);
        given.push(Buffer.from(piece));
        put(pieces, index % 3 === 0 ? Buffer.from(piece) : piece);
        if (index === takenAt) got.push(...pieces.take());
        if (index > takenAt) got.push(pieces.takeFirst(length >> 1));
        const outBytes = got.reduce((sum, { length: bytes }) => sum + bytes, 0);
        assert.equal(
          pieces.byteCount + outBytes,
          given.reduce((sum, { length: bytes }) => sum + bytes, 0),
        );
      });
      got.push(...pieces.take());
      assert.ok(Buffer.concat(got).equals(Buffer.concat(given)));
    }),
  );
});
