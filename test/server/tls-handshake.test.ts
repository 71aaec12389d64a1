import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connect } from 'node:tls';
import type { Events } from '../../src/core/events.ts';
import { onEvent } from '../../src/core/events.ts';
import type { Handler } from '../../src/core/handler.ts';
import type { TlsOptions } from '../../src/transport/tls/options.ts';
import { LOCALHOST, TEST_AUTHORITY } from '../support/certificates.ts';
import { clientHello } from '../support/client-hello.ts';
import { tlsRelay } from '../support/tls-relay.ts';
import { eventually, turns, Wire } from '../support/wire.ts';
import { get, type Opened, type OpenedOptions, opened, Waiting } from './opened.ts';

const hello: Handler = () => ({ status: 200, body: 'hello' });

const open = (context: TestContext, tls: Partial<TlsOptions> = {}, options: OpenedOptions = {}, handler = hello) =>
  opened(context, handler, {
    ...options,
    listener: { tls: { certificates: [LOCALHOST], ...tls }, ...options.listener },
  });

async function answered(context: TestContext, port: number): Promise<number> {
  const wire = await Wire.secure(port);
  context.after(() => wire.socket.destroy());
  return (await wire.write(get('/')).response()).status;
}

const reasons = ({ server }: Opened) => server.status().listeners[0]?.closed;

/** Clients that connect and say nothing. */
async function silentPeers(context: TestContext, { port, server }: Opened, count: number): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => connectTcp(port, '127.0.0.1').on('error', () => undefined));
  context.after(() => sockets.forEach((socket) => void socket.destroy()));
  await eventually(() => server.status().connections.handshake === count, 'all silent peers to be accepted');
  return sockets;
}

// ── the budget ────────────────────────────────────────────────────────────────────────────────────────────────────

for (const handshakeMaxCount of [1, 1000, 5000]) {
  test(`a thousand silent peers do not delay an honest one, with a handshakeMaxCount of ${handshakeMaxCount}`, async (context) => {
    const on = await open(context, { handshakeMaxCount });
    await silentPeers(context, on, 1000);
    // Time stands still: if it had to wait for any of them, it would wait for ever.
    assert.equal(await answered(context, on.port), 200);
    assert.equal(on.server.status().connections.handshake, 1000);
    on.clock.advance(10_000);
    await eventually(() => on.server.status().connections.handshake === 0);
    assert.equal(reasons(on)?.['handshake-timeout'], 1000);
  });
}

test('a thousand peers that stop in the middle of their first message do not delay an honest one', async (context) => {
  const on = await open(context, { handshakeMaxCount: 10 });
  const bytes = (await clientHello()).subarray(0, 200);
  for (const socket of await silentPeers(context, on, 1000)) socket.write(bytes);
  assert.equal(await answered(context, on.port), 200);
});

test('a handshake over the budget is closed before any cryptography; one that has ended makes room', async (context) => {
  const on = await open(context, { handshakeMaxCount: 2 });
  const bytes = await clientHello();
  const begun = [await on.wire(), await on.wire()];
  for (const wire of begun) await wire.write(bytes).until((text) => text.length > 0);
  assert.equal(await (await on.wire()).write(bytes).rest(), '');
  assert.deepEqual(on.server.status().refused, { 'handshake-budget-exceeded': 1 });
  assert.deepEqual(reasons(on), { 'handshake-refused': 1 });
  begun[0]?.socket.destroy();
  await eventually(() => on.server.status().connections.handshake === 1);
  // Again and again: places are given back by handshakes that succeed, too.
  for (let time = 0; time < 3; time += 1) assert.equal(await answered(context, on.port), 200);
});

test('a thousand peers that send a first message and stop keep nobody out for longer than a second', async (context) => {
  const on = await open(context);
  const bytes = await clientHello();
  const peers = await silentPeers(context, on, 1000);
  // Each has its answer, so each has its place.
  for (const socket of peers) socket.write(bytes);
  await Promise.all(peers.map((socket) => once(socket, 'data')));
  const answers = (await Wire.open(on.port)).write(bytes);
  context.after(() => answers.socket.destroy());
  assert.equal(await answers.rest(), '');
  assert.deepEqual(reasons(on), { 'handshake-refused': 1 });
  on.clock.advance(1000);
  for (let time = 0; time < 3; time += 1) assert.equal(await answered(context, on.port), 200);
  assert.equal(reasons(on)?.['handshake-timeout'], 1, 'one place serves many that are honest');
});

test('a handshake over the rate is closed before any cryptography; with time there is room again', async (context) => {
  const refused: Events['connection:refuse'][] = [];
  context.after(onEvent('connection:refuse', (event) => refused.push(event)));
  const on = await open(context, { handshakeMaxPerSec: 2 });
  assert.deepEqual([await answered(context, on.port), await answered(context, on.port)], [200, 200]);
  assert.equal(await (await on.wire()).write(await clientHello()).rest(), '');
  assert.deepEqual(on.server.status().refused, { 'handshake-rate-exceeded': 1 });
  assert.deepEqual(
    refused.map(({ reason, peer }) => [reason, peer]),
    [['handshake-rate-exceeded', '127.0.0.1']],
  );
  on.clock.advance(500);
  assert.equal(await answered(context, on.port), 200);
});

// ── those that do not come to an end ──────────────────────────────────────────────────────────────────────────────

test('a handshake that takes too long is closed, whether nothing, half a message or a whole one has come', async (context) => {
  const on = await open(context, { handshakeTimeoutMs: 2000 });
  const bytes = await clientHello();
  const silent = await on.wire();
  const half = (await on.wire()).write(bytes.subarray(0, 100));
  const whole = (await on.wire()).write(bytes);
  await whole.until((text) => text.length > 0);
  on.clock.advance(1900);
  await turns(5);
  assert.equal(on.server.status().connections.handshake, 3);
  on.clock.advance(100);
  for (const wire of [silent, half, whole]) await wire.closed();
  await eventually(() => on.server.status().connections.total === 0);
  assert.deepEqual(reasons(on), { 'handshake-timeout': 3 });
});

test('a client that leaves within the handshake is let go at once, wherever it was', async (context) => {
  const on = await open(context);
  const bytes = await clientHello();
  for (const sent of [bytes.subarray(0, 0), bytes.subarray(0, 100), bytes]) {
    const wire = await on.wire();
    await eventually(() => on.server.status().connections.handshake === 1);
    wire.write(sent).socket.end();
    await eventually(() => on.server.status().connections.total === 0);
  }
  assert.equal(reasons(on)?.['client-closed'], 3);
});

test('a first message in pieces, one byte at a time, is understood', async (context) => {
  const on = await open(context);
  const bytes = await clientHello();
  const wire = await on.wire();
  for (const byte of bytes.subarray(0, 50)) {
    wire.write(Buffer.of(byte));
    await turns(1);
  }
  const rest = wire.write(bytes.subarray(50));
  assert.equal((await rest.until((text) => text.length > 0)).charCodeAt(0), 22);
});

test('a handshake that fails is an event that says why', async (context) => {
  const failures: Events['handshake:fail'][] = [];
  context.after(onEvent('handshake:fail', (event) => failures.push(event)));
  const on = await open(context);
  await assert.rejects(Wire.secure(on.port, { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' }));
  await eventually(() => failures.length > 0);
  const [failure] = failures;
  assert.deepEqual([failure?.listener, failure?.peer], ['127.0.0.1:0', '127.0.0.1']);
  assert.match(failure?.error.message ?? '', /no shared cipher/);
});

// ── drains ────────────────────────────────────────────────────────────────────────────────────────────────────────

test('a handshake in flight is work that a drain waits for: its request is answered', async (context) => {
  const waiting = new Waiting();
  const on = await open(context, {}, { drain: { quietMs: 1000, graceMs: 30_000 } }, waiting.handler);
  const relay = await tlsRelay(context, on.port);
  const letGo = relay.hold();
  const handshake = Wire.secure(relay.port);
  await eventually(() => on.server.status().connections.handshake === 1);
  await turns(10);
  const report = on.server.drain();
  await on.reaches('finish');
  on.clock.advance(3000);
  await turns(5);
  assert.equal(on.server.status().connections.handshake, 1);
  letGo();
  const wire = (await handshake).write(get('/'));
  await waiting.has(1);
  waiting.answer();
  assert.equal((await wire.response()).get('connection'), 'close');
  wire.socket.end();
  const { outcome, mayHaveLostCount } = await report;
  assert.deepEqual([outcome, mayHaveLostCount], ['clean', 0]);
});

test('a peer that has said nothing is closed at the end of the quiet window', async (context) => {
  const on = await open(context);
  await silentPeers(context, on, 1);
  const report = on.server.drain({ quietMs: 1000 });
  await on.reaches('finish');
  on.clock.advance(750);
  await turns(5);
  assert.equal(on.server.status().connections.handshake, 1);
  on.clock.advance(250);
  assert.deepEqual((await report).closed, { 'drained-idle': 1 });
});

test('a handshake that never ends is cut off at the end of the grace, and told so', async (context) => {
  const on = await open(context, { handshakeTimeoutMs: 60_000 });
  const wire = (await on.wire()).write(await clientHello());
  await wire.until((text) => text.length > 0);
  const report = on.server.drain({ graceMs: 5000 });
  await on.reaches('finish');
  on.clock.advance(5000);
  const { outcome, forced } = await report;
  assert.equal(outcome, 'forced');
  assert.deepEqual(
    forced.map(({ activity }) => activity),
    ['handshake'],
  );
});

test('a grace that ends before the quiet window loses nothing of a peer that has said nothing', async (context) => {
  const on = await open(context);
  await silentPeers(context, on, 1);
  const report = on.server.drain({ quietMs: 5000, graceMs: 1000 });
  await on.reaches('finish');
  on.clock.advance(1000);
  const { outcome, closed } = await report;
  assert.deepEqual([outcome, closed], ['clean', { 'drained-idle': 1 }]);
});

test('close() in the middle of many handshakes leaves nothing behind', async (context) => {
  const on = await open(context);
  const clients = Array.from({ length: 30 }, () =>
    connect({ port: on.port, host: '127.0.0.1', ca: TEST_AUTHORITY.cert, servername: 'localhost' }).on(
      'error',
      () => undefined,
    ),
  );
  await eventually(() => on.server.status().connections.total > 5);
  await on.server.close();
  assert.equal(on.server.status().connections.total, 0);
  assert.equal(on.clock.timerCount, 0);
  await Promise.all(clients.map((client) => eventually(() => client.destroyed)));
});
