import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEvent } from '../../src/core/events.ts';
import { Failure } from '../../src/core/failure.ts';
import type { HttpResponse } from '../../src/core/message.ts';
import { proxy } from '../../src/upstream/forward.ts';
import { type UpstreamGroup, upstream } from '../../src/upstream/group.ts';
import type { UpstreamOptions } from '../../src/upstream/options.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { FakeExchange, makeRequest } from '../support/request.ts';
import { Answering } from './answering.ts';
import { Asking } from './asking.ts';
import { MemoryPool } from './memory.ts';
import { deafUrl, ScriptedUpstream, turns, until } from './scripted.ts';

/** Asks through a proxy on this upstream; the target tells requests apart. */
function asking(group: UpstreamGroup) {
  const handler = proxy(group);
  return async (target = '/', exchange = new FakeExchange()): Promise<HttpResponse> =>
    handler(makeRequest('GET', target, { exchange }));
}

const fails = (code: string) => (error: unknown) => error instanceof Failure && error.code === code;
const bodyOf = (response: HttpResponse): string =>
  response.body instanceof Uint8Array ? Buffer.from(response.body).toString() : '';

function made(options: UpstreamOptions): { group: UpstreamGroup; clock: ManualClock } & Disposable {
  const clock = new ManualClock();
  const group = upstream({ clock, ...options });
  return { group, clock, [Symbol.dispose]: () => group.close() };
}

test('endpoints take turns', async () => {
  await using a = await ScriptedUpstream.listen();
  await using b = await ScriptedUpstream.listen();
  using it = made({ endpoints: [a.url, { url: b.url }] });
  const ask = asking(it.group);
  for (let round = 0; round < 2; round += 1) {
    const answers = Promise.all([ask(), ask()]);
    if (round === 0) await Promise.all([a.connection(), b.connection()]);
    await Promise.all([a.accepted[0]?.answer('a'), b.accepted[0]?.answer('b')]);
    assert.deepEqual((await answers).map(bodyOf), ['a', 'b']);
  }
  assert.equal(a.accepted.length, 1);
});

test('the connection that was used last is used first', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = made({ endpoints: [server.url] });
  const ask = asking(it.group);
  const first = ask();
  const second = ask();
  const one = await server.connection();
  const two = await server.connection();
  await two.answer();
  await Promise.race([first, second]);
  await one.answer();
  await Promise.all([first, second]);
  assert.partialDeepStrictEqual(it.group.status().endpoints, [
    { url: server.url, activeCount: 0, idleCount: 2, connectingCount: 0 },
  ]);
  const third = ask('/third');
  assert.match(await one.answer(), /^GET \/third /);
  await third;
});

test('at the cap of an endpoint requests wait, and are served in their order by what is free', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = made({ endpoints: [server.url], pool: { connectionMaxCount: 1 } });
  const ask = asking(it.group);
  const answers = ['/1', '/2', '/3'].map((target) => ask(target));
  const connection = await server.connection();
  await until(() => it.group.status().waitingCount === 2);
  for (const target of ['/1', '/2', '/3']) assert.ok((await connection.answer()).startsWith(`GET ${target} `));
  await Promise.all(answers);
  assert.equal(server.accepted.length, 1);
  assert.equal(it.group.status().waitingCount, 0);
});

test('a waiting request gets a new connection when one is closed', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = made({ endpoints: [server.url], pool: { connectionMaxCount: 1 } });
  const ask = asking(it.group);
  const answers = [ask(), ask()];
  for (let i = 0; i < 2; i += 1) await (await server.connection()).answer('ok', 'connection: close\r\n');
  assert.deepEqual((await Promise.all(answers)).map(bodyOf), ['ok', 'ok']);
});

test('the total cap holds over all endpoints; an idle connection gives way to another endpoint', async () => {
  await using a = await ScriptedUpstream.listen();
  await using b = await ScriptedUpstream.listen();
  using it = made({ endpoints: [a.url, b.url], pool: { connectionTotalMaxCount: 1 } });
  const ask = asking(it.group);
  const first = ask();
  const second = ask();
  await (await a.connection()).answer('a');
  await first;
  await a.accepted[0]?.answer('a');
  assert.equal(bodyOf(await second), 'a', 'what is free serves whoever waits');
  const third = ask();
  await (await b.connection()).answer('b');
  assert.equal(bodyOf(await third), 'b');
  await a.accepted[0]?.closed();
});

test('too many waiting requests are refused, and one that waits too long (503)', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = made({ endpoints: [server.url], pool: { connectionMaxCount: 1, queueMaxCount: 1, queueTimeoutMs: 1000 } });
  const ask = asking(it.group);
  const first = ask();
  const connection = await server.connection();
  await connection.head();
  const second = ask();
  await assert.rejects(ask(), fails('upstream-queue-full'));
  it.clock.advance(900);
  await turns();
  assert.equal(it.group.status().waitingCount, 1);
  it.clock.advance(200);
  await assert.rejects(second, fails('upstream-queue-timeout'));
  connection.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  await first;
});

test('a client that leaves while it waits leaves the queue', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = made({ endpoints: [server.url], pool: { connectionMaxCount: 1 } });
  const ask = asking(it.group);
  const first = ask();
  const connection = await server.connection();
  const exchange = new FakeExchange();
  const second = ask('/gone', exchange);
  const third = ask('/third');
  exchange.abort(new Failure('client-gone'));
  await assert.rejects(second, fails('client-gone'));
  await until(() => it.group.status().waitingCount === 1);
  await connection.answer();
  assert.match(await connection.answer(), /^GET \/third /);
  await Promise.all([first, third]);
});

test('an endpoint that refuses is passed over once; when all refuse it is 502', async () => {
  await using server = await ScriptedUpstream.listen();
  const dead = await deafUrl();
  const retried: string[] = [];
  const stop = onEvent('upstream:retry', ({ endpoint, code }) => retried.push(`${endpoint} ${code}`));
  using it = made({ endpoints: [dead, server.url] });
  const answer = asking(it.group)();
  await (await server.connection()).answer('alive');
  assert.equal(bodyOf(await answer), 'alive');
  assert.deepEqual(retried, [`${dead} upstream-connect`]);
  stop();
  using none = made({ endpoints: [dead, await deafUrl()] });
  await assert.rejects(asking(none.group)(), fails('upstream-connect'));
  assert.equal(none.group.status().waitingCount, 0);
  none.clock.advance(1000);
  assert.equal(none.clock.timerCount, 0, 'no timer runs while there is nothing to check');
});

test('an endpoint that does not accept in time is 504', async () => {
  // A kernel with a full backlog neither accepts nor refuses.
  using it = made({ endpoints: ['http://192.0.2.1:9'], timeouts: { connectMs: 400 } });
  const answer = asking(it.group)();
  const rejected = assert.rejects(
    answer,
    (error) => fails('upstream-connect-timeout')(error) || fails('upstream-connect')(error),
  );
  it.clock.advance(500);
  await rejected;
});

test('an idle connection is closed after its time, and one second before the server would close it', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = made({ endpoints: [server.url], pool: { idleTimeoutMs: 20_000 } });
  const ask = asking(it.group);
  const closes: string[] = [];
  const stop = onEvent('upstream:close', ({ reason }) => closes.push(reason));
  for (const [fields, lastsMs] of [
    ['', 20_000],
    ['keep-alive: timeout=5\r\n', 4000],
    ['keep-alive: timeout=60\r\n', 20_000],
  ] as const) {
    const answer = ask();
    await (await server.connection()).answer('ok', fields);
    await answer;
    it.clock.advance(lastsMs - 500);
    assert.equal(it.group.status().endpoints[0]?.idleCount, 1, fields);
    it.clock.advance(750);
    assert.equal(it.group.status().endpoints[0]?.idleCount, 0, fields);
  }
  const last = ask();
  await (await server.connection()).answer('ok', 'keep-alive: timeout=1\r\n');
  await last;
  assert.equal(it.group.status().endpoints[0]?.idleCount, 0, 'a second is no time');
  stop();
  assert.deepEqual(closes, ['idle-timeout', 'idle-timeout', 'idle-timeout', 'keep-alive-off']);
});

test('a connection that its server closes while idle is forgotten at once', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = made({ endpoints: [server.url] });
  const answer = asking(it.group)();
  const connection = await server.connection();
  await connection.answer();
  await answer;
  connection.socket.end();
  await until(() => it.group.status().endpoints[0]?.idleCount === 0);
});

test('a drain finishes what runs and what waits, then the upstream is closed', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = made({ endpoints: [server.url], pool: { connectionMaxCount: 1 } });
  const ask = asking(it.group);
  const answers = [ask(), ask()];
  const first = await server.connection();
  await first.head();
  const drained = it.group.drain();
  assert.equal(it.group.status().phase, 'draining');
  const late = ask();
  first.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
  await (await server.connection()).answer();
  await (await server.connection()).answer();
  await Promise.all([...answers, late]);
  await drained;
  assert.equal(it.group.status().phase, 'closed');
  await assert.rejects(ask(), fails('upstream-closed'));
  assert.equal(it.clock.timerCount, 0);
});

test('a drain is forced after its grace', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = made({ endpoints: [server.url], pool: { connectionMaxCount: 1 } });
  const ask = asking(it.group);
  const running = ask();
  const waiting = ask();
  await (await server.connection()).head();
  const drained = it.group.drain({ graceMs: 1000 });
  const both = Promise.all([
    assert.rejects(running, fails('server-draining')),
    assert.rejects(waiting, fails('upstream-closed')),
  ]);
  it.clock.advance(1000);
  await Promise.all([drained, both]);
});

test('connections are announced', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = made({ name: 'api', endpoints: [server.url] });
  const heard: string[] = [];
  const stops = [
    onEvent('upstream:connect', ({ endpoint, upstream: name }) => heard.push(`connect ${name} ${endpoint}`)),
    onEvent('upstream:close', ({ endpoint, reason, upstream: name }) => heard.push(`${reason} ${name} ${endpoint}`)),
  ];
  const answer = asking(it.group)();
  await (await server.connection()).answer();
  await answer;
  it.group.close();
  for (const stop of stops) stop();
  assert.deepEqual(heard, [`connect api ${server.url}`, `close api ${server.url}`]);
});

test('options that cannot work are all named at once', () => {
  const url = 'http://127.0.0.1:1';
  const mistyped = { endpoints: [url], nmae: 'x' };
  for (const [options, message] of [
    [{ endpoints: [] }, /endpoints: at least one/],
    [{ endpoints: [url, url] }, /given twice/],
    [{ endpoints: [url], pool: { connectionMaxCount: 0, queueMaxCount: -1 } }, /connectionMaxCount.*queueMaxCount/],
    [{ endpoints: [url], timeouts: { connectMs: -1 } }, /timeouts: connectMs/],
    [mistyped, /did you mean name/],
  ] as const) {
    assert.throws(() => upstream(options), { name: 'TypeError', message });
  }
  // @ts-expect-error what a program without types could give
  assert.throws(() => upstream({ endpoints: [url], balance: 'ring' }), /"ring" is not one of round-robin/);
});

test('a drain waits for a request between its two attempts', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = made({ endpoints: [server.url] });
  const ask = asking(it.group);
  const first = ask();
  await (await server.connection()).answer();
  await first;
  const second = ask('/again');
  await server.accepted[0]?.head();
  const drained = it.group.drain();
  server.accepted[0]?.socket.destroy();
  const fresh = await server.connection();
  assert.match(await fresh.answer('late'), /^GET \/again /);
  assert.equal(bodyOf(await second), 'late');
  await drained;
});

test('a connection that is still opened for a client which has left is for the next one, and makes no more room', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = made({ endpoints: [server.url], pool: { connectionMaxCount: 1, queueMaxCount: 1 } });
  const ask = asking(it.group);
  const left = new FakeExchange();
  const gone = ask('/gone', left);
  left.abort(new Failure('client-gone'));
  const next = ask('/next');
  const waits = ask('/waits');
  const tooMany = ask('/too-many');
  await assert.rejects(gone, fails('client-gone'));
  await assert.rejects(tooMany, fails('upstream-queue-full'));
  const connection = await server.connection();
  assert.match(await connection.answer('first'), /^GET \/next /);
  assert.match(await connection.answer('second'), /^GET \/waits /);
  assert.deepEqual([bodyOf(await next), bodyOf(await waits)], ['first', 'second']);
});

test('a connection that nobody waits for any more is joined before another is opened, and costs none of those in use', () => {
  const it = new MemoryPool({ connectionTotalMaxCount: 2 }, 2);
  for (const endpoint of it.endpoints) endpoint.multiplexes = false;
  it.ask('first');
  const connection = it.attempts[0]?.connect(1, false);
  for (let round = 0; round < 5; round += 1) {
    // It is the turn of the other endpoint, a black hole; what is free before serves the request.
    const hole = it.ask('to the hole');
    assert.equal(hole.connection, null);
    connection?.finish();
    assert.equal(hole.connection, connection);
    connection?.finish();
    assert.equal(it.ask('to the well').connection, connection);
  }
  assert.equal(it.attempts.length, 2);
  assert.equal(connection?.life.phase, 'accepting');
  it.life.close();
});

test('a request that was in vain at an endpoint waits for another one, whatever is free there, if there is another', async () => {
  await using bad = await Answering.listen();
  await using good = await ScriptedUpstream.listen();
  bad.status = 503;
  using it = new Asking({
    endpoints: [good.url, bad.url],
    pool: { connectionMaxCount: 1 },
    retry: { backoffMs: 0, attemptMaxCount: 3 },
  });
  const first = it.ask('/first');
  const second = it.ask('/second');
  const connection = await good.connection();
  await connection.head();
  await until(() => bad.hitCount === 1);
  // Others are served there meanwhile, and leave the connection free.
  const third = it.status('POST', '/third');
  assert.equal(await third, 503);
  await turns(5);
  assert.equal(bad.hitCount, 2);
  connection.write('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none');
  assert.equal(await first, 'one');
  assert.match(await connection.answer('two'), /^GET \/second /);
  assert.equal(await second, 'two');
});
