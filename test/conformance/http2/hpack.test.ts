import assert from 'node:assert/strict';
import { test } from 'node:test';
import { block, type Field, frame, GET, headers, TYPE, WHOLE } from '../../support/http2-frames.ts';
import { assertConnectionError, Http2Served } from './verdict.ts';

const REQUEST = block(GET);
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** Blocks that cannot be decoded; each follows the fields of a valid request unless it comes `before` them. */
const wrong: readonly { readonly what: string; readonly bytes: Buffer; readonly before?: boolean }[] = [
  { what: 'an index beyond the tables (RFC 7541 §2.3.3)', bytes: hex('c6') },
  { what: 'a literal whose name is beyond the tables (RFC 7541 §2.3.3)', bytes: hex('7f 07 05 65 6d 70 74 79') },
  { what: 'the index 0 (RFC 7541 §6.1)', bytes: hex('80') },
  { what: 'a table size update at the end (RFC 7541 §4.2)', bytes: hex('21') },
  { what: 'a table size update above SETTINGS (RFC 7541 §6.3)', bytes: hex('3f e2 1f'), before: true },
  { what: 'Huffman padding of more than 7 bits (RFC 7541 §5.2)', bytes: hex('00 84 74 65 73 74 85 f2 b2 4a 84 ff') },
  { what: 'Huffman padding with zeros (RFC 7541 §5.2)', bytes: hex('00 04 74 65 73 74 83 49 50 90') },
  { what: 'a Huffman string with EOS (RFC 7541 §5.2)', bytes: hex('00 04 74 65 73 74 86 49 50 9f ff ff ff') },
  { what: 'a string that is longer than the block', bytes: hex('00 7e 78') },
  { what: 'an integer without an end', bytes: hex('ff ff ff ff ff ff ff ff ff ff') },
  { what: 'a name without a value', bytes: hex('00 01 78') },
];

for (const { what, bytes, before } of wrong) {
  test(`a header block with ${what} ends the connection with COMPRESSION_ERROR (RFC 9113 §4.3)`, async (t) => {
    const on = await Http2Served.start(t);
    const wire = await on.open();
    wire.send(frame(TYPE.HEADERS, WHOLE, 1, Buffer.concat(before === true ? [bytes, REQUEST] : [REQUEST, bytes])));
    await assertConnectionError(wire, 'COMPRESSION_ERROR');
  });
}

const FIRST: readonly Field[] = [
  ['x-kept', 'one'],
  ['x-more', 'two'],
];

/** Every representation (RFC 7541 §6), and what the handler must see of it after the pseudo-fields. */
const right: readonly { readonly what: string; readonly bytes: Buffer; readonly sees: string }[] = [
  { what: 'an indexed field of the static table', bytes: hex('90'), sees: 'accept-encoding: gzip, deflate' },
  { what: 'incremental indexing with a known name', bytes: hex('7a 04 74 65 73 74'), sees: 'user-agent: test' },
  {
    what: 'incremental indexing with a known name and Huffman',
    bytes: hex('7a 83 49 50 9f'),
    sees: 'user-agent: test',
  },
  { what: 'incremental indexing with a new name', bytes: hex('40 01 78 04 74 65 73 74'), sees: 'x: test' },
  {
    what: 'incremental indexing, then the entry by its index',
    bytes: hex('40 01 78 04 74 65 73 74 be'),
    sees: 'x: test',
  },
  { what: 'a literal with a known name', bytes: hex('0f 2b 04 74 65 73 74'), sees: 'user-agent: test' },
  { what: 'a literal with a new name and Huffman', bytes: hex('00 83 49 50 9f 83 49 50 9f'), sees: 'test: test' },
  { what: 'a never-indexed literal', bytes: hex('10 01 78 04 74 65 73 74'), sees: 'x: test' },
  { what: 'a never-indexed literal with a known name', bytes: hex('1f 2b 04 74 65 73 74'), sees: 'user-agent: test' },
];

for (const { what, bytes, sees } of right) {
  test(`a header block with ${what} is read (RFC 7541 §6)`, async (t) => {
    const on = await Http2Served.start(t, ({ headers: fields }) => ({ status: 200, body: fields.text }));
    const wire = await on.open();
    // The table is filled before, so that a repeat of the block means the same.
    wire.send(headers(1, [...GET, ...FIRST]));
    await wire.response(1);
    for (const id of [3, 5]) {
      wire.send(frame(TYPE.HEADERS, WHOLE, id, Buffer.concat([REQUEST, bytes])));
      assert.ok((await wire.response(id)).body.includes(`${sees}\r\n`));
    }
  });
}

test('table size updates at the beginning of a block are taken, also two (RFC 7541 §4.2)', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.open();
  const updates = [hex('20'), hex('3f 61'), hex('20 3f e1 1f')];
  for (const [index, bytes] of updates.entries()) {
    wire.send(frame(TYPE.HEADERS, WHOLE, 2 * index + 1, Buffer.concat([bytes, REQUEST])));
    assert.equal((await wire.response(2 * index + 1)).body, 'hello');
  }
});

test('a block that is byte for byte an earlier one means what the table says now (RFC 7541 §2.2)', async (t) => {
  const on = await Http2Served.start(t, ({ headers: fields }) => ({ status: 200, body: fields.get('x') ?? 'none' }));
  const wire = await on.open();
  const newest = Buffer.concat([REQUEST, hex('be')]);
  const insert = (id: number, value: string): Buffer =>
    frame(TYPE.HEADERS, WHOLE, id, Buffer.concat([REQUEST, hex('40 01 78 01'), Buffer.from(value)]));
  const seen: string[] = [];
  wire.send(insert(1, 'a'), frame(TYPE.HEADERS, WHOLE, 3, newest), frame(TYPE.HEADERS, WHOLE, 5, newest));
  wire.send(insert(7, 'b'), frame(TYPE.HEADERS, WHOLE, 9, newest), frame(TYPE.HEADERS, WHOLE, 11, newest));
  for (const id of [1, 3, 5, 7, 9, 11]) seen.push((await wire.response(id)).body);
  assert.deepEqual(seen, ['a', 'a', 'a', 'b', 'b', 'b']);
});

test('blocks of streams that are refused, ignored or malformed still change the table (RFC 9113 §4.3)', async (t) => {
  const on = await Http2Served.start(t, ({ headers: fields }) => ({ status: 200, body: fields.get('x') ?? 'none' }));
  const wire = await on.open();
  const malformed = Buffer.concat([REQUEST, block([['X', 'upper']]), hex('40 01 78 01 61')]);
  wire.send(frame(TYPE.HEADERS, WHOLE, 1, malformed));
  wire.send(frame(TYPE.HEADERS, WHOLE, 1, Buffer.concat([REQUEST, hex('40 01 79 01 62')])));
  wire.send(frame(TYPE.HEADERS, WHOLE, 3, Buffer.concat([REQUEST, hex('bf')])));
  assert.equal((await wire.response(3)).body, 'a');
});
