import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { type Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';
import { HpackDecoder } from '../../../src/protocol/http2/hpack-decoder.ts';
import { encodeStateless, HpackEncoder } from '../../../src/protocol/http2/hpack-encoder.ts';

// The other side is Node's own HTTP/2, that is nghttp2: nothing of ours but the blocks.
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const HEADERS = 1;
const SETTINGS = 4;
const END_STREAM_AND_HEADERS = 5;
const ACK = 1;
const HEADER_TABLE_SIZE = 1;

function frame(type: number, flags: number, streamId: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

function tableSize(bytes: number): Buffer {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(HEADER_TABLE_SIZE, 0);
  payload.writeUInt32BE(bytes, 2);
  return frame(SETTINGS, 0, 0, payload);
}

/** The frames that arrive on a socket, without the client's preface. */
async function* frames(socket: Duplex, precedingBytes: number) {
  let rest: Buffer = Buffer.alloc(0);
  let skipBytes = precedingBytes;
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    rest = Buffer.concat([rest, chunk]);
    if (rest.length < skipBytes) continue;
    rest = rest.subarray(skipBytes);
    skipBytes = 0;
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const end = 9 + rest.readUIntBE(0, 3);
      yield { type: rest.readUInt8(3), flags: rest.readUInt8(4), payload: rest.subarray(9, end) };
      rest = rest.subarray(end);
    }
  }
}

test('what Node encodes is decoded, over many requests and after a smaller table was asked for', async () => {
  const [near, far] = duplexPair();
  const client = http2.connect('http://example.test', { createConnection: () => near });
  client.on('error', () => {});
  const requests = Array.from({ length: 20 }, (_, i) => ({
    ':method': 'GET',
    ':authority': 'example.test',
    ':scheme': 'http',
    ':path': `/item/${i}?q=~{}|"`,
    'user-agent': 'a peer',
    'x-repeats': `value ${i % 3}`,
    cookie: `session=${'0123456789'.repeat(i % 4)}`,
    'x-octets': '\xe4\xf6\xfc\xff'.repeat(i),
  }));
  const ask = (index: number) => client.request(requests[index], { endStream: true }).on('error', () => {});
  const decoder = new HpackDecoder(4096);
  let decodedCount = 0;
  ask(0);
  for await (const { type, flags, payload } of frames(far, PREFACE.length)) {
    if (type === SETTINGS && (flags & ACK) !== 0) decoder.setTableMaxBytes(200);
    if (type === HEADERS) {
      const lines = decoder.decode(payload, 0, payload.length, 16_384, 65_536);
      assert.deepEqual(Object.fromEntries(lines.map((line) => [line.name, line.value])), requests[decodedCount]);
      decodedCount += 1;
      if (decodedCount === requests.length) break;
      if (decodedCount === 10) far.write(tableSize(200));
      // The next one is asked for when this one is here, so that the smaller table comes in between.
      else ask(decodedCount);
    }
    if (type === SETTINGS && decodedCount === 10) ask(decodedCount);
  }
  client.destroy();
  assert.equal(decodedCount, requests.length);
  assert.throws(() => decoder.decode(Buffer.from('3fb101', 'hex'), 0, 3, 1, 1), 'the lower limit was acknowledged');
});

test('what we encode is decoded by Node, over many requests and with the smaller table that it asks for', async () => {
  const [near, far] = duplexPair();
  const server = http2.performServerHandshake(far, { settings: { headerTableSize: 200 } });
  server.on('error', () => {});
  let receivedCount = 0;
  const all = Promise.withResolvers<void>();
  const encoder = new HpackEncoder();
  const requests = Array.from({ length: 20 }, (_, i) => [
    ...[':method', 'GET', ':authority', 'example.test', ':scheme', 'http', ':path', `/item/${i}?q=~{}|"`],
    ...['user-agent', 'a peer', 'x-repeats', `value ${i % 3}`, 'x-request-id', `${i}`.repeat(i)],
    ...['cookie', `session=${'0123456789'.repeat(i % 4)}`, 'x-octets', '\xe4\xf6\xfc\xff'.repeat(i)],
  ]);
  server.on('stream', (_stream, _headers, _flags, raw) => {
    assert.deepEqual([...raw], requests[receivedCount]);
    receivedCount += 1;
    if (receivedCount === requests.length) all.resolve();
  });
  server.on('close', () => all.resolve());
  const send = (from: number, to: number): void => {
    for (let index = from; index < to; index += 1) {
      const pairs = requests[index] ?? [];
      const block = index % 5 === 0 ? encoder.prefix() + encodeStateless(pairs) : encoder.encode(pairs);
      near.write(frame(HEADERS, END_STREAM_AND_HEADERS, 2 * index + 1, Buffer.from(block, 'latin1')));
    }
  };
  near.write(PREFACE, 'latin1');
  near.write(frame(SETTINGS, 0, 0, Buffer.alloc(0)));
  send(0, 10);
  for await (const { type, flags } of frames(near, 0)) {
    if (type !== SETTINGS || (flags & ACK) !== 0) continue;
    near.write(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
    encoder.setTableMaxBytes(200);
    send(10, 20);
    break;
  }
  await all.promise;
  server.destroy();
  assert.equal(receivedCount, requests.length);
});
