import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HpackDecoder } from '../../../src/protocol/http2/hpack-decoder.ts';
import { encodeStateless, HpackEncoder } from '../../../src/protocol/http2/hpack-encoder.ts';

const hex = (block: string): string => Buffer.from(block, 'latin1').toString('hex');

function decode(decoder: HpackDecoder, block: string): string[] {
  const bytes = Buffer.from(block, 'latin1');
  const lines = decoder.decode(bytes, 0, bytes.length, 1_000_000, 1_000_000);
  return lines.flatMap((line) => [line.name, line.value]);
}

test('the lines of the static table are one octet each (RFC 7541 §6.1)', () => {
  const statuses = ['200', '204', '206', '304', '400', '404', '500'];
  const pairs = statuses.flatMap((status) => [':status', status]);
  assert.equal(hex(encodeStateless(pairs)), '88898a8b8c8d8e');
  assert.equal(hex(new HpackEncoder().encode(pairs)), '88898a8b8c8d8e');
  assert.equal(hex(encodeStateless([':method', 'POST', ':path', '/', ':scheme', 'https'])), '838487');
});

test('what repeats on a connection is one octet from the second time on, also under a name of its own', () => {
  const encoder = new HpackEncoder();
  const pairs = ['server', 'origin', 'x-custom', 'v', 'cookie', 'a=0123456789012345678901234567890'];
  assert.ok(encoder.encode(pairs).length > 30);
  assert.equal(hex(encoder.encode(pairs)), 'c0bfbe');
  assert.equal(hex(encoder.encode(pairs)), 'c0bfbe');
});

test('a name that has an entry is not spelt out again', () => {
  const encoder = new HpackEncoder();
  encoder.encode(['x-custom', 'one']);
  assert.equal(hex(encoder.encode(['x-custom', '!'])), '7e0121');
});

test('a name is taken from its newest entry, which is there as long as any', () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(4096);
  encoder.setTableMaxBytes(100);
  for (const value of ['1', '2', '3', '4']) {
    const pair = ['x-custom', value];
    assert.deepEqual(decode(decoder, encoder.encode(pair)), pair);
  }
});

test('indices of more than one octet name the right lines (RFC 7541 §5.1)', () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(4096);
  const pairs = Array.from({ length: 100 }, (_, i) => [`x-${i}`, '']).flat();
  decode(decoder, encoder.encode(pairs));
  const block = encoder.encode(pairs);
  assert.equal(block.length, 65 + 35 * 2, 'from 127 on there are two');
  assert.deepEqual(decode(decoder, block), pairs);
});

test('secrets are never indexed, and say so to the next hop (RFC 7541 §7.1.3)', () => {
  const secrets = [
    ['authorization', 'Basic dXNlcjpwYXNzd29yZA=='],
    ['proxy-authorization', 'Basic dXNlcjpwYXNzd29yZA=='],
    ['set-cookie', 'session=0123456789012345678901234567890'],
    ['cookie', 'pin=1234'],
    ['x-api-key', '0123456789'],
  ] as const;
  for (const pair of secrets) {
    const encoder = new HpackEncoder();
    const block = encoder.encode(pair);
    assert.equal(block.charCodeAt(0) & 0xf0, 0x10, pair[0]);
    assert.equal(encoder.encode(pair), block, 'and so it is the same the second time');
    assert.equal(encodeStateless(pair), block);
    assert.deepEqual(decode(new HpackDecoder(4096), block), pair);
  }
});

test('values that differ each time stay out of the table (RFC 7541 §6.2.2)', () => {
  for (const name of [':path', 'date', 'content-length', 'etag', 'age', 'location', 'if-none-match']) {
    const encoder = new HpackEncoder();
    const block = encoder.encode([name, '/1234']);
    assert.equal(block.charCodeAt(0) & 0xf0, 0, name);
    assert.equal(encoder.encode([name, '/1234']), block);
    assert.deepEqual(decode(new HpackDecoder(4096), block), [name, '/1234']);
  }
});

test('a name whose values keep changing stops taking room, until a value of it comes twice', () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(4096);
  const stays = (value: string): boolean => {
    const before = decoder.version;
    assert.deepEqual(decode(decoder, encoder.encode(['x-request-id', value])), ['x-request-id', value]);
    return decoder.version !== before;
  };
  assert.deepEqual(['1', '2', '3', '4', '5', '6'].map(stays), [true, true, true, false, false, false]);
  assert.equal(stays('6'), true, 'a second time');
  assert.equal(stays('6'), false, 'is an entry now');
  assert.deepEqual(
    ['7', '8', '9', '10'].map(stays),
    [true, true, true, false],
    'having been found, it has a new chance',
  );
});

test('a line that would take most of the table stays out of it', () => {
  const encoder = new HpackEncoder();
  encoder.encode(['x-small', 'v']);
  for (const name of ['x-large', 'user-agent']) {
    assert.equal(encoder.encode([name, 'v'.repeat(3100)]).charCodeAt(0) & 0xf0, 0);
    assert.equal(hex(encoder.encode(['x-small', 'v'])), 'be', 'nothing was evicted');
  }
});

test('a lowered limit is announced before the next block, once (RFC 7541 §4.2)', () => {
  const encoder = new HpackEncoder();
  encoder.encode(['x-custom', 'v']);
  encoder.setTableMaxBytes(0);
  const block = encoder.encode(['x-custom', 'v']);
  assert.equal(hex(block.slice(0, 2)), '2000');
  assert.deepEqual(decode(new HpackDecoder(4096), block), ['x-custom', 'v']);
  assert.equal(hex(encoder.encode([':status', '200'])), '88');
});

test('a limit that changed twice is announced by the smallest, then the last (RFC 7541 §4.2)', () => {
  const encoder = new HpackEncoder();
  encoder.setTableMaxBytes(100);
  encoder.setTableMaxBytes(50);
  encoder.setTableMaxBytes(1000);
  assert.equal(hex(encoder.prefix()), '3f133fc907');
  assert.equal(encoder.prefix(), '');
  encoder.setTableMaxBytes(2000);
  assert.equal(hex(encoder.prefix()), '3fb10f');
  encoder.setTableMaxBytes(159);
  assert.equal(hex(encoder.prefix()), '3f8001');
  encoder.setTableMaxBytes(0);
  encoder.setTableMaxBytes(2000);
  assert.equal(hex(encoder.prefix()), '203fb10f');
});

test('of a limit above the default no use is made, so there is nothing to announce', () => {
  const encoder = new HpackEncoder();
  encoder.setTableMaxBytes(65_536);
  assert.equal(encoder.prefix(), '');
  encoder.setTableMaxBytes(4096);
  assert.equal(encoder.prefix(), '');
});

test('a stateless block means the same on every connection, whatever was there before', () => {
  const pairs = [
    ':status',
    '302',
    'content-type',
    'text/plain',
    'x-custom',
    'v',
    'date',
    'now',
    'cookie',
    'c'.repeat(30),
  ];
  const block = encodeStateless(pairs);
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(4096);
  for (const first of ['', encoder.encode(['x-other', 'w']), encoder.encode(pairs)]) {
    decode(decoder, first);
    const before = decoder.version;
    assert.deepEqual(decode(decoder, block), pairs);
    assert.equal(decoder.version, before);
  }
  const longCookie = encodeStateless(['cookie', 'c'.repeat(30)]);
  assert.equal(longCookie.charCodeAt(0) & 0xf0, 0, 'the next hop may keep it');
  encoder.setTableMaxBytes(100);
  decoder.setTableMaxBytes(100);
  assert.deepEqual(decode(decoder, encoder.prefix() + block), pairs);
});

test('what is encoded is decoded to the same, over any messages and limits of one connection', () => {
  const octets = (maxLength: number) =>
    fc
      .array(fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.nat(255)), { maxLength })
      .map((codes) => String.fromCharCode(...codes));
  const name = fc.oneof(
    fc.constantFrom(
      ':status',
      ':path',
      'cookie',
      'set-cookie',
      'date',
      'server',
      'x-a',
      'x-b',
      'x-request-id',
      'x-api-key',
    ),
    octets(12),
  );
  const value = fc.oneof(fc.constantFrom('200', '/', 'a', 'b', 'v'.repeat(25), 'w'.repeat(900)), octets(60));
  const message = fc.record({
    pairs: fc.array(fc.tuple(name, value), { maxLength: 12 }).map((pairs) => pairs.flat()),
    isStateless: fc.boolean(),
  });
  const limit = fc.record({ limitBytes: fc.constantFrom(0, 33, 64, 200, 1000, 4096, 8192) });
  const connection = fc.array(fc.oneof({ weight: 4, arbitrary: message }, { weight: 1, arbitrary: limit }), {
    maxLength: 40,
  });
  const property = fc.property(connection, (steps) => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder(4096);
    for (const step of steps) {
      if ('limitBytes' in step) {
        encoder.setTableMaxBytes(step.limitBytes);
        decoder.setTableMaxBytes(step.limitBytes);
        continue;
      }
      const block = step.isStateless ? encoder.prefix() + encodeStateless(step.pairs) : encoder.encode(step.pairs);
      assert.deepEqual(decode(decoder, block), step.pairs);
      const { version } = decoder;
      const again = encodeStateless(step.pairs);
      assert.deepEqual(decode(decoder, again), step.pairs);
      assert.equal(decoder.version, version);
    }
  });
  fc.assert(property, { numRuns: 500 });
});
