import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { onEvent } from '../../src/core/events.ts';
import type { HttpResponse, Takeover } from '../../src/core/message.ts';
import { turns } from '../support/wire.ts';
import { Served } from './served.ts';

const UPGRADE = 'GET /up HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n';
const CONNECT = 'CONNECT b:1 HTTP/1.1\r\nhost: b:1\r\n\r\n';
/** What would be a request to who still reads HTTP. */
const INSIDE = 'GET /inside HTTP/1.1\r\nhost: a\r\n\r\n';

/** Sends back in brackets what comes. */
const echo: Takeover = (socket, firstBytes) => {
  const send = (bytes: Uint8Array): boolean => socket.write(`[${Buffer.from(bytes).toString('latin1')}]`);
  if (firstBytes.length > 0) send(firstBytes);
  socket
    .on('data', send)
    .on('end', () => socket.end())
    .resume();
};

const upgraded: HttpResponse = { status: 101, headers: { upgrade: 'echo' }, takeover: echo };

for (const [kind, respond] of [
  ['synchronous', (): HttpResponse => upgraded],
  ['asynchronous', (): Promise<HttpResponse> => turns(2).then(() => upgraded)],
] as const) {
  test(`a ${kind} takeover gets every byte after its request, and nothing of it is read as HTTP (RFC 9110 §7.8)`, async (t) => {
    const asked: string[] = [];
    const served = await Served.start(t, (request) => {
      asked.push(request.target);
      return respond();
    });
    const wire = await served.send(UPGRADE + INSIDE);
    const head = await wire.response();
    assert.deepEqual([head.status, head.get('connection'), head.get('upgrade')], [101, 'upgrade', 'echo']);
    assert.equal(head.get('content-length'), null);
    assert.equal(await wire.until(`[${INSIDE}]`), `[${INSIDE}]`);
    wire.write(INSIDE);
    assert.equal(await wire.until(`[${INSIDE}]`), `[${INSIDE}]`);
    assert.deepEqual(asked, ['/up']);
    assert.equal(served.server.status().connections.stream, 1);
    assert.equal(served.server.status().requests.inFlight, 0);
    wire.socket.end();
    assert.equal(await wire.closed(), 'fin');
    await served.closedFor('taken-over');
  });
}

test('a client that takes no byte from who has taken over is cut off after writeStallTimeoutMs', async (t) => {
  const takeover: Takeover = (socket) => void socket.on('error', () => undefined).write(Buffer.alloc(20_000_000));
  const served = await Served.start(t, () => ({ ...upgraded, takeover }));
  const wire = await served.open();
  wire.socket.pause();
  wire.write(UPGRADE);
  await served.doing('stream');
  await turns(20);
  await served.pass(29_000);
  assert.equal(served.server.status().connections.stream, 1);
  await served.pass(2000);
  await served.closedFor('write-stall');
});

test('whoever only listens for data gets it, also later: what is made for upgrades in Node runs unchanged', async (t) => {
  for (const hold of [0, 5]) {
    const served = await Served.start(t, () => ({
      ...upgraded,
      takeover: (socket) => {
        const listen = () => socket.on('data', (bytes) => socket.write(`[${bytes}]`)).on('end', () => socket.end());
        void turns(hold).then(listen);
      },
    }));
    const wire = await served.send(UPGRADE);
    assert.equal((await wire.response()).status, 101);
    wire.write('one');
    assert.equal(await wire.until('[one]'), '[one]');
    wire.socket.end();
    assert.equal(await wire.closed(), 'fin');
    await served.closedFor('taken-over');
  }
});

test('a takeover in the middle of a pipeline comes after the answers before it', async (t) => {
  const served = await Served.start(t, ({ target }) => (target === '/up' ? upgraded : { status: 200, body: target }));
  const wire = await served.send(`GET /1 HTTP/1.1\r\nhost: a\r\n\r\n${UPGRADE}${INSIDE}`);
  assert.equal((await wire.response()).body, '/1');
  assert.equal((await wire.response()).status, 101);
  assert.equal(await wire.until(']'), `[${INSIDE}]`);
});

test('2xx to CONNECT begins a tunnel, without framing fields (RFC 9110 §9.3.6)', async (t) => {
  const served = await Served.start(t, () => ({ status: 200, headers: { 'content-length': 5 }, takeover: echo }));
  const wire = await served.send(CONNECT);
  const head = await wire.until('\r\n\r\n');
  assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
  assert.doesNotMatch(head, /content-length|transfer-encoding|connection/i);
  wire.write('hello');
  assert.equal(await wire.until(']'), '[hello]');
});

test('2xx to CONNECT from a handler that knows no tunnels is 501, and the connection ends (RFC 9110 §9.3.6)', async (t) => {
  const served = await Served.start(t, () => ({ status: 200, body: 'hello' }));
  const response = await served.lastAnswer(CONNECT + INSIDE);
  assert.equal(response.status, 501);
  assert.equal(served.server.status().requests.served, 1);
});

test('a refused CONNECT ends the connection: the client may have sent bytes for its tunnel already', async (t) => {
  const served = await Served.start(t, () => ({ status: 403, body: 'no' }));
  assert.equal((await served.lastAnswer(CONNECT + INSIDE)).status, 403);
  assert.equal(served.server.status().requests.served, 1);
});

test('a takeover needs 101, or CONNECT and 2xx; HTTP/1.0 knows no 101 (RFC 9110 §15.2)', async (t) => {
  let answer: HttpResponse = upgraded;
  const served = await Served.start(t, () => answer);
  for (const [bytes, status] of [
    [UPGRADE, 200],
    [UPGRADE, 404],
    [UPGRADE, 102],
    [UPGRADE.replace('1.1', '1.0'), 101],
    [CONNECT, 403],
    [CONNECT, 300],
  ] as const) {
    answer = { status, takeover: () => assert.fail('taken over') };
    const wire = await served.send(bytes);
    assert.equal((await wire.response()).status, 500, `${status}`);
    wire.socket.destroy();
  }
  answer = { status: 101, headers: { upgrade: 'echo' } };
  const wire = await served.send(UPGRADE);
  assert.equal((await wire.response()).status, 500);
});

test('a connection is not taken over while a request body is still under way', async (t) => {
  const served = await Served.start(t, () => upgraded, {}, { body: 'manual' });
  const wire = await served.send(UPGRADE.replace('\r\n\r\n', '\r\ncontent-length: 5\r\n\r\n'));
  assert.equal((await wire.response()).status, 500);
});

test('a takeover that throws costs its connection and nothing else', async (t) => {
  const errors: unknown[] = [];
  const stop = onEvent('request:error', ({ error }) => errors.push(error));
  t.after(stop);
  const served = await Served.start(t, ({ target }) =>
    target === '/up'
      ? {
          ...upgraded,
          takeover: () => {
            throw new Error('broken takeover');
          },
        }
      : { status: 200, body: 'ok' },
  );
  const wire = await served.send(UPGRADE);
  await wire.closed();
  await served.closedFor('response-broken');
  const other = await served.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.equal((await other.response()).body, 'ok');
  assert.match(String(errors[0]), /broken takeover/);
});

test('no deadline of HTTP touches a connection that was taken over', async (t) => {
  let taken: Duplex | null = null;
  const served = await Served.start(t, () => ({
    status: 101,
    headers: { upgrade: 'x' },
    takeover: (socket) => {
      taken = socket;
    },
  }));
  const wire = await served.send(UPGRADE);
  assert.equal((await wire.response()).status, 101);
  await served.pass(120_000);
  assert.equal(served.server.status().connections.stream, 1);
  assert.ok(taken !== null);
});
