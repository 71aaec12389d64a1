import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import { onEvent } from '../../src/core/events.ts';
import { Failure } from '../../src/core/failure.ts';
import { HeaderFields } from '../../src/core/headers.ts';
import type { UpstreamOptions } from '../../src/upstream/options.ts';
import { arrivingBody, FakeExchange } from '../support/request.ts';
import { Answering } from './answering.ts';
import { Asking } from './asking.ts';
import { Origin } from './origin.ts';
import { ScriptedUpstream, turns, until } from './scripted.ts';

const KEYED = HeaderFields.from({ 'idempotency-key': '1' });
const HEDGE_AFTER_MS = 100;

const hedging = (endpoints: readonly string[], given: Partial<UpstreamOptions> = {}): Asking =>
  new Asking({ endpoints, random: () => 0.5, ...given, retry: { hedgeAfterMs: HEDGE_AFTER_MS, ...given.retry } });

/** Nothing is answered or waits any more. */
const idle = ({ group }: Asking): Promise<void> =>
  until(() => group.status().waitingCount === 0 && group.endpoints().every(({ activeCount }) => activeCount === 0));

/** A server that takes its time, goes first, and writes what the test wants; and one that answers at once. */
class Pair implements AsyncDisposable {
  readonly it: Asking;
  readonly slow: ScriptedUpstream;
  readonly fast: Answering;

  private constructor(slow: ScriptedUpstream, fast: Answering, given: Partial<UpstreamOptions>) {
    this.slow = slow;
    this.fast = fast;
    this.it = hedging([slow.url, fast.url], given);
  }

  static async open(given: Partial<UpstreamOptions> = {}): Promise<Pair> {
    return new Pair(await ScriptedUpstream.listen(), await Answering.listen(), given);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.it[Symbol.dispose]();
    await this.slow[Symbol.asyncDispose]();
    await this.fast.stop();
  }
}

for (const method of ['GET', 'HEAD']) {
  test(`when a server is slow, the answer to a ${method} comes from another one, and the slow one sees its connection end`, async () => {
    await using pair = await Pair.open();
    const answer = pair.it.status(method);
    const slow = await pair.slow.connection();
    await slow.head();
    pair.it.clock.advance(HEDGE_AFTER_MS);
    assert.equal(await answer, 200);
    assert.equal(pair.fast.hitCount, 1);
    await slow.closed();
    await idle(pair.it);
  });
}

test('a server that answers first after all is passed on, and the other one sees its connection end', async () => {
  await using pair = await Pair.open();
  pair.fast.instead = () => undefined;
  const answer = pair.it.ask();
  const slow = await pair.slow.connection();
  await slow.head();
  pair.it.clock.advance(HEDGE_AFTER_MS);
  await until(() => pair.fast.hitCount === 1);
  slow.write('HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nslow');
  slow.write(' one');
  assert.equal(await answer, 'slow one');
  await idle(pair.it);
  assert.deepEqual(
    pair.it.group.endpoints().map(({ idleCount }) => idleCount),
    [1, 0],
  );
});

test("a head that has begun is no answer yet, and what comes of it later is nobody's", async () => {
  await using pair = await Pair.open();
  const answer = pair.it.status();
  const slow = await pair.slow.connection();
  await slow.head();
  slow.write('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 20');
  await turns(5);
  pair.it.clock.advance(HEDGE_AFTER_MS);
  assert.equal(await answer, 200);
  slow.write('1 Created\r\ncontent-length: 0\r\n\r\n');
  await slow.closed();
  await idle(pair.it);
  assert.equal(pair.fast.hitCount, 1);
});

test('a POST with an idempotency-key and a whole body is sent twice, byte for byte', async () => {
  await using one = await Answering.listen();
  await using two = await Answering.listen();
  const received: Buffer[] = [];
  const take = (request: IncomingMessage, response: ServerResponse): void => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      // Only the second one is answered.
      if (received.push(Buffer.concat(pieces)) === 2) response.writeHead(201).end();
    });
  };
  one.instead = take;
  two.instead = take;
  for (const sizeBytes of [10, 60_000]) {
    using it = hedging([one.url, two.url]);
    received.length = 0;
    const bytes = randomBytes(sizeBytes);
    const body = arrivingBody(bytes.length);
    body.push(bytes);
    body.finish(null);
    const answer = it.status('POST', '/', { body, headers: KEYED });
    await until(() => received.length === 1);
    it.clock.advance(HEDGE_AFTER_MS);
    assert.equal(await answer, 201);
    assert.ok(received.length === 2 && received.every((each) => each.equals(bytes)));
  }
});

test('when both attempts fail the request is sent once more, and fails with the last one', async () => {
  await using one = await ScriptedUpstream.listen();
  await using two = await ScriptedUpstream.listen();
  using it = hedging([one.url, two.url], { retry: { backoffMs: 0 } });
  const answer = it.status();
  const first = await one.connection();
  await first.head();
  it.clock.advance(HEDGE_AFTER_MS);
  const second = await two.connection();
  await second.head();
  first.reset();
  await turns(5);
  second.write('HTTP/1.1 503 Not Now\r\ncontent-length: 4\r\n\r\nbusy');
  const third = await one.connection();
  await third.head();
  third.write('HTTP/1.1 502 Bad\r\ncontent-length: 0\r\n\r\n');
  assert.equal(await answer, 502);
  await idle(it);
});

test('a client that leaves while both attempts run ends both, and one that leaves during the answer ends that', async () => {
  await using one = await ScriptedUpstream.listen();
  await using two = await ScriptedUpstream.listen();
  for (const answered of [false, true]) {
    using it = hedging([one.url, two.url]);
    const exchange = new FakeExchange();
    const answer = it.ask('/', exchange);
    const outcome = answer.then(
      () => 'answered',
      (error: unknown) => (error instanceof Failure ? error.code : error),
    );
    const first = await one.connection();
    await first.head();
    it.clock.advance(HEDGE_AFTER_MS);
    const second = await two.connection();
    await second.head();
    if (answered) {
      second.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of it');
      await first.closed();
    }
    exchange.abort(new Failure('client-gone'));
    await Promise.all([first.closed(), second.closed()]);
    assert.equal(await outcome, 'client-gone');
    await idle(it);
  }
});

test('over HTTP/2 the stream of the attempt that has lost is reset, and its connection goes on', async () => {
  await using one = await Origin.listen();
  await using two = await Origin.listen();
  using it = hedging([one.url, two.url], { protocol: 'h2' });
  const answer = it.status();
  const slow = await one.stream(0);
  const { session } = slow;
  it.clock.advance(HEDGE_AFTER_MS);
  (await two.stream(0)).respond({ ':status': 201 }, { endStream: true });
  assert.equal(await answer, 201);
  if (!slow.closed) await once(slow, 'close');
  assert.equal(slow.rstCode, 8, 'CANCEL');
  await idle(it);
  const again = [it.status(), it.status()];
  const next = await one.stream(1);
  assert.equal(next.session, session);
  for (const stream of [next, await two.stream(1)]) stream.respond({ ':status': 200 }, { endStream: true });
  assert.deepEqual(await Promise.all(again), [200, 200]);
});

test("over HTTP/2 a client that leaves resets both streams; an answer that crosses that is nobody's", async () => {
  await using one = await Origin.listen();
  await using two = await Origin.listen();
  using it = hedging([one.url, two.url], { protocol: 'h2' });
  const exchange = new FakeExchange();
  const answer = it.status('GET', '/', { exchange });
  const first = await one.stream(0);
  it.clock.advance(HEDGE_AFTER_MS);
  const second = await two.stream(0);
  first.respond({ ':status': 200 });
  exchange.abort(new Failure('client-gone'));
  assert.equal(await answer, 499);
  for (const stream of [first, second]) if (!stream.closed) await once(stream, 'close');
  await idle(it);
});

test('a drain waits for both attempts', async () => {
  await using pair = await Pair.open();
  pair.fast.instead = () => undefined;
  const answer = pair.it.status();
  const slow = await pair.slow.connection();
  await slow.head();
  pair.it.clock.advance(HEDGE_AFTER_MS);
  await until(() => pair.fast.hitCount === 1);
  const drained = pair.it.group.drain();
  assert.equal(pair.it.group.life.phase, 'draining');
  slow.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  assert.equal(await answer, 200);
  await drained;
});

test('with one of four servers stuck no request waits for it, and there are no more attempts than are paid for', async () => {
  await using stack = new AsyncDisposableStack();
  const servers: Answering[] = [];
  for (let count = 0; count < 4; count += 1) servers.push(stack.use(await Answering.listen()));
  const [stuck] = servers;
  assert.ok(stuck !== undefined);
  stuck.instead = () => undefined;
  using it = hedging(
    servers.map(({ url }) => url),
    { retry: { budgetRatio: 0.8, budgetMinPerSec: 0.2 } },
  );
  let [hedgeCount, spentCount] = [0, 0];
  const stops = [
    onEvent('upstream:hedge', () => (hedgeCount += 1)),
    onEvent('upstream:spent', () => (spentCount += 1)),
  ];
  for (let count = 0; count < 150; count += 1) {
    const { hitCount } = stuck;
    let status = 0;
    const answer = it.status().then((answered) => (status = answered));
    await until(() => status !== 0 || stuck.hitCount > hitCount);
    it.clock.advance(stuck.hitCount > hitCount ? HEDGE_AFTER_MS : 0);
    assert.equal(await answer, 200);
  }
  for (const stop of stops) stop();
  assert.deepEqual([hedgeCount, spentCount], [stuck.hitCount, 0]);
  assert.ok(hedgeCount > 150 / 4);
  const attemptCount = servers.reduce((sum, { hitCount }) => sum + hitCount, 0);
  assert.ok(attemptCount === 150 + hedgeCount && attemptCount <= 150 * 1.4 + 1, `${attemptCount}`);
});
