import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { turns, until } from '../../upstream/scripted.ts';
import { type Answer, ClientPair } from './client-peer.ts';

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\nx-mine: yes\r\n\r\n';

function switchedTo({ switched }: Answer): Duplex {
  assert.ok(switched !== null);
  return switched.socket;
}

test('an asked-for switch hands over the connection, with what came after the head', async () => {
  await using pair = await ClientPair.open();
  const answer = await pair.exchange(`${SWITCH}first`, { upgrade: 'x' });
  assert.deepEqual([answer.status, answer.headers.get('x-mine')], [101, 'yes']);
  assert.equal(String(answer.switched?.firstBytes), 'first');
  assert.equal(pair.connection.availableCount, 0);
  assert.equal(pair.connection.life.liveCount, 1);
  const socket = switchedTo(answer);
  socket.write('ping');
  await pair.server.take('ping');
  pair.server.write('pong');
  assert.equal(String((await once(socket, 'data'))[0]), 'pong');
  assert.equal(pair.freeCount, 0);
});

test('what was read stays what it was, though the socket reads into the same memory again', async () => {
  await using pair = await ClientPair.open();
  const socket = switchedTo(await pair.exchange(SWITCH, { upgrade: 'x' }));
  socket.pause();
  for (const letter of 'abc') {
    pair.server.write(letter.repeat(20_000));
    await turns();
  }
  pair.server.socket.end();
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  assert.ok(text === 'a'.repeat(20_000) + 'b'.repeat(20_000) + 'c'.repeat(20_000));
});

test('either side may end alone; when both have, the connection is gone', async () => {
  await using pair = await ClientPair.open();
  const socket = switchedTo(await pair.exchange(SWITCH, { upgrade: 'x' }));
  pair.server.socket.allowHalfOpen = true;
  pair.server.socket.end('bye');
  socket.resume();
  await once(socket, 'end');
  assert.equal(pair.closeReason, null);
  socket.end('bye, too');
  await pair.server.take('bye, too');
  await pair.server.closed();
  await until(() => pair.closeReason !== null);
  assert.equal(pair.connection.life.phase, 'closed');
});

test('a reset ends it, and so does the end of its pool', async () => {
  await using pair = await ClientPair.open();
  const socket = switchedTo(await pair.exchange(SWITCH, { upgrade: 'x' }));
  pair.server.reset();
  await until(() => socket.destroyed);
  await until(() => pair.closeReason !== null);
  await using other = await ClientPair.open();
  const second = switchedTo(await other.exchange(SWITCH, { upgrade: 'x' }));
  other.pool.close();
  await until(() => second.destroyed);
  await other.server.closed();
});

test('2xx to CONNECT is a tunnel whatever its framing fields say; any other answer is one (RFC 9110 §9.3.6)', async () => {
  await using pair = await ClientPair.open();
  const request = { method: 'CONNECT', target: 'b:1', authority: 'b:1' };
  const answer = await pair.exchange('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello', request);
  assert.equal(String(answer.switched?.firstBytes), 'hello');
  await using refused = await ClientPair.open();
  const other = await refused.exchange('HTTP/1.1 407 No\r\ncontent-length: 2\r\n\r\nno', request);
  assert.deepEqual([other.status, await other.text(), other.switched], [407, 'no', null]);
  assert.equal(refused.freeCount, 1);
});

test('a switch to another protocol than the one asked for is refused (RFC 9110 §7.8)', async () => {
  await using pair = await ClientPair.open();
  const answer = await pair.exchange(SWITCH, { upgrade: 'y' });
  assert.equal(answer.code(), 'upstream-invalid');
});

test('an upgrade that is answered otherwise leaves an ordinary connection behind', async () => {
  await using pair = await ClientPair.open();
  const answer = await pair.exchange('HTTP/1.1 426 No\r\ncontent-length: 2\r\n\r\nno', { upgrade: 'x' });
  assert.equal(answer.status, 426);
  assert.equal(pair.freeCount, 1);
  assert.equal((await pair.exchange('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')).status, 200);
});
