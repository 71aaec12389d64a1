import assert from 'node:assert/strict';
import { test } from 'node:test';
import { halfSipHash } from '../../../src/policy/rate/half-sip-hash.ts';

function hash(text: string, key0 = 1, key1 = 2): bigint {
  const out = new Uint32Array(2);
  halfSipHash(text, key0, key1, out);
  return (BigInt(out[0] ?? 0) << 32n) | BigInt(out[1] ?? 0);
}

const addresses = Array.from({ length: 65_536 }, (_, index) => `10.1.${index >> 8}.${index & 255}`);

test('no two of 65 536 addresses have the same 64 bits', () => {
  assert.equal(new Set(addresses.map((address) => hash(address))).size, addresses.length);
});

test('length, order, every unit and both halves of the key count', () => {
  const texts = [
    '',
    '\0',
    '\0\0',
    'ab',
    'ba',
    'abc',
    'abd',
    'bbc',
    'a\u0100',
    '\u0100a',
    '1'.repeat(128),
    '1'.repeat(129),
  ];
  assert.equal(new Set(texts.map((text) => hash(text))).size, texts.length);
  assert.equal(new Set([hash('a', 1, 2), hash('a', 2, 1), hash('a', 1, 3), hash('a', 5, 2)]).size, 4);
});

test('each bit is set half of the time, and turns half of the time when one unit changes', () => {
  const hashes = addresses.map((address) => hash(address));
  for (let bit = 0n; bit < 64n; bit += 1n) {
    const set = hashes.filter((value) => (value >> bit) & 1n).length;
    const turned = hashes.filter((value, index) => ((value ^ (hashes[index ^ 1] ?? 0n)) >> bit) & 1n).length / 2;
    // Five standard deviations: of 65 536 fair bits 128 each, of 32 768 pairs 90.5 each.
    assert.ok(Math.abs(set - 32_768) < 5 * 128, `bit ${bit} set ${set} times`);
    assert.ok(Math.abs(turned - 16_384) < 5 * 90.5, `bit ${bit} turned ${turned} times`);
  }
});
