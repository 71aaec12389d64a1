import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HpackBomb, HpackDecoder, HpackError } from '../../../src/protocol/http2/hpack-decoder.ts';

const LIST_MAX_BYTES = 16_384;
const BOMB_MAX_BYTES = 65_536;
/** `a: b`, with indexing. */
const INDEXED_LINE = '40016101 62';

function decode(decoder: HpackDecoder, hex: string, listMaxBytes = LIST_MAX_BYTES, bombMaxBytes = BOMB_MAX_BYTES) {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  const lines = decoder.decode(bytes, 0, bytes.length, listMaxBytes, bombMaxBytes);
  return lines.map((line) => `${line.name}: ${line.value}`);
}

function refused(hex: string, decoder = new HpackDecoder(4096)): void {
  assert.throws(() => decode(decoder, hex), HpackError, hex);
}

test('an index of 0, or beyond both tables, is an error (RFC 7541 §2.3.3, §6.1)', () => {
  refused('80');
  refused('be');
  refused(`${INDEXED_LINE} bf`);
  refused('7e 01 62'); // a literal that takes its name from there
  refused('0f 2f 01 62');
  refused('ff ff ff ff 7f');
  assert.deepEqual(decode(new HpackDecoder(4096), `${INDEXED_LINE} be`), ['a: b', 'a: b']);
});

test('an integer that is too long is an error, in value and in octets (RFC 7541 §5.1)', () => {
  refused('ff 80 80 80 80 00'); // only zeros
  refused('ff ff ff ff ff 0f');
  refused('0f 80 80 80 80 00 01 62');
  refused(`00 7f${' 80'.repeat(100)} 01`);
  refused(`3f${' ff'.repeat(100)} 01`);
  assert.deepEqual(decode(new HpackDecoder(4096), '0f 80 80 80 00 01 62'), ['accept-charset: b'], 'some zeros may be');
});

test('a block that ends too early is an error, wherever it was cut (RFC 7541 §5)', () => {
  const block = '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572'.replaceAll(' ', '');
  for (let length = 2; length < block.length; length += 2) refused(block.slice(0, length));
  refused('3f');
  refused('ff');
  refused('41');
  refused('41 8c f1 e3');
  refused('41 7f');
  refused('41 7f 80');
});

test('a size update is taken at the beginning of a block only, and two at most (RFC 7541 §4.2)', () => {
  assert.deepEqual(decode(new HpackDecoder(4096), '20 3f e1 1f 82'), [':method: GET']);
  assert.deepEqual(decode(new HpackDecoder(4096), '20'), []);
  refused('82 20');
  refused('82 20 01 61 01 62');
  refused('20 82 20');
  refused('20 20 20 82');
});

test('a size update above our setting is an error (RFC 7541 §6.3)', () => {
  decode(new HpackDecoder(4096), '3f e1 1f'); // 4096
  refused('3f e2 1f');
  decode(new HpackDecoder(8192), '3f e1 3f');
  refused('3f e2 3f', new HpackDecoder(8192));
  decode(new HpackDecoder(0), '3f e1 1f'); // not acknowledged yet
});

test('a lowered setting, once acknowledged, has to be confirmed by the next block (RFC 9113 §4.3.1)', () => {
  const lowered = () => {
    const decoder = new HpackDecoder(4096);
    decoder.setTableMaxBytes(100);
    return decoder;
  };
  refused('82', lowered());
  refused('', lowered());
  refused('3f 46 82', lowered()); // to 101
  assert.deepEqual(decode(lowered(), '3f 45 82'), [':method: GET']);
  assert.deepEqual(decode(lowered(), '20 3f 45 82'), [':method: GET']);

  const raisedABit = lowered();
  raisedABit.setTableMaxBytes(200);
  refused('3f a9 01 82', raisedABit); // to 200, but it was 100 in between

  const raised = lowered();
  raised.setTableMaxBytes(4096);
  refused('82', raised);
  const raisedAndTold = lowered();
  raisedAndTold.setTableMaxBytes(4096);
  refused('3f e1 1f 82', raisedAndTold);
  const raisedAgain = lowered();
  raisedAgain.setTableMaxBytes(4096);
  assert.deepEqual(decode(raisedAgain, '3f 45 3f e1 1f 82'), [':method: GET']);

  const small = new HpackDecoder(4096);
  decode(small, '20 82');
  small.setTableMaxBytes(100);
  assert.deepEqual(decode(small, '82'), [':method: GET'], 'the table was smaller already');
});

test('a smaller table evicts, a larger one does not bring back (RFC 7541 §4.3)', () => {
  const decoder = new HpackDecoder(4096);
  decode(decoder, `${INDEXED_LINE} 40016301 64`);
  assert.deepEqual(decode(decoder, 'be bf'), ['c: d', 'a: b']);
  assert.deepEqual(decode(decoder, '3f 03 3f e1 1f be'), ['c: d'], '34 octets hold one of them');
  refused('bf', decoder);
});

test('a line larger than the table empties it and is no error (RFC 7541 §4.4)', () => {
  const decoder = new HpackDecoder(4096);
  decode(decoder, `3f 05 ${INDEXED_LINE}`); // 36 octets
  assert.deepEqual(decode(decoder, '4001610462626262'), ['a: bbbb']);
  refused('be', decoder);
});

test('a line may take its name from the entry that it evicts (RFC 7541 §4.4)', () => {
  const decoder = new HpackDecoder(4096);
  decode(decoder, `3f 05 ${INDEXED_LINE}`);
  assert.deepEqual(decode(decoder, '7e0163 be'), ['a: c', 'a: c']);
});

test('a table may hold a line twice (RFC 7541 §2.3.2)', () => {
  assert.deepEqual(decode(new HpackDecoder(4096), `${INDEXED_LINE} ${INDEXED_LINE} be bf`), Array(4).fill('a: b'));
});

test('a string with a wrong Huffman code is an error (RFC 7541 §5.2)', () => {
  refused('41 81 1e'); // padding of zeros
  refused('41 82 1f ff'); // padding too long
  refused('41 84 ff ff ff ff'); // EOS
  refused('40 81 1e 00');
});

test('an entry is the same object each time that it is named, with the verdict it was given', () => {
  const decoder = new HpackDecoder(4096);
  const block = Buffer.from(`${INDEXED_LINE}82`.replaceAll(' ', ''), 'hex');
  const [custom, get] = decoder.decode(block, 0, block.length, LIST_MAX_BYTES, BOMB_MAX_BYTES);
  assert.ok(custom !== undefined && get !== undefined);
  assert.deepEqual([custom.sizeBytes, custom.verdict], [34, 0]);
  custom.verdict = 3;
  const again = Buffer.from('be82', 'hex');
  const lines = decoder.decode(again, 0, 2, LIST_MAX_BYTES, BOMB_MAX_BYTES);
  assert.equal(lines[0], custom);
  assert.equal(lines[1], get);
  const elsewhere = new HpackDecoder(4096).decode(again, 1, 2, LIST_MAX_BYTES, BOMB_MAX_BYTES);
  assert.equal(elsewhere[0], get, 'the static table belongs to all');
});

test('the version changes with what can change the meaning of a block, and with nothing else', () => {
  const decoder = new HpackDecoder(4096);
  const changes = (hex: string): boolean => {
    const before = decoder.version;
    decode(decoder, hex);
    return decoder.version !== before;
  };
  assert.equal(changes('82 84 0001610162 1001610162'), false);
  assert.equal(changes(INDEXED_LINE), true);
  assert.equal(changes('be 82'), false);
  assert.equal(changes('3f e1 1f 82'), true);
  const before = decoder.version;
  decoder.setTableMaxBytes(8192);
  assert.equal(decoder.version, before);
  decoder.setTableMaxBytes(100);
  assert.notEqual(decoder.version, before, 'the same block would now be an error');
});

test('a list above the limit is cut there, and still decoded for the table (RFC 9113 §10.5.1)', () => {
  const decoder = new HpackDecoder(4096);
  assert.deepEqual(decode(decoder, `82 ${INDEXED_LINE} 40016301 64`, 42 + 34), [':method: GET', 'a: b']);
  assert.equal(decoder.listTooLarge, true);
  assert.deepEqual(decode(decoder, 'be bf', 68), ['c: d', 'a: b']);
  assert.equal(decoder.listTooLarge, false);
});

test('a block that names a large entry over and over is stopped at the bomb limit (CVE-2016-6581)', () => {
  const decoder = new HpackDecoder(4096);
  const large = `40 01 61 7f a1 1e ${'62'.repeat(4000)}`;
  assert.equal(decode(decoder, large).length, 1);
  assert.equal(decode(decoder, 'be'.repeat(16)).length, 4);
  assert.equal(decoder.listTooLarge, true);
  assert.throws(() => decode(decoder, 'be'.repeat(17)), HpackBomb);
});

test('only the given part of the buffer is read', () => {
  const bytes = Buffer.from('ffff8284ffff', 'hex');
  const lines = new HpackDecoder(4096).decode(bytes, 2, 4, LIST_MAX_BYTES, BOMB_MAX_BYTES);
  assert.deepEqual(
    lines.map((line) => line.value),
    ['GET', '/'],
  );
  const cut = Buffer.from('4103616263', 'hex');
  assert.throws(() => new HpackDecoder(4096).decode(cut, 0, 4, LIST_MAX_BYTES, BOMB_MAX_BYTES), HpackError);
});

test('any octets decode or are refused, and nothing else happens', () => {
  const octet = fc.oneof(fc.constantFrom(0x20, 0x40, 0x82, 0xbe, 0xbf, 0x00, 0x01, 0x3f, 0x81, 0xff), fc.nat(255));
  const blocks = fc.array(fc.array(octet, { maxLength: 60 }), { maxLength: 12 });
  const property = fc.property(blocks, (connection) => {
    const decoder = new HpackDecoder(4096);
    for (const block of connection) {
      const bytes = Buffer.from(block);
      try {
        const lines = decoder.decode(bytes, 0, bytes.length, 200, 400);
        assert.ok(lines.reduce((sum, line) => sum + line.sizeBytes, 0) <= 200);
      } catch (error) {
        assert.ok(error instanceof HpackError || error instanceof HpackBomb, String(error));
        return;
      }
    }
  });
  fc.assert(property, { numRuns: 3000 });
});
