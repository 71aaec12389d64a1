import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEvent } from '../../src/core/events.ts';
import { Failure } from '../../src/core/failure.ts';
import { HeaderFields } from '../../src/core/headers.ts';
import type { ProxyOptions } from '../../src/upstream/forward.ts';
import type { UpstreamOptions } from '../../src/upstream/options.ts';
import { measured } from '../support/measured.ts';
import { arrivingBody, FakeExchange } from '../support/request.ts';
import { Answering } from './answering.ts';
import { Asking } from './asking.ts';
import { type ScriptedConnection, ScriptedUpstream, turns, until } from './scripted.ts';

const KEYED = HeaderFields.from({ 'idempotency-key': '1' });

/** A server that does what the test says and goes first, and one that is well. */
class Pair implements AsyncDisposable {
  readonly it: Asking;
  readonly bad: ScriptedUpstream;
  readonly good: Answering;
  /** How the attempts before the last one ended. */
  readonly codes: string[] = [];
  private readonly stop: () => void;

  private constructor(
    bad: ScriptedUpstream,
    good: Answering,
    options: Partial<UpstreamOptions>,
    passing: Partial<ProxyOptions>,
  ) {
    this.bad = bad;
    this.good = good;
    this.it = new Asking({ endpoints: [bad.url, good.url], retry: {}, random: () => 0.5, ...options }, passing);
    this.stop = onEvent('upstream:retry', ({ code }) => this.codes.push(code));
  }

  static async open(options: Partial<UpstreamOptions> = {}, passing: Partial<ProxyOptions> = {}): Promise<Pair> {
    return new Pair(await ScriptedUpstream.listen(), await Answering.listen(), options, passing);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    this.it[Symbol.dispose]();
    await this.bad[Symbol.asyncDispose]();
    await this.good.stop();
  }
}

const ENDINGS: Readonly<Record<string, readonly [code: string, end: (server: ScriptedConnection) => unknown]>> = {
  'ends the connection before the request': ['upstream-reset', ({ socket }) => socket.end()],
  'closes its side in place of an answer': [
    'upstream-reset',
    (server) => server.head().then(() => server.socket.end()),
  ],
  'resets the connection in place of an answer': [
    'upstream-reset',
    (server) => server.head().then(() => server.reset()),
  ],
  'ends the connection in the head of its answer': [
    'upstream-truncated',
    async (server) => {
      await server.head();
      server.write('HTTP/1.1 200 OK\r\ncontent-le');
      server.socket.end();
    },
  ],
  'answers 503': [
    '503',
    async (server) => {
      await server.head();
      server.write('HTTP/1.1 503 Not Now\r\ncontent-length: 4\r\n\r\nbusy');
    },
  ],
};

for (const [how, [code, end]] of Object.entries(ENDINGS)) {
  test(`when a server ${how}, a GET goes to another one`, async () => {
    await using pair = await Pair.open();
    const answer = pair.it.status();
    await end(await pair.bad.connection());
    assert.equal(await answer, 200);
    assert.deepEqual(pair.codes, [code]);
    assert.equal(pair.good.hitCount, 1);
  });

  test(`when a server ${how}, a POST does not go anywhere else, unless it has an idempotency-key`, async () => {
    await using pair = await Pair.open();
    const plain = pair.it.status('POST', '/', { body: 'abc' });
    await end(await pair.bad.connection());
    assert.equal(await plain, code === '503' ? 503 : 502);
    assert.equal(pair.good.hitCount, 0);
    await using other = await Pair.open();
    const keyed = other.it.status('POST', '/', { body: 'abc', headers: KEYED });
    await end(await other.bad.connection());
    assert.equal(await keyed, 200);
  });
}

test('an answer that breaks off in its body is not asked for again: the client has seen some of it', async () => {
  await using pair = await Pair.open();
  const answer = pair.it.ask();
  const server = await pair.bad.connection();
  await server.head();
  server.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf');
  await turns(5);
  server.reset();
  await assert.rejects(answer, { code: 'upstream-truncated' });
  assert.equal(pair.good.hitCount, 0);
});

test('a server that answers nothing has the time of one attempt; a head in drips gains none', async () => {
  for (const drip of [false, true]) {
    await using pair = await Pair.open({ retry: { perTryTimeoutMs: 1000 } });
    const answer = pair.it.status();
    const server = await pair.bad.connection();
    await server.head();
    for (const octet of 'HTTP/1.1') {
      if (drip) server.write(octet);
      await turns(3);
      pair.it.clock.advance(250);
    }
    assert.equal(await answer, 200);
    assert.deepEqual(pair.codes, ['upstream-head-timeout']);
  }
});

test('a server that accepts no connection is left for another when connectMs is over', async () => {
  await using pair = await Pair.open();
  // Nothing is routed there.
  using it = new Asking({ endpoints: ['http://192.0.2.1:9', pair.good.url], timeouts: { connectMs: 400 } });
  const answer = it.status();
  await turns(3);
  it.clock.advance(400);
  assert.equal(await answer, 200);
});

test('when its time is over a request is tried no more, nor while it waits to be', async () => {
  await using pair = await Pair.open({ timeouts: { totalMs: 1000 }, retry: { perTryTimeoutMs: 600 } });
  const answer = pair.it.status();
  await (await pair.bad.connection()).head();
  pair.good.instead = () => undefined;
  pair.it.clock.advance(750);
  await until(() => pair.good.hitCount === 1);
  pair.it.clock.advance(249);
  await turns(5);
  pair.it.clock.advance(250);
  assert.equal(await answer, 504);
  assert.deepEqual(pair.codes, ['upstream-head-timeout']);

  using it = new Asking({
    endpoints: [pair.good.url],
    timeouts: { totalMs: 100 },
    retry: { backoffMs: 1000, backoffMaxMs: 1000 },
    random: () => 0.099,
  });
  pair.good.instead = (_request, response) => void response.writeHead(503).end();
  const paused = it.status();
  await until(() => it.clock.timerCount === 2);
  it.clock.advance(99);
  await until(() => pair.good.hitCount === 3);
  assert.equal(await paused, 503, 'the second wait would end after the deadline');
});

test('a small answer that is not passed on leaves its connection in use', async () => {
  await using pair = await Pair.open();
  const first = pair.it.status();
  const server = await pair.bad.connection();
  await server.head();
  server.write('HTTP/1.1 503 Not Now\r\ncontent-length: 4\r\n\r\n');
  assert.equal(await first, 200);
  server.write('busy');
  await until(() => pair.it.group.endpoints()[0]?.idleCount === 1);
  const second = Promise.all([pair.it.status(), pair.it.status()]);
  await server.answer();
  assert.deepEqual(await second, [200, 200]);
  assert.equal(pair.bad.accepted.length, 1);
});

test('an upload that the final answer stops is given up, also where it could have been sent again', async () => {
  await using pair = await Pair.open();
  const body = arrivingBody();
  const answer = pair.it.status('POST', '/', { body });
  const server = await pair.bad.connection();
  body.push(Buffer.from('begun'));
  await server.take('begun');
  server.write('HTTP/1.1 400 No\r\ncontent-length: 0\r\n\r\n');
  assert.equal(await answer, 400);
  assert.match(String(body.failure), /cancelled/);
});

test('each pause is drawn from the one before with decorrelated jitter', async () => {
  await using server = await Answering.listen();
  server.status = 503;
  const retry = { jitter: 'decorrelated', backoffMs: 100, backoffMaxMs: 10_000 } as const;
  using it = new Asking({ endpoints: [server.url], retry, random: () => 0.5 });
  const delays: number[] = [];
  const stop = onEvent('upstream:retry', ({ delayMs }) => delays.push(delayMs));
  const answer = it.status();
  for (let pause = 1; pause <= 2; pause += 1) {
    await until(() => delays.length === pause && it.clock.timerCount === 2);
    it.clock.advance(1000);
  }
  assert.equal(await answer, 503);
  stop();
  assert.deepEqual(delays, [200, 350]);
});

test('the same endpoint is asked once more where the others must not be', async () => {
  await using pair = await Pair.open({ breaker: {}, retry: { backoffMs: 0 } });
  pair.it.group.forceBreaker(pair.bad.url, 'open');
  pair.good.status = 503;
  assert.equal(await pair.it.status(), 503);
  assert.equal(pair.good.hitCount, 3);
});

test('a breaker that is held open keeps those away that wait, too, until it is let go', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = new Asking({ endpoints: [server.url], breaker: {}, pool: { connectionMaxCount: 1 } });
  const first = it.status();
  const connection = await server.connection();
  const second = it.status();
  it.group.forceBreaker(server.url, 'open');
  await connection.answer();
  assert.equal(await first, 200);
  await turns(5);
  assert.equal(connection.received, '');
  it.group.forceBreaker(server.url, null);
  await connection.answer();
  assert.equal(await second, 200);
});

test('who waits because others are full goes to an endpoint as soon as its breaker may be tried', async () => {
  const options = { breaker: { volumeMinCount: 1, openMs: 1000, jitterRatio: 0 }, pool: { connectionMaxCount: 1 } };
  await using pair = await Pair.open({ ...options, retry: { on: [] } });
  const { bad: busy, good: sick, it } = pair;
  const first = it.status();
  const connection = await busy.connection();
  sick.status = 500;
  assert.equal(await it.status(), 500);
  sick.status = 200;
  const waiting = it.status();
  it.clock.advance(999);
  await turns(5);
  assert.equal(it.group.status().waitingCount, 1);
  it.clock.advance(251);
  assert.equal(await waiting, 200);
  assert.equal(sick.hitCount, 2);
  await connection.answer();
  assert.equal(await first, 200);
});

test('a connection that comes when its endpoint has left serves nobody new', async () => {
  await using leaving = await ScriptedUpstream.listen();
  await using busy = await ScriptedUpstream.listen();
  using it = new Asking({ endpoints: [busy.url, leaving.url], pool: { connectionMaxCount: 1 } });
  const first = it.status();
  const connection = await busy.connection();
  const exchange = new FakeExchange();
  const second = it.send('GET', '/', { exchange });
  const third = it.status();
  const drained = it.group.drain(leaving.url);
  exchange.abort(new Failure('client-gone'));
  await assert.rejects(second, { code: 'client-gone' });
  await drained;
  await connection.answer();
  await connection.answer();
  assert.deepEqual(await Promise.all([first, third]), [200, 200]);
  for (const { received } of leaving.accepted) assert.equal(received, '');
});

test('a large answer that is not passed on is cut off', async () => {
  await using pair = await Pair.open();
  const answer = pair.it.status();
  const server = await pair.bad.connection();
  await server.head();
  server.write('HTTP/1.1 503 Not Now\r\ncontent-length: 100000000\r\n\r\nbusy');
  assert.equal(await answer, 200);
  await server.closed();
});

test('a connection that was idle for too long is no reason to leave the endpoint that a request is pinned to', async () => {
  await using one = await ScriptedUpstream.listen();
  await using two = await Answering.listen();
  const balance = { policy: 'hash', key: 'path' } as const;
  using it = new Asking({ endpoints: [one.url, two.url], balance, retry: {}, breaker: { volumeMinCount: 1 } });
  let target = '/';
  for (let index = 0; one.accepted.length === 0; index += 1) {
    target = `/${index}`;
    void it.status('GET', target);
    await until(() => one.accepted.length + two.hitCount > index);
  }
  const first = await one.connection();
  await first.answer();
  await until(() => it.group.endpoints()[0]?.idleCount === 1);
  const again = it.status('GET', target);
  await first.head();
  first.socket.end();
  await (await one.connection()).answer();
  assert.equal(await again, 200);
  assert.equal(it.group.endpoints()[0]?.breaker, 'closed');
});

const PIECES = ['first piece ', 'second piece, after which it ends', ' third', ' and last'];
const WHOLE = PIECES.join('');

for (const lengthBytes of [WHOLE.length, null]) {
  const kind = lengthBytes === null ? 'in chunks' : 'of a known length';
  test(`a body ${kind} that has been sent in part is sent again byte for byte, and the rest as it comes`, async () => {
    // Less is kept than it is long: it is not awaited, and what was sent fits.
    await using pair = await Pair.open({ retry: { replayMaxBytes: 46 } }, { gatherMaxBytes: 0 });
    const received: Buffer[] = [];
    let ended = false;
    pair.good.instead = (request, response) => {
      request
        .on('data', (piece: Buffer) => received.push(piece))
        .on('end', () => {
          ended = true;
          response.end();
        });
    };
    const body = arrivingBody(lengthBytes);
    const answer = pair.it.status('POST', '/', { body, headers: KEYED });
    const server = await pair.bad.connection();
    const [one = '', two = '', ...rest] = PIECES;
    body.push(Buffer.from(one));
    await server.take(one);
    body.push(Buffer.from(two));
    await server.take(two);
    server.reset();
    await until(() => pair.good.hitCount === 1);
    for (const piece of rest) {
      body.push(Buffer.from(piece));
      await turns(3);
    }
    body.finish(null);
    assert.equal(await answer, 200);
    assert.equal(ended, true);
    assert.equal(Buffer.concat(received).toString(), WHOLE);
  });
}

test('a body of which more was sent than is kept is not sent again', async () => {
  await using pair = await Pair.open({ retry: { replayMaxBytes: 10 } });
  const body = arrivingBody();
  const answer = pair.it.status('POST', '/', { body, headers: KEYED });
  const server = await pair.bad.connection();
  body.push(Buffer.alloc(11, 'x'));
  await server.take('x'.repeat(11));
  server.reset();
  assert.equal(await answer, 502);
  assert.equal(pair.good.hitCount, 0);
});

test('a body that is here is sent again as often as it takes', async () => {
  await using server = await Answering.listen();
  using it = new Asking({ endpoints: [server.url], retry: {}, random: () => 0.5 });
  const bodies: string[] = [];
  server.instead = (request, response) => {
    let text = '';
    request.on('data', (piece: Buffer) => {
      text += piece.toString();
    });
    request.on('end', () => {
      bodies.push(text);
      response.writeHead(bodies.length < 3 ? 503 : 200).end();
    });
  };
  const answer = it.status('PUT', '/', { body: 'whole' });
  for (let attempt = 1; attempt < 3; attempt += 1) {
    await until(() => bodies.length === attempt && it.clock.timerCount === 2);
    it.clock.advance(50);
  }
  assert.equal(await answer, 200);
  assert.deepEqual(bodies, ['whole', 'whole', 'whole']);
});

test('a connection that is reset as soon as it was accepted costs no GET', async () => {
  await using pair = await Pair.open();
  const answer = pair.it.status();
  (await pair.bad.connection()).reset();
  assert.equal(await answer, 200);
});

test('a client that leaves while its request waits to be sent again leaves nothing behind', async () => {
  await using server = await Answering.listen();
  using it = new Asking({ endpoints: [server.url], retry: {}, random: () => 0.5 });
  server.status = 503;
  const exchange = new FakeExchange();
  const answer = it.send('GET', '/', { exchange });
  await until(() => it.clock.timerCount === 2);
  const drained = it.group.drain();
  exchange.abort(new Failure('client-gone'));
  await assert.rejects(answer, { code: 'client-gone' });
  await drained;
  assert.equal(it.clock.timerCount, 0);
  assert.equal(server.hitCount, 1);
});

test('a drain waits for a request that waits to be sent again, and it is; closing does not', async () => {
  for (const force of [false, true]) {
    await using server = await Answering.listen();
    using it = new Asking({ endpoints: [server.url], retry: {}, random: () => 0.5 });
    server.status = 503;
    const answer = it.status();
    await until(() => it.clock.timerCount === 2);
    const drained = it.group.drain();
    if (force) it.group.close();
    server.status = 200;
    it.clock.advance(25);
    assert.equal(await answer, force ? 503 : 200);
    await drained;
    assert.equal(it.clock.timerCount, 0);
  }
});

test('where nobody may be asked any more, the answer that there is goes to the client, and the budget keeps its own', async () => {
  await using server = await Answering.listen();
  server.instead = (_request, response) =>
    void response.writeHead(500, { 'content-length': 20 }).end('the database is gone');
  using it = new Asking({ endpoints: [server.url], breaker: { volumeMinCount: 1 }, retry: { on: [500] } });
  const { status, body } = await it.send('GET');
  assert.ok(body instanceof Uint8Array);
  assert.deepEqual([status, Buffer.from(body).toString()], [500, 'the database is gone']);
  assert.equal(measured(it.group)['upstream_retries_total cause=500'], undefined);
});

for (const balance of ['round-robin', 'weighted-round-robin', 'least-loaded'] as const)
  test(`${balance}: a request that is sent again takes nobody's turn, so the one that fails is first no more often than others`, async () => {
    await using bad = await Answering.listen();
    await using good = await Answering.listen();
    bad.status = 503;
    using it = new Asking({ endpoints: [bad.url, good.url], balance, retry: { budgetRatio: 1 } });
    for (let count = 0; count < 20; count += 1) assert.equal(await it.status(), 200);
    assert.deepEqual([bad.hitCount, good.hitCount], [10, 20]);
  });

test('who has been to all endpoints in vain goes to any of them, but for the last', async () => {
  const servers = await Promise.all([Answering.listen(), Answering.listen(), Answering.listen()]);
  for (const server of servers) server.status = 503;
  const order: number[] = [];
  for (const [index, server] of servers.entries())
    server.instead = (_request, response) => {
      order.push(index);
      response.writeHead(503).end();
    };
  const retry = { attemptMaxCount: 8, budgetRatio: 1, backoffMs: 0 };
  using it = new Asking({ endpoints: servers.map(({ url }) => url), retry });
  assert.equal(await it.status(), 503);
  assert.deepEqual(new Set(order.slice(0, 3)), new Set([0, 1, 2]));
  for (const [attempt, index] of order.entries()) assert.notEqual(order[attempt + 1], index);
  assert.equal(order.length, 8);
  for (const server of servers) await server.stop();
});
