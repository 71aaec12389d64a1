import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
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

/** The same from the paper, step by step: words in a list, one function for a round. */
function reference(text: string, key0: number, key1: number): bigint {
  const v = new Uint32Array([key0, key1 ^ 0xee, key0 ^ 0x6c796765, key1 ^ 0x74656462]);
  const at = (index: number): number => v[index] ?? 0;
  const rotate = (index: number, bits: number): number => (at(index) << bits) | (at(index) >>> (32 - bits));
  const add = (to: number, from: number, bits: number): void => {
    v[to] = at(to) + at(from);
    v[from] = rotate(from, bits) ^ at(to);
  };
  const round = (): void => {
    add(0, 1, 5);
    v[0] = rotate(0, 16);
    add(2, 3, 8);
    add(0, 3, 7);
    add(2, 1, 13);
    v[2] = rotate(2, 16);
  };
  const bytes = Buffer.from(text, 'utf16le');
  const padded = Buffer.alloc(Math.floor(bytes.length / 4) * 4 + 4);
  bytes.copy(padded);
  padded[padded.length - 1] = bytes.length & 255;
  for (let offset = 0; offset < padded.length; offset += 4) {
    const word = padded.readUInt32LE(offset);
    v[3] = at(3) ^ word;
    round();
    v[0] = at(0) ^ word;
  }
  const half = (): bigint => {
    for (let count = 0; count < 3; count += 1) round();
    return BigInt((at(1) ^ at(3)) >>> 0);
  };
  v[2] = at(2) ^ 0xee;
  const first = half();
  v[1] = at(1) ^ 0xdd;
  return (first << 32n) | half();
}

test('it is HalfSipHash-1-3 with 64 bits, as its paper writes it', () => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const property = fc.property(fc.array(fc.nat(0xffff), { maxLength: 200 }), word, word, (units, key0, key1) => {
    const text = String.fromCharCode(...units);
    assert.equal(hash(text, key0, key1), reference(text, key0, key1));
  });
  fc.assert(property);
});
