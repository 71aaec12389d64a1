import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeHuffman, encodeHuffman } from '../../../src/protocol/http2/huffman.ts';

const decode = (hex: string): string | null => {
  const bytes = Buffer.from(hex, 'hex');
  return decodeHuffman(bytes, 0, bytes.length);
};
const encode = (text: string): string | null => {
  const coded = encodeHuffman(text);
  return coded === null ? null : Buffer.from(coded, 'latin1').toString('hex');
};

test('the strings of the RFC are coded as it codes them, and back (RFC 7541 appendix C.4, C.6)', () => {
  const examples = [
    ['www.example.com', 'f1e3c2e5f23a6ba0ab90f4ff'],
    ['no-cache', 'a8eb10649cbf'],
    ['custom-key', '25a849e95ba97d7f'],
    ['custom-value', '25a849e95bb8e8b4bf'],
    ['302', '6402'],
    ['private', 'aec3771a4b'],
    ['Mon, 21 Oct 2013 20:13:21 GMT', 'd07abe941054d444a8200595040b8166e082a62d1bff'],
    ['https://www.example.com', '9d29ad171863c78f0b97c8e9ae82ae43d3'],
    ['gzip', '9bd9ab'],
  ] as const;
  for (const [text, hex] of examples) {
    assert.equal(encode(text), hex);
    assert.equal(decode(hex), text);
  }
});

test('each octet has the code that it has elsewhere (RFC 7541 appendix B)', () => {
  // All 256 in one string, as nghttp2 codes them behind the zeros that make it worth while.
  const zeros = '0'.repeat(1600);
  const octets = String.fromCharCode(...new Uint8Array(256).keys());
  const hex =
    'ffc7fffd8fffffe2fffffe3fffffe4fffffe5fffffe6fffffe7fffffe8ffffeafffffff3fffffa7fffffabffffffdfffffebfffffecf' +
    'ffffedfffffeefffffefffffff0ffffff1ffffff2fffffffbfffffcffffffd3fffffd7fffffdbfffffdffffffe3fffffe7fffffebfff' +
    'ffed4fe3f9ffaffcabf1febfafefe7fdfd2cbb00089969b71d79fb9f7fff20ffbff3ff50ddbd7f061c58f265cd9f469d5af66dddbf87' +
    '1e5f9cff7ff7fffc3ff9ffe45fff4719242cb34e6e9d68a6a3d7dac426defe3cfaf7fffbfe7ffbffdffffffcfffe6ffff4bfff9ffffa' +
    '3fffd3ffff53fffd5ffffb3fffeb7fffdaffffb7ffff73fffeeffffdeffffebffffbfffffd9ffffdbfffebffffe0ffffeeffffc3ffff' +
    '8bffff1ffffe4fffee7fffb1ffff97fffd9ffffcdffff9fffffbffffdafffeeffff4ffffb7fffee7fffe8ffffd3fffdeffffd5fffeef' +
    'fffbdffffe1fffdfffff7fffff5ffffecffff07fff87fffe0ffff17fffedffff87ffff77fffeffffeaffff8bfffe3ffff93ffff87fff' +
    'cbffff37ffff1fffff83ffffe1fffebfffe3ffff3fffff2ffffa3ffffd9fffff17ffffc7fffff27ffffdefffffbffffff2fffff8ffff' +
    'fb7fff97fff8fffffe6fffffc1fffff87ffffe7fffffc5ffffe5fffe4ffff2fffffd1fffff4ffffffefffffe3fffffc9fffff97fffb3' +
    'ffffcffffb7fffcdffff4ffff9ffffd1ffffcffffeaffffafffffddffffeffffff4fffff5fffffabffffa7ffffd7fffff9bffffecfff' +
    'ffb7fffff3fffffe8fffffd3fffffabfffff5fffffff7ffffecfffffdbfffffbbfffff7ffffff0fffffbbf';
  assert.equal(encode(zeros + octets), '00'.repeat(1000) + hex);
  assert.equal(decode('00'.repeat(1000) + hex), zeros + octets);
});

test('text is coded only when that makes it shorter (RFC 7541 §5.2)', () => {
  assert.equal(encode(''), null);
  assert.equal(encode('a'), null);
  assert.equal(encode('aaa'), '18c7');
  assert.equal(encode('XXXX'), null, 'eight bits each');
  assert.equal(encode('a\xff'), null);
  assert.equal(encode('\xff'.repeat(5000)), null);
});

test('padding is up to seven ones, and nothing else (RFC 7541 §5.2)', () => {
  assert.equal(decode('1f'), 'a');
  assert.equal(decode('1e'), null, 'a zero in it');
  assert.equal(decode('18'), null);
  assert.equal(decode('1fff'), null, 'eleven bits');
  assert.equal(decode('ff'), null, 'eight bits');
  assert.equal(decode('fe'), null, 'the beginning of a longer code');
  assert.equal(decode(''), '');
});

test('EOS in a string is an error, wherever in an octet it begins (RFC 7541 §5.2)', () => {
  assert.equal(decode('ffffffff'), null);
  assert.equal(decode('fffffffc'), null);
  for (let zeroCount = 0; zeroCount < 8; zeroCount += 1) {
    const bits = `${'00000'.repeat(zeroCount)}${'1'.repeat(30)}${'00011'.repeat(8)}`.padEnd(112, '1');
    assert.equal(decode(BigInt(`0b1${bits}`).toString(16).slice(1)), null, bits);
  }
});

test('any text comes back, from anywhere in a buffer', () => {
  const octet = fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0, max: 255 }));
  const property = fc.property(fc.array(octet, { maxLength: 300 }), fc.nat(5), (octets, offset) => {
    const text = `${'0'.repeat(1000)}${String.fromCharCode(...octets)}`;
    const coded = encodeHuffman(text);
    assert.ok(coded !== null);
    const bytes = Buffer.from(`${'x'.repeat(offset)}${coded}${'y'.repeat(offset)}`, 'latin1');
    assert.equal(decodeHuffman(bytes, offset, bytes.length - offset), text);
  });
  fc.assert(property, { numRuns: 300 });
});

test('a long text comes back', () => {
  assert.equal(decode('00'.repeat(25_000)), '0'.repeat(40_000));
  const text = 'the quick brown fox '.repeat(2000);
  const coded = encodeHuffman(text);
  assert.ok(coded !== null && coded.length < text.length);
  assert.equal(decodeHuffman(Buffer.from(coded, 'latin1'), 0, coded.length), text);
});

test('what decodes is what its text is coded to: no string has two codes', () => {
  const property = fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    const text = decodeHuffman(bytes, 0, bytes.length);
    if (text === null) return;
    const coded = encodeHuffman(text);
    if (coded !== null) assert.equal(coded, Buffer.from(bytes).toString('latin1'));
  });
  fc.assert(property, { numRuns: 2000 });
});
