import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { acceptValue } from '../../src/protocol/websocket/handshake.ts';
import { proxy } from '../../src/upstream/forward.ts';
import { Tunnel } from '../../src/upstream/tunnel.ts';
import { router } from '../../src/web/router.ts';
import { CONTINUATION, closeFrame, frame, TEXT } from '../protocol/websocket/frames.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { get, Proxied } from './proxied.ts';
import { type ScriptedConnection, turns, until } from './scripted.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ASK = get(
  '/chat',
  `connection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\nsec-websocket-key: ${KEY}\r\nsec-websocket-version: 13\r\n`,
);
const SWITCH = `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: ${acceptValue(KEY)}\r\nx-mine: yes\r\n\r\n`;

const latin = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** A tunnel through a proxy: its client, and what it has reached. */
async function tunnel(it: Proxied, ask = ASK): Promise<{ client: ScriptedConnection; server: ScriptedConnection }> {
  const client = await it.ask(ask);
  const server = await it.upstream.connection();
  await server.head();
  server.write(SWITCH);
  await client.head();
  return { client, server };
}

/** One side of a tunnel; it takes what it is written when the test says so. */
class Slow extends Duplex {
  accept: () => void = () => undefined;

  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    this.accept = done;
  }
}

const upgrading = { upgrade: ['websocket'] };

test('a request to switch goes on as one, and so does the answer (RFC 9110 §7.8)', async () => {
  await using it = await Proxied.open({}, upgrading);
  const client = await it.ask(ASK);
  const server = await it.upstream.connection();
  const asked = await server.head();
  assert.match(asked, /^GET \/chat HTTP\/1\.1\r\n/);
  assert.match(asked, /\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n$/);
  assert.ok(asked.includes(`sec-websocket-key: ${KEY}\r\n`) && asked.includes('via: 1.1 me\r\n'));
  server.write(SWITCH);
  const answer = await client.head();
  assert.match(answer, /^HTTP\/1\.1 101 /);
  assert.match(answer, /\r\nupgrade: websocket\r\n/);
  assert.match(answer, /\r\nconnection: upgrade\r\n/);
  assert.match(answer, /\r\nx-mine: yes\r\n/);
  assert.ok(answer.includes(acceptValue(KEY)));
});

test('bytes go both ways as they are, also those that came with either head', async () => {
  await using it = await Proxied.open({}, upgrading);
  const client = await it.ask(`${ASK}early`);
  const server = await it.upstream.connection();
  await server.head();
  server.write(`${SWITCH}first`);
  await client.head();
  await client.take('first');
  await server.take('early');
  const every = String.fromCharCode(...Array.from({ length: 256 }, (_, n) => n));
  client.write(every);
  assert.equal(await server.take(every), every);
  server.write(get());
  assert.equal(await client.take('\r\n\r\n'), get());
});

test('what is not let through is 501; an offer of h2c is passed over; any answer but 101 is an answer', async () => {
  await using it = await Proxied.open({}, upgrading);
  const refused = await it.ask(get('/', 'connection: upgrade\r\nupgrade: tls/1.0\r\n'));
  assert.match(await refused.head(), /^HTTP\/1\.1 501 /);
  const body = await it.ask(ASK.replace('\r\n\r\n', '\r\ncontent-length: 1\r\n\r\nx'));
  assert.match(await body.head(), /^HTTP\/1\.1 501 /);
  assert.equal(it.upstream.accepted.length, 0);

  const offer = await it.ask(get('/', 'connection: upgrade\r\nupgrade: h2c\r\n'));
  const server = await it.upstream.connection();
  assert.doesNotMatch(await server.answer(), /upgrade/);
  await offer.take('ok');

  const client = await it.ask(ASK);
  await server.head();
  server.write('HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno');
  assert.match(await client.take('no'), /^HTTP\/1\.1 403 /);
  client.write(get('/again'));
  assert.match(await server.answer(), /^GET \/again /);
});

test('a switch to what nobody asked for is 502 (RFC 9110 §7.8)', async () => {
  await using it = await Proxied.open({}, upgrading);
  const client = await it.ask(ASK);
  const server = await it.upstream.connection();
  await server.head();
  server.write(SWITCH.replace('upgrade: websocket', 'upgrade: other'));
  assert.match(await client.head(), /^HTTP\/1\.1 502 /);
  await server.closed();
});

test('each direction ends by itself: what the other side still says arrives', async () => {
  await using it = await Proxied.open({}, upgrading);
  const { client, server } = await tunnel(it);
  server.socket.allowHalfOpen = true;
  client.socket.allowHalfOpen = true;
  client.socket.end('last words');
  await server.take('last words');
  await until(() => server.ended);
  server.write('an answer to them');
  await client.take('an answer to them');
  server.socket.end('bye');
  await client.take('bye');
  await client.closed();
  await until(() => it.group.status().endpoints[0]?.activeCount === 0);
  assert.equal(it.server.status().connections.total, 0);
});

test('the other way round: an upstream that has ended still hears the client', async () => {
  await using it = await Proxied.open({}, upgrading);
  const { client, server } = await tunnel(it);
  server.socket.allowHalfOpen = true;
  client.socket.allowHalfOpen = true;
  server.socket.end('no more from here');
  await client.take('no more from here');
  await until(() => client.ended);
  client.write('still talking');
  await server.take('still talking');
  client.socket.end();
  await until(() => it.server.status().connections.total === 0);
});

test('when one side is gone, so is the other', async () => {
  await using it = await Proxied.open({}, upgrading);
  const one = await tunnel(it);
  one.client.reset();
  await one.server.closed();
  const two = await tunnel(it);
  two.server.reset();
  await two.client.closed();
});

test('a side that does not read holds the other back', async () => {
  await using it = await Proxied.open({}, upgrading);
  for (const direction of ['up', 'down'] as const) {
    const { client, server } = await tunnel(it);
    const [from, to] = direction === 'up' ? [client, server] : [server, client];
    to.socket.pause();
    const chunk = 'x'.repeat(1_000_000);
    for (let n = 0; n < 40; n += 1) from.write(chunk);
    await turns(200);
    assert.ok(from.socket.writableLength > 5_000_000, direction);
    to.socket.resume();
    await until(() => to.received.length === 40_000_000);
  }
});

test('a switched connection is used for nothing else, and counts as one until it ends', async () => {
  await using it = await Proxied.open({ pool: { connectionMaxCount: 2 } }, upgrading);
  const { client, server } = await tunnel(it);
  assert.deepEqual(it.group.status().endpoints[0]?.activeCount, 1);
  const other = await it.ask(get());
  await (await it.upstream.connection()).answer();
  await other.take('ok');
  client.reset();
  await server.closed();
  await until(() => it.group.status().endpoints[0]?.activeCount === 0);
});

test('a tunnel through which nothing goes is cut off after tunnelIdleTimeoutMs', async () => {
  const clock = new ManualClock();
  await using it = await Proxied.open({}, { ...upgrading, tunnelIdleTimeoutMs: 8000, clock });
  const { client, server } = await tunnel(it);
  clock.advance(6000);
  server.write('x');
  await client.take('x');
  clock.advance(8000);
  await turns();
  assert.equal(client.ended, false);
  clock.advance(2000);
  await client.closed();
  await server.closed();
  assert.equal(clock.timerCount, 0);
});

test('a side whose other is gone is cut off, too, when it takes nothing for tunnelIdleTimeoutMs', async () => {
  const clock = new ManualClock();
  const [client, server] = [new Slow(), new Slow()];
  const options = { tunnelIdleTimeoutMs: 8000, drainClose: false, clock };
  assert.ok(new Tunnel(client, Buffer.alloc(0), server, Buffer.alloc(0), false, options));
  server.push('one');
  server.push('two');
  server.push(null);
  await turns();
  server.destroy();
  await turns();
  clock.advance(7000);
  assert.equal(client.destroyed, false);
  // It has taken a part.
  client.accept();
  clock.advance(7000);
  assert.equal(client.destroyed, false);
  clock.advance(4000);
  assert.equal(client.destroyed, true);
  await turns();
  assert.equal(clock.timerCount, 0);
});

test('a client that leaves before the switch leaves nothing behind', async () => {
  await using it = await Proxied.open({}, upgrading);
  const client = await it.ask(ASK);
  const server = await it.upstream.connection();
  await server.head();
  client.reset();
  await server.closed();
});

test('CONNECT goes to the upstream where a route lets it through, and to nowhere else (RFC 9110 §9.3.6)', async () => {
  const connect = 'CONNECT db.internal:5432 HTTP/1.1\r\nhost: db.internal:5432\r\n\r\n';
  await using closed = await Proxied.open({}, upgrading);
  assert.match(await (await closed.ask(connect)).head(), /^HTTP\/1\.1 501 /);
  await using it = await Proxied.open({}, { upgrade: ['connect'] }, (inner) => router().on('CONNECT', '*', inner));
  const client = await it.ask(connect);
  const server = await it.upstream.connection();
  assert.match(await server.head(), /^CONNECT db\.internal:5432 HTTP\/1\.1\r\nhost: db\.internal:5432\r\n/);
  server.write('HTTP/1.1 200 Connected\r\n\r\nhello');
  assert.match(await client.head(), /^HTTP\/1\.1 200 /);
  await client.take('hello');
  client.write('ping');
  await server.take('ping');
  const refused = await it.ask(connect);
  const other = await it.upstream.connection();
  await other.head();
  other.write('HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno');
  assert.match(await refused.take('no'), /^HTTP\/1\.1 403 /);
});

test('protocols are given in lower case, and h2c is none of them', () => {
  for (const name of ['WebSocket', 'h2c', 'a b', '']) {
    assert.throws(() => Reflect.apply(proxy, null, [null, { upgrade: [name] }]), TypeError, name);
  }
});

// ── draining ────────────────────────────────────────────────────────────────────────────────────────────────────────

test('in a drain a tunnel goes on until the grace of streams is over', async () => {
  await using it = await Proxied.open({}, upgrading);
  const { client, server } = await tunnel(it);
  const drained = it.server.drain({ quietMs: 0, graceMs: 0, streamGraceMs: 300 });
  await until(() => it.server.status().drain !== null);
  await turns();
  server.write('still');
  await client.take('still');
  const { outcome } = await drained;
  assert.equal(outcome, 'forced');
  await client.closed();
  await server.closed();
});

const CLOSE_TO_CLIENT = latin(Uint8Array.of(0x88, 2, 3, 0xe9));
/** Without its mask. */
const isCloseToServer = (text: string): boolean => {
  const bytes = Buffer.from(text, 'latin1');
  const at = (index: number): number => bytes[index] ?? 0;
  return at(0) === 0x88 && at(1) === 0x82 && (at(6) ^ at(2)) === 3 && (at(7) ^ at(3)) === 0xe9 && bytes.length === 8;
};

test('drainClose closes towards both sides at once where no message is in the way, and waits for their Close', async () => {
  await using it = await Proxied.open({}, { ...upgrading, drainClose: true });
  const { client, server } = await tunnel(it);
  client.write(latin(frame(TEXT, 'before')));
  await server.take(latin(frame(TEXT, 'before')));
  const drained = it.server.drain({ quietMs: 0 });
  await client.take(CLOSE_TO_CLIENT);
  await until(() => server.received.length >= 8);
  assert.ok(isCloseToServer(server.received));
  client.write(latin(frame(TEXT, 'crossed')) + latin(closeFrame(1001)));
  server.write(latin(frame(TEXT, 'crossed', { masked: false })) + latin(closeFrame(1001, '', { masked: false })));
  await client.closed();
  await server.closed();
  assert.equal(client.received, '');
  assert.equal(server.received.length, 8);
  assert.equal((await drained).outcome, 'clean');
});

test('drainClose lets a message that is under way end first, in each direction', async () => {
  await using it = await Proxied.open({}, { ...upgrading, drainClose: true });
  const { client, server } = await tunnel(it);
  const [begun, rest] = [latin(frame(TEXT, 'one ', { fin: false })), latin(frame(CONTINUATION, 'two'))];
  client.write(begun + rest.slice(0, 3));
  await server.take(begun + rest.slice(0, 3));
  const drained = it.server.drain({ quietMs: 0 });
  await client.take(CLOSE_TO_CLIENT);
  await turns();
  assert.equal(server.received, '');
  client.write(rest.slice(3) + latin(frame(TEXT, 'not any more')));
  await server.take(rest.slice(3));
  await until(() => server.received.length >= 8);
  assert.ok(isCloseToServer(server.received));
  client.write(latin(closeFrame(1001)));
  server.write(latin(closeFrame(1001, '', { masked: false })));
  await client.closed();
  assert.equal((await drained).outcome, 'clean');
});

test('drainClose puts nothing after a Close that has passed by itself', async () => {
  await using it = await Proxied.open({}, { ...upgrading, drainClose: true });
  const { client, server } = await tunnel(it);
  const close = latin(closeFrame(1000));
  client.write(close);
  await server.take(close);
  const drained = it.server.drain({ quietMs: 0 });
  await client.take(CLOSE_TO_CLIENT);
  server.write(latin(closeFrame(1000, '', { masked: false })));
  server.socket.end();
  await client.closed();
  assert.equal(server.received, '');
  client.socket.destroy();
  assert.equal((await drained).outcome, 'clean');
});
