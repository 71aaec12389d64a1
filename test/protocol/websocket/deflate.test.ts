import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { agreeOnDeflate, parseExtensions } from '../../../src/protocol/websocket/deflate.ts';
import type { DeflateOptions } from '../../../src/protocol/websocket/options.ts';
import { Endpoint, echo, handshake } from './endpoint.ts';
import { BINARY, CONTINUATION, frame, TEXT } from './frames.ts';

const TAIL = Buffer.from([0, 0, 0xff, 0xff]);
const COMPRESSED = 4;

const OPTIONS: DeflateOptions = {
  thresholdBytes: 0,
  windowBits: 15,
  memLevel: 8,
  level: 6,
  contextTakeover: true,
  concurrencyMaxCount: 10,
};

/** The payload of a compressed message (RFC 7692 §7.2.1). */
function deflated(bytes: string | Uint8Array, windowBits = 15): Buffer {
  return deflateRawSync(bytes, { windowBits, finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
}

const inflated = (payload: Buffer, windowBits = 15): Buffer =>
  inflateRawSync(Buffer.concat([payload, TAIL]), { windowBits, finishFlush: constants.Z_SYNC_FLUSH });

const agreed = (offer: string, options: Partial<DeflateOptions> = {}): string | null =>
  agreeOnDeflate(parseExtensions(offer) ?? [], { ...OPTIONS, ...options });

test('12, 13: the first offer we can take is agreed on (RFC 7692 §5.1, §7.1)', () => {
  assert.equal(agreed('permessage-deflate'), 'permessage-deflate');
  assert.equal(agreed('permessage-deflate; client_max_window_bits'), 'permessage-deflate');
  assert.equal(
    agreed('permessage-deflate; client_no_context_takeover; server_no_context_takeover'),
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
  );
  assert.equal(
    agreed('permessage-deflate; server_max_window_bits=9; client_max_window_bits=10'),
    'permessage-deflate; server_max_window_bits=9; client_max_window_bits=10',
  );
  assert.equal(
    agreed('permessage-deflate; server_max_window_bits="12"'),
    'permessage-deflate; server_max_window_bits=12',
  );
  assert.equal(
    agreed('x-webkit, permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=15'),
    'permessage-deflate; server_max_window_bits=15',
  );
});

test('our own bounds are part of the answer, as far as the client can keep them', () => {
  const narrow = { windowBits: 10, contextTakeover: false };
  assert.equal(
    agreed('permessage-deflate', narrow),
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10',
  );
  assert.match(agreed('permessage-deflate; client_max_window_bits', narrow) ?? '', /; client_max_window_bits=10$/);
  assert.match(agreed('permessage-deflate; client_max_window_bits=9', narrow) ?? '', /; client_max_window_bits=9$/);
});

test('offers with parameters that are unknown, repeated or out of bounds are passed over (RFC 7692 §7.1)', () => {
  for (const parameter of [
    'unknown',
    'server_max_window_bits',
    'server_max_window_bits=7',
    'server_max_window_bits=16',
    'server_max_window_bits=08',
    'client_max_window_bits=7',
    'client_max_window_bits=+9',
    'server_no_context_takeover=1',
    'client_no_context_takeover=true',
    'client_no_context_takeover; client_no_context_takeover',
  ]) {
    assert.equal(agreed(`permessage-deflate; ${parameter}`), null, parameter);
  }
  assert.equal(agreed('permessage-bzip2'), null);
  assert.equal(agreed('permessage-deflate; unknown, permessage-deflate'), 'permessage-deflate');
});

test('compression is off until it is asked for', async (t) => {
  const endpoint = await Endpoint.start(t);
  const fields = { 'sec-websocket-extensions': 'permessage-deflate' };
  assert.equal((await endpoint.answer(handshake(fields))).get('sec-websocket-extensions'), null);
  const peer = await endpoint.open(fields);
  peer.send(frame(TEXT, deflated('x'), { rsv: COMPRESSED }));
  assert.equal(await peer.closeCode(), 1002);
});

for (const [offer, windowBits] of [
  ['permessage-deflate', 15],
  ['permessage-deflate; server_no_context_takeover; client_no_context_takeover', 15],
  ['permessage-deflate; server_max_window_bits=9; client_max_window_bits=9', 9],
  ['permessage-deflate; server_max_window_bits=15; client_max_window_bits', 15],
] as const) {
  test(`12, 13: messages go both ways compressed after ${offer}`, async (t) => {
    const deflate = { thresholdBytes: 0, contextTakeover: true };
    const endpoint = await Endpoint.start(t, echo, { deflate, messageMaxBytes: 200_000 });
    for (const length of [0, 16, 1024, 100_000]) {
      const peer = await endpoint.open({ 'sec-websocket-extensions': offer });
      const text = '{"some": "text"}'.repeat(Math.ceil(length / 16)).slice(0, length);
      peer.send(frame(TEXT, deflated(text, windowBits), { rsv: COMPRESSED }));
      const answer = await peer.frame();
      assert.equal(answer.rsv, COMPRESSED);
      assert.equal(inflated(answer.payload, windowBits).toString(), text);
      assert.ok(answer.payload.length <= Math.max(20, length / 2));
    }
  });
}

test('a compressed message may come in fragments; only the first says so (RFC 7692 §6.1)', async (t) => {
  const endpoint = await Endpoint.start(t, echo, { deflate: true });
  const fields = { 'sec-websocket-extensions': 'permessage-deflate' };
  const peer = await endpoint.open(fields);
  const bytes = deflated('a fragmented text');
  peer.send(
    frame(BINARY, bytes.subarray(0, 5), { fin: false, rsv: COMPRESSED }),
    frame(CONTINUATION, bytes.subarray(5)),
  );
  assert.equal(String(await peer.message()), 'a fragmented text');
  const wrong = await endpoint.open(fields);
  wrong.send(
    frame(TEXT, bytes.subarray(0, 5), { fin: false, rsv: COMPRESSED }),
    frame(CONTINUATION, bytes.subarray(5), { rsv: COMPRESSED }),
  );
  assert.equal(await wrong.closeCode(), 1002);
});

test('short messages are sent as they are, and so is everything to a client that offered nothing', async (t) => {
  const endpoint = await Endpoint.start(t, echo, { deflate: { thresholdBytes: 100 } });
  const peer = await endpoint.open({ 'sec-websocket-extensions': 'permessage-deflate' });
  peer.send(frame(TEXT, 'x'.repeat(99)));
  assert.equal(await peer.message(), 'x'.repeat(99));
  peer.send(frame(TEXT, 'x'.repeat(100)));
  assert.equal((await peer.frame()).rsv, COMPRESSED);
  const plain = await endpoint.open();
  plain.send(frame(TEXT, 'x'.repeat(100)));
  assert.equal(await plain.message(), 'x'.repeat(100));
});

test('the limit counts what a message is when it is decompressed: a bomb is 1009', async (t) => {
  const endpoint = await Endpoint.start(t, echo, { deflate: true, messageMaxBytes: 100_000 });
  const peer = await endpoint.open({ 'sec-websocket-extensions': 'permessage-deflate' });
  const bomb = deflated(Buffer.alloc(50_000_000));
  assert.ok(bomb.length < 60_000);
  peer.send(frame(BINARY, bomb, { rsv: COMPRESSED }));
  assert.equal(await peer.closeCode(), 1009);
});

test('what is not compressed data, or no text when it is decompressed, is 1007', async (t) => {
  const endpoint = await Endpoint.start(t, echo, { deflate: true });
  for (const payload of [Buffer.from([0xff, 0xff, 0xff]), deflated(Buffer.from([0xff]))]) {
    const peer = await endpoint.open({ 'sec-websocket-extensions': 'permessage-deflate' });
    peer.send(frame(TEXT, payload, { rsv: COMPRESSED }));
    assert.equal(await peer.closeCode(), 1007);
  }
});
