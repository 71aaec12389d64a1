import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import type { Handler } from '../../../src/core/handler.ts';
import type { HttpResponse } from '../../../src/core/message.ts';
import {
  CODE,
  data,
  END_HEADERS,
  END_STREAM,
  type Field,
  GET,
  headers,
  request,
  rstStream,
  SETTING,
  TYPE,
  windowUpdate,
} from '../../support/http2-frames.ts';
import type { Http2Wire } from '../../support/http2-wire.ts';
import { eventually, turns } from '../../support/wire.ts';
import { Http2Served } from './verdict.ts';

const EXTENDED = request({ ':method': 'CONNECT', ':protocol': 'WebSocket', ':path': '/chat' });
const ORDINARY = request({ ':method': 'CONNECT', ':path': null, ':scheme': null, ':authority': 'far:443' });

/** The tunnels that the handler has taken over, and what the requests were. */
function tunnelling(take: (socket: Duplex) => void) {
  const seen: unknown[] = [];
  const handler: Handler = ({ method, target, upgrade, authority, incoming }): HttpResponse => {
    seen.push({ method, target, upgrade, authority, incoming });
    return { status: upgrade === null ? 200 : 101, headers: { 'x-own': 'yes' }, takeover: take };
  };
  return { seen, handler };
}

const echo = (socket: Duplex): void => {
  socket
    .on('data', (bytes: Buffer) => socket.write(`[${bytes.toString('latin1')}]`))
    .on('end', () => socket.end('bye'));
};

/** Waits for DATA of a stream until they say this. */
async function says(wire: Http2Wire, streamId: number, wanted: string): Promise<void> {
  let text = '';
  while (text.length < wanted.length) {
    await wire.sees((received) => received.type === TYPE.DATA && received.streamId === streamId, wanted);
    text += wire.collect(streamId).body;
  }
  assert.equal(text, wanted);
}

test('extended CONNECT reaches its handler as GET with upgrade, is answered 200 for its 101, and is a tunnel (RFC 8441 §5)', async (t) => {
  const { seen, handler } = tunnelling(echo);
  const on = await Http2Served.start(t, handler);
  const wire = await on.open();
  wire.send(headers(1, EXTENDED, END_HEADERS));
  const { fields } = await wire.frame(TYPE.HEADERS);
  const head: readonly Field[] = fields ?? [];
  assert.deepEqual(
    head.filter(([name]) => name !== 'date'),
    [
      [':status', '200'],
      ['x-own', 'yes'],
    ],
  );
  assert.deepEqual(seen, [{ method: 'GET', target: '/chat', upgrade: 'websocket', authority: 'test', incoming: null }]);
  await on.served.doing('stream');
  assert.equal(on.served.server.status().requests.inFlight, 0, 'the request is over; the tunnel is no part of it');
  wire.send(data(1, 'one', 0));
  await says(wire, 1, '[one]');
  // Other streams go on beside it.
  wire.send(headers(3, EXTENDED, END_HEADERS), data(3, 'two', 0), data(1, 'three', 0));
  await says(wire, 3, '[two]');
  await says(wire, 1, '[three]');
  wire.send(data(1, ''));
  await says(wire, 1, 'bye');
  wire.send(rstStream(3));
  await on.served.doing('idle');
  await on.empty();
});

test('each side of a tunnel ends by itself (RFC 9113 §8.5)', async (t) => {
  let socket: Duplex | null = null;
  const { handler } = tunnelling((given) => {
    socket = given;
    given.end('first word, and last');
  });
  const on = await Http2Served.start(t, handler);
  const wire = await on.open();
  wire.send(headers(1, EXTENDED, END_HEADERS));
  const { body, reset } = await wire.response(1);
  assert.deepEqual([body, reset], ['first word, and last', null]);
  await wire.settled();
  wire.send(data(1, 'still '), headers(3, EXTENDED, END_HEADERS));
  await eventually(() => socket !== null);
  await wire.settled();
  assert.ok(!wire.unread.some(({ type, streamId }) => type === TYPE.RST_STREAM && streamId === 1));
});

test('a tunnel is finished when its end has left: whoever destroys it then has lost nothing (RFC 9113 §8.1)', async (t) => {
  let finished = false;
  const { handler } = tunnelling((socket) => {
    socket.end('tail and the rest');
    socket.on('finish', () => {
      finished = true;
      socket.destroy();
    });
  });
  const on = await Http2Served.start(t, handler);
  const wire = await on.open([[SETTING.INITIAL_WINDOW_SIZE, 4]]);
  wire.send(headers(1, EXTENDED, END_HEADERS));
  await says(wire, 1, 'tail');
  await wire.settled();
  assert.equal(finished, false);
  wire.send(windowUpdate(1, 100));
  const last = await wire.frame(TYPE.DATA);
  assert.deepEqual([last.payload.toString(), last.flags], [' and the rest', END_STREAM]);
  const { payload } = await wire.frame(TYPE.RST_STREAM);
  assert.equal(payload.readUInt32BE(0), CODE.NO_ERROR);
});

test('a tunnel whose client keeps its window shut is cut off after writeStallTimeoutMs; one that is silent is not', async (t) => {
  const { handler } = tunnelling((socket) =>
    socket.on('error', () => undefined).on('data', (bytes) => socket.write(bytes)),
  );
  const on = await Http2Served.start(t, handler, {}, { writeStallTimeoutMs: 1000 });
  const wire = await on.open([[SETTING.INITIAL_WINDOW_SIZE, 1]]);
  wire.send(headers(1, EXTENDED, END_HEADERS), headers(3, EXTENDED, END_HEADERS), data(3, 'back', 0));
  await says(wire, 3, 'b');
  await on.served.pass(2000);
  const { streamId, payload } = await wire.frame(TYPE.RST_STREAM);
  assert.deepEqual([streamId, payload.readUInt32BE(0)], [3, CODE.CANCEL]);
  assert.equal(on.served.server.status().connections.stream, 1);
});

test('what has come before both sides ended is read to its end by a slow reader', async (t) => {
  const read: string[] = [];
  const { handler } = tunnelling((socket) => {
    socket.end('done');
    socket.on('error', (error) => read.push(error.message));
    void turns(30).then(() =>
      socket.on('data', (bytes: Buffer) => read.push(bytes.toString())).on('end', () => read.push('end')),
    );
  });
  const on = await Http2Served.start(t, handler);
  const wire = await on.open();
  wire.send(headers(1, EXTENDED, END_HEADERS), data(1, 'late'));
  await wire.response(1);
  await eventually(() => read.length === 2);
  assert.deepEqual(read, ['late', 'end']);
});

test('an ordinary CONNECT is a tunnel to its authority, and 501 where nobody takes it (RFC 9113 §8.5)', async (t) => {
  const { seen, handler } = tunnelling(echo);
  const on = await Http2Served.start(t, handler);
  const wire = await on.open();
  wire.send(headers(1, ORDINARY, END_HEADERS), data(1, 'over there', 0));
  await says(wire, 1, '[over there]');
  assert.deepEqual(seen, [
    { method: 'CONNECT', target: 'far:443', upgrade: null, authority: 'far:443', incoming: null },
  ]);
  const plain = await Http2Served.start(t);
  const other = await plain.open();
  other.send(headers(1, ORDINARY, END_HEADERS));
  assert.equal((await other.response(1)).status, 501);
});

test('an answer of who knows nothing of the protocol is never taken for an open tunnel: 2xx becomes 501 (RFC 8441 §5)', async (t) => {
  for (const status of [200, 204, 299]) {
    const on = await Http2Served.start(t, () => ({ status, body: status === 204 ? null : 'a page' }));
    const wire = await on.open();
    wire.send(headers(1, EXTENDED, END_HEADERS));
    assert.equal((await wire.response(1)).status, 501, String(status));
  }
  const on = await Http2Served.start(t, () => ({ status: 404, body: 'not here' }));
  const wire = await on.open();
  wire.send(headers(1, EXTENDED, END_HEADERS));
  assert.deepEqual((await wire.response(1)).status, 404);
});

test('a tunnel that its owner destroys is reset; one whose client resets it is destroyed', async (t) => {
  const ends: string[] = [];
  const { handler } = tunnelling((socket) => {
    socket.on('error', (error) => ends.push(error.message)).on('close', () => ends.push('closed'));
    socket.on('data', () => socket.destroy());
  });
  const on = await Http2Served.start(t, handler);
  const wire = await on.open();
  wire.send(headers(1, EXTENDED, END_HEADERS), data(1, 'go', 0));
  assert.equal((await wire.response(1)).reset, CODE.CANCEL);
  wire.send(headers(3, EXTENDED, END_HEADERS));
  await wire.settled();
  wire.send(rstStream(3));
  await eventually(() => ends.length === 3);
  assert.deepEqual(ends, ['closed', 'the stream was reset', 'closed']);
  await on.served.doing('idle');
});

test('a tunnel holds its writer when its client does not read, and its client when it does not read', async (t) => {
  let socket: Duplex | null = null;
  const { handler } = tunnelling((given) => {
    socket = given;
    while (given.write(Buffer.alloc(10_000)));
  });
  const on = await Http2Served.start(t, handler);
  const wire = await on.open();
  wire.send(headers(1, EXTENDED, END_HEADERS));
  await eventually(() => wire.receivedBytes > 10_000);
  await wire.settled();
  for (let count = 0; count < 3; count += 1) wire.send(data(1, Buffer.alloc(16_384), 0));
  await wire.settled();
  const updates = wire.unread.filter(({ type, streamId }) => type === TYPE.WINDOW_UPDATE && streamId === 1);
  assert.deepEqual(updates, []);
  const held: Duplex | null = socket;
  assert.ok(held !== null);
  Object(held).resume();
  await wire.frame(TYPE.WINDOW_UPDATE, ({ streamId }) => streamId === 1);
});

test('crumbs that nobody reads from a tunnel are kept in few pieces', async (t) => {
  let socket: Duplex | null = null;
  let wanted = '';
  const { handler } = tunnelling((given) => {
    socket = given;
    given.once('data', () => given.pause());
  });
  const on = await Http2Served.start(t, handler);
  const wire = await on.open();
  wire.send(headers(1, EXTENDED, END_HEADERS), data(1, 'begin', 0));
  await eventually(() => socket?.isPaused() === true);
  for (let part = 0; part < 10; part += 1) {
    const crumbs = Array.from({ length: 1000 }, (_, index) => String.fromCharCode(97 + ((part + index) % 26)));
    wanted += crumbs.join('');
    wire.send(...crumbs.map((crumb) => data(1, crumb, 0)));
    await wire.settled();
  }
  const tunnel: unknown = socket;
  assert.ok(tunnel instanceof Duplex);
  const read: Buffer[] = [];
  tunnel.on('data', (bytes: Buffer) => read.push(bytes)).resume();
  await eventually(() => Buffer.concat(read).length === wanted.length);
  assert.equal(Buffer.concat(read).toString(), wanted);
  assert.ok(read.length < 20, `${read.length} pieces`);
});

test('a takeover that throws ends its stream, and nothing else', async (t) => {
  const { handler } = tunnelling(() => {
    throw new Error('on purpose');
  });
  const on = await Http2Served.start(t, handler);
  const wire = await on.open();
  wire.send(headers(1, EXTENDED, END_HEADERS), headers(3, EXTENDED, END_HEADERS | END_STREAM));
  assert.equal((await wire.response(1)).reset, CODE.INTERNAL_ERROR);
  assert.equal((await wire.response(3)).reset, CODE.INTERNAL_ERROR);
  await wire.settled();
  await on.empty();
});

test('101 to a request that asked for nothing is the failure of its handler', async (t) => {
  const on = await Http2Served.start(t, () => ({ status: 101, takeover: echo }));
  const wire = await on.open();
  wire.send(headers(1, GET));
  assert.equal((await wire.response(1)).status, 500);
});
