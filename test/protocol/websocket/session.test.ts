import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEvent } from '../../../src/core/events.ts';
import type { WebSocketMessage } from '../../../src/protocol/websocket/inbox.ts';
import type { ServerWebSocket, WebSocketEnd } from '../../../src/protocol/websocket/socket.ts';
import { eventually, turns } from '../../support/wire.ts';
import { Endpoint } from './endpoint.ts';
import { CLOSE, closeFrame, codeOf, frame, PING, PONG, TEXT } from './frames.ts';

test('a loop over the socket takes every message, and ends with it', async (t) => {
  const taken: (WebSocketMessage | null)[] = [];
  const endpoint = await Endpoint.start(t, async (socket) => {
    for await (const message of socket) taken.push(message);
    taken.push(null);
  });
  const peer = await endpoint.open({}, frame(TEXT, 'a'), frame(TEXT, 'b'));
  await peer.leave();
  await eventually(() => taken.length === 3);
  assert.deepEqual(taken, ['a', 'b', null]);
});

test('a loop may be left and taken up again; what came between is kept', async (t) => {
  const taken: WebSocketMessage[] = [];
  const endpoint = await Endpoint.start(t, async (socket) => {
    for await (const message of socket) {
      taken.push(message);
      break;
    }
    await turns(5);
    for await (const message of socket) taken.push(message);
  });
  await endpoint.open({}, frame(TEXT, 'a'), frame(TEXT, 'b'));
  await eventually(() => taken.length === 2);
  assert.deepEqual(taken, ['a', 'b']);
});

test('a client that sends pings and reads no pongs is cut off', async (t) => {
  const endpoint = await Endpoint.start(t);
  const peer = await endpoint.open();
  peer.wire.socket.pause();
  const pings = Buffer.concat(Array.from({ length: 5000 }, () => frame(PING, 'x'.repeat(125))));
  for (let round = 0; round < 1000 && endpoint.served.server.status().connections.total > 0; round += 1) {
    peer.wire.write(pings);
    await turns(2);
  }
  await eventually(() => endpoint.served.server.status().connections.total === 0);
});

test('one message may be larger than sendBufferMaxBytes', async (t) => {
  const endpoint = await Endpoint.start(t, undefined, { sendBufferMaxBytes: 1000, messageMaxBytes: null });
  const peer = await endpoint.open();
  peer.send(frame(TEXT, 'x'.repeat(1_000_000)), frame(PING));
  assert.equal((await peer.message()).length, 1_000_000);
  assert.equal((await peer.frame()).opcode, PONG);
});

test('messages that come before an asynchronous handler takes them wait for it', async (t) => {
  const taken: WebSocketMessage[] = [];
  const admitted = Promise.withResolvers<void>();
  const endpoint = await Endpoint.start(t, async (socket) => {
    await admitted.promise;
    socket.onMessage((message) => void taken.push(message));
  });
  const peer = await endpoint.open({}, frame(TEXT, 'early'));
  peer.send(frame(PING));
  assert.equal((await peer.frame()).opcode, PONG);
  admitted.resolve();
  await eventually(() => taken.length === 1);
  assert.deepEqual(taken, ['early']);
});

test('a handler that takes no messages does not collect them', async (t) => {
  const endpoint = await Endpoint.start(t, (socket) => void socket.send('only this'));
  const peer = await endpoint.open();
  assert.equal(await peer.message(), 'only this');
  for (let n = 0; n < 20; n += 1) peer.send(frame(TEXT, 'x'.repeat(10_000)));
  peer.send(frame(PING, 'end'));
  assert.equal((await peer.frame()).payload.toString(), 'end');
});

test('a listener gets the next message when its promise has settled, and meanwhile the client is held back', async (t) => {
  const taken: number[] = [];
  const releases: (() => void)[] = [];
  const endpoint = await Endpoint.start(t, (socket) => {
    socket.onMessage((message) => {
      taken.push(message.length);
      return new Promise((resolve) => releases.push(resolve));
    });
  });
  const peer = await endpoint.open();
  const chunk = frame(TEXT, 'x'.repeat(50_000));
  for (let n = 0; n < 400; n += 1) peer.send(chunk);
  await eventually(() => taken.length === 1);
  await turns(20);
  assert.ok(peer.wire.socket.writableLength > 1_000_000, 'the rest has not been read');
  for (let n = 2; n <= 400; n += 1) {
    releases.shift()?.();
    await eventually(() => taken.length === n);
  }
});

test('messages have one taker', async (t) => {
  const errors: unknown[] = [];
  const endpoint = await Endpoint.start(t, async (socket) => {
    socket.onMessage(() => undefined);
    try {
      socket.onMessage(() => undefined);
    } catch (error) {
      errors.push(error);
    }
    await assert.rejects(socket[Symbol.asyncIterator]().next(), TypeError);
    errors.push(null);
  });
  await endpoint.open();
  await eventually(() => errors.length === 2);
  assert.ok(errors[0] instanceof TypeError);
});

test('a handler that fails costs its socket, which is closed with 1011, and is reported', async (t) => {
  const reported: string[] = [];
  t.after(onEvent('request:error', ({ error, target }) => reported.push(`${target} ${String(error)}`)));
  const failures: readonly ((socket: ServerWebSocket) => void | Promise<void>)[] = [
    () => {
      throw new Error('at once');
    },
    () => Promise.reject(new Error('later')),
    (socket) =>
      socket.onMessage(() => {
        throw new Error('in the listener');
      }),
    (socket) => socket.onMessage(() => Promise.reject(new Error('in its promise'))),
  ];
  for (const [index, fail] of failures.entries()) {
    const endpoint = await Endpoint.start(t, fail);
    const peer = await endpoint.open({}, frame(TEXT, 'x'));
    assert.equal(await peer.closeCode(), 1011);
    await eventually(() => reported.length === index + 1);
  }
  assert.deepEqual(
    reported,
    ['at once', 'later', 'in the listener', 'in its promise'].map((what) => `/chat Error: ${what}`),
  );
});

test('onClose tells how it ended: with the client’s code and reason, without a code, or without a word', async (t) => {
  const ends: WebSocketEnd[] = [];
  const endpoint = await Endpoint.start(t, (socket) => socket.onClose((end) => ends.push(end)));
  await (await endpoint.open()).send(closeFrame(4000, 'tschüß')).hangUp();
  await eventually(() => ends.length === 1);
  await (await endpoint.open()).send(frame(CLOSE)).hangUp();
  await eventually(() => ends.length === 2);
  (await endpoint.open()).wire.socket.resetAndDestroy();
  await eventually(() => ends.length === 3);
  assert.deepEqual(ends, [
    { code: 4000, reason: 'tschüß' },
    { code: 1005, reason: '' },
    { code: 1006, reason: '' },
  ]);
});

test('close() says its code and reason, waits for the client’s, and drops what still comes', async (t) => {
  const taken: WebSocketMessage[] = [];
  const ends: WebSocketEnd[] = [];
  const endpoint = await Endpoint.start(t, (socket) => {
    socket.onClose((end) => ends.push(end));
    socket.onMessage((message) => {
      taken.push(message);
      socket.close(4001, 'enough');
      assert.equal(socket.open, false);
      assert.equal(socket.send('late'), false);
    });
  });
  const peer = await endpoint.open({}, frame(TEXT, 'one'), frame(TEXT, 'two'));
  const close = await peer.frame();
  assert.deepEqual([codeOf(close), close.payload.subarray(2).toString()], [4001, 'enough']);
  peer.send(frame(TEXT, 'three'));
  await turns(5);
  assert.equal(peer.wire.ended, null);
  await peer.send(closeFrame(4001)).hangUp();
  await eventually(() => ends.length === 1);
  assert.deepEqual([taken, ends[0]?.code], [['one'], 4001]);
});

test('close() refuses codes that must not be sent, and reasons that are too long (RFC 6455 §7.4, §5.5)', async (t) => {
  const sockets: ServerWebSocket[] = [];
  const endpoint = await Endpoint.start(t, (socket) => void sockets.push(socket));
  await endpoint.open();
  const [socket] = sockets;
  for (const code of [999, 1005, 1006, 1015, 5000]) assert.throws(() => socket?.close(code), TypeError);
  assert.throws(() => socket?.close(1000, 'x'.repeat(124)), RangeError);
  assert.equal(socket?.open, true);
});

test('a client that does not answer a Close is cut off after closeTimeoutMs', async (t) => {
  const endpoint = await Endpoint.start(t, (socket) => socket.close(), { closeTimeoutMs: 4000 });
  const peer = await endpoint.open();
  assert.equal(await peer.closeCode(), 1000);
  endpoint.clock.advance(4000);
  await turns(5);
  assert.equal(peer.wire.ended, null);
  endpoint.clock.advance(2000);
  await peer.wire.closed();
  assert.equal(endpoint.clock.timerCount, 0);
});

test('a silent client is pinged, and cut off when it says nothing then either', async (t) => {
  const endpoint = await Endpoint.start(t, undefined, { pingIntervalMs: 8000 });
  const [silent, alive] = [await endpoint.open(), await endpoint.open()];
  endpoint.clock.advance(8000);
  assert.equal((await silent.frame()).opcode, PING);
  assert.equal((await alive.frame()).opcode, PING);
  alive.send(frame(PONG));
  await turns(5);
  endpoint.clock.advance(8000);
  await silent.wire.closed();
  endpoint.clock.advance(2000);
  assert.equal((await alive.frame()).opcode, PING);
  assert.equal(alive.wire.ended, null);
});

test('pingIntervalMs: null leaves the silent alone', async (t) => {
  const endpoint = await Endpoint.start(t, undefined, { pingIntervalMs: null });
  const peer = await endpoint.open();
  endpoint.clock.advance(3_600_000);
  peer.send(frame(TEXT, 'still here'));
  assert.equal(await peer.message(), 'still here');
});

test('a socket without messages is closed with 1001 after idleTimeoutMs; pings do not count', async (t) => {
  const endpoint = await Endpoint.start(t, undefined, { idleTimeoutMs: 20_000, pingIntervalMs: null });
  const peer = await endpoint.open();
  endpoint.clock.advance(15_000);
  peer.send(frame(TEXT, 'x'));
  await peer.message();
  endpoint.clock.advance(15_000);
  peer.send(frame(PING));
  await peer.frame();
  endpoint.clock.advance(4000);
  await turns(5);
  assert.equal(peer.wire.unread, '');
  endpoint.clock.advance(2000);
  assert.equal(await peer.closeCode(), 1001);
});

test('who sends to a slow client is told to wait, and when there is room again', async (t) => {
  const sockets: ServerWebSocket[] = [];
  const endpoint = await Endpoint.start(t, (socket) => void sockets.push(socket));
  const peer = await endpoint.open();
  const [socket] = sockets;
  assert.ok(socket !== undefined);
  assert.equal(socket.send('x'), true);
  await socket.ready();
  peer.wire.socket.pause();
  const message = 'x'.repeat(100_000);
  while (socket.send(message)) await turns(1);
  let ready = false;
  const wait = socket.ready().then(() => {
    ready = true;
  });
  await turns(10);
  assert.equal(ready, false);
  assert.ok(socket.bufferedBytes >= 65_536);
  peer.wire.socket.resume();
  await wait;
  assert.ok(socket.bufferedBytes < 65_536);
});

test('a client that leaves more than sendBufferMaxBytes unread is cut off; who waits for it goes on', async (t) => {
  const sockets: ServerWebSocket[] = [];
  const endpoint = await Endpoint.start(t, (socket) => void sockets.push(socket), { sendBufferMaxBytes: 1_000_000 });
  const peer = await endpoint.open();
  peer.wire.socket.pause();
  const [socket] = sockets;
  assert.ok(socket !== undefined);
  let sentCount = 0;
  while (socket.open && sentCount < 1000) {
    socket.send('x'.repeat(100_000));
    sentCount += 1;
    await turns(1);
  }
  assert.ok(sentCount < 1000);
  await socket.ready();
  await eventually(() => endpoint.served.server.status().connections.total === 0);
});

test('a drain closes with 1001 at once, and the connection ends with the client’s Close', async (t) => {
  const endpoint = await Endpoint.start(t);
  const peer = await endpoint.open();
  const drained = endpoint.served.server.drain({ quietMs: 0 });
  assert.equal(await peer.closeCode(), 1001);
  await peer.send(closeFrame(1001)).hangUp();
  const { outcome } = await drained;
  assert.equal(outcome, 'clean');
});

test('a handler may say goodbye in a drain; a socket that it leaves open is closed before the grace ends', async (t) => {
  const graces: number[] = [];
  const endpoint = await Endpoint.start(t, (socket) => {
    socket.onDrain(({ graceMs }) => {
      graces.push(graceMs);
      socket.send('goodbye');
    });
  });
  const peer = await endpoint.open();
  const drained = endpoint.served.server.drain({ quietMs: 0, graceMs: 1000, streamGraceMs: 10_000 });
  assert.equal(await peer.message(), 'goodbye');
  await endpoint.served.pass(5000);
  assert.equal(peer.wire.ended, null, 'it has the grace of streams');
  assert.deepEqual(graces, [10_000]);
  endpoint.clock.advance(7999);
  assert.equal(peer.wire.unread, '');
  endpoint.clock.advance(1);
  assert.equal(await peer.closeCode(), 1001);
  await peer.send(closeFrame(1001)).hangUp();
  assert.equal((await drained).outcome, 'clean');
});

test('a client that does not answer in a drain is cut off at the end of the grace of streams', async (t) => {
  const endpoint = await Endpoint.start(t);
  const peer = await endpoint.open();
  const drained = endpoint.served.server.drain({ quietMs: 0, graceMs: 1000, streamGraceMs: 2000 });
  assert.equal(await peer.closeCode(), 1001);
  await endpoint.served.pass(2000);
  assert.equal((await drained).outcome, 'forced');
  await peer.wire.closed();
});

test('onDrain after a drain has begun is told at once how much is left', async (t) => {
  const graces: number[] = [];
  const sockets: ServerWebSocket[] = [];
  const endpoint = await Endpoint.start(t, (socket) => {
    sockets.push(socket);
    socket.onDrain(() => undefined);
  });
  await endpoint.open();
  void endpoint.served.server.drain({ quietMs: 0, graceMs: 10_000 });
  await eventually(() => endpoint.served.server.status().drain === 'finish');
  endpoint.clock.advance(3000);
  sockets[0]?.onDrain(({ graceMs }) => graces.push(graceMs));
  assert.deepEqual(graces, [7000]);
});
