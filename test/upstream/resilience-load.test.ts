import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEvent } from '../../src/core/events.ts';
import { Failure } from '../../src/core/failure.ts';
import type { UpstreamOptions } from '../../src/upstream/options.ts';
import { Standing } from '../../src/upstream/standing.ts';
import { FakeExchange } from '../support/request.ts';
import { Answering } from './answering.ts';
import { Asking } from './asking.ts';
import { deafUrl, until } from './scripted.ts';

/** Numbers in [0, 1), always the same ones. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Some servers, and clients that ask them all the time. */
class Load implements AsyncDisposable {
  readonly servers: Answering[];
  readonly it: Asking;
  /** How many answers had which status. */
  readonly answers = new Map<number, number>();
  private readonly stack: AsyncDisposableStack;

  private constructor(servers: Answering[], it: Asking, stack: AsyncDisposableStack) {
    this.servers = servers;
    this.it = it;
    this.stack = stack;
  }

  static async open(serverCount: number, options: Partial<UpstreamOptions> = {}): Promise<Load> {
    const stack = new AsyncDisposableStack();
    const servers: Answering[] = [];
    for (let index = 0; index < serverCount; index += 1) servers.push(stack.use(await Answering.listen()));
    const endpoints = servers.map(({ url }) => url);
    const it = stack.use(new Asking({ endpoints, random: seeded(7), ...options }));
    return new Load(servers, it, stack);
  }

  /** Another server, which takes no part yet. */
  async another(): Promise<Answering> {
    const server = this.stack.use(await Answering.listen());
    this.servers.push(server);
    return server;
  }

  /** So many requests, never more than so many at once. `between` is called before each. */
  async run(count: number, atOnceCount: number, between: (index: number) => void = () => undefined): Promise<void> {
    let begun = 0;
    const client = async (): Promise<void> => {
      while (begun < count) {
        begun += 1;
        between(begun);
        const status = await this.it.status();
        this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: atOnceCount }, client));
  }

  /** Nothing is being answered, and nothing waits. */
  assertQuiet(): void {
    const { endpoints, waitingCount } = this.it.group.status();
    assert.equal(waitingCount, 0);
    for (const { activeCount, connectingCount, url } of endpoints)
      assert.deepEqual([url, activeCount, connectingCount], [url, 0, 0]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }
}

test('one of four servers that fails every request costs no client anything while retries are allowed', async () => {
  await using load = await Load.open(4, { retry: {}, health: { passive: { failureCount: 5 } } });
  const [failing] = load.servers;
  assert.ok(failing !== undefined);
  failing.status = 503;
  await load.run(400, 16);
  assert.deepEqual([...load.answers], [[200, 400]]);
  // Five in a row, and those that were under way by then.
  assert.ok(failing.hitCount <= 5 + 16, `${failing.hitCount} requests`);
  load.assertQuiet();
});

test('without retries clients see no more failures than the policy allows before it ejects, and those under way', async () => {
  await using load = await Load.open(4, { health: { passive: { failureCount: 5 } } });
  const [failing] = load.servers;
  assert.ok(failing !== undefined);
  failing.status = 500;
  await load.run(400, 16);
  const failed = load.answers.get(500) ?? 0;
  assert.ok(failed >= 5 && failed <= 5 + 16, `${failed} failures`);
  assert.equal(load.answers.get(200), 400 - failed);
});

test('one endpoint is drained under load without an error, and is asked nothing afterwards', async () => {
  await using load = await Load.open(4);
  const [leaving] = load.servers;
  assert.ok(leaving !== undefined);
  const drained: Promise<number>[] = [];
  await load.run(400, 16, (index) => {
    if (index === 100) drained.push(load.it.group.drain(leaving.url).then(() => leaving.hitCount));
  });
  assert.deepEqual([...load.answers], [[200, 400]]);
  assert.deepEqual(await Promise.all(drained), [leaving.hitCount]);
  assert.ok(leaving.hitCount < 40);
  assert.equal(load.it.group.endpoints().length, 3);
  load.assertQuiet();
});

test('endpoints come and go under load without an error, and those that stay keep their connections', async () => {
  await using load = await Load.open(3);
  const others = [await load.another(), await load.another()];
  const [staying, leaving] = load.servers;
  assert.ok(staying !== undefined && leaving !== undefined);
  let connectionCount = 0;
  const stop = onEvent('upstream:connect', ({ endpoint }) => {
    if (endpoint === staying.url) connectionCount += 1;
  });
  await load.run(600, 12, (index) => {
    if (index % 50 !== 0) return;
    const guests = index % 100 === 0 ? others : [leaving];
    load.it.group.update([staying, ...guests].map(({ url }) => url));
  });
  stop();
  assert.deepEqual([...load.answers], [[200, 600]]);
  for (const guest of [leaving, ...others]) assert.ok(guest.hitCount > 20, `${guest.hitCount} requests`);
  assert.ok(connectionCount <= 12, `${connectionCount} connections`);
  await until(() => load.it.group.endpoints().length === 3);
  load.assertQuiet();
});

test('a server that is restarted under load costs no idempotent request', async () => {
  await using load = await Load.open(4, { retry: {} });
  const stopped: Promise<void>[] = [];
  await load.run(400, 16, (index) => {
    if (index === 100 && load.servers[0] !== undefined) stopped.push(load.servers[0].stop());
  });
  await Promise.all(stopped);
  assert.deepEqual([...load.answers], [[200, 400]]);
  load.assertQuiet();
});

test('when nobody can be reached there is no storm: attempts stay within the budget', async () => {
  const endpoints = [await deafUrl(), await deafUrl(), await deafUrl()];
  using it = new Asking({ endpoints, retry: { budgetRatio: 0.2, budgetMinPerSec: 0.1 } });
  let retryCount = 0;
  let spentCount = 0;
  const stops = [
    onEvent('upstream:retry', () => (retryCount += 1)),
    onEvent('upstream:spent', () => (spentCount += 1)),
  ];
  for (let index = 0; index < 100; index += 1) {
    const status = it.status();
    let over = false;
    void status.finally(() => (over = true));
    // What waits to be tried once more is.
    for (let turn = 0; !over; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (turn % 20 === 19) it.clock.advance(1);
    }
    assert.equal(await status, 502);
  }
  for (const stop of stops) stop();
  // 20 % of 100, one that the floor allows, and each endpoint once before it was known to be down.
  assert.ok(retryCount <= 20 + 1 + 3, `${retryCount} retries`);
  assert.ok(retryCount >= 18);
  assert.ok(spentCount > 0);
});

test('when all answer 503 there is no storm either', async () => {
  await using load = await Load.open(3, { retry: { budgetRatio: 0.2, budgetMinPerSec: 0.1, backoffMs: 0 } });
  for (const server of load.servers) server.status = 503;
  await load.run(100, 1);
  assert.deepEqual([...load.answers], [[503, 100]]);
  const hitCount = load.servers.reduce((sum, server) => sum + server.hitCount, 0);
  assert.ok(hitCount <= 121 && hitCount >= 118, `${hitCount} attempts`);
});

test('a breaker opens when its endpoint fails, keeps requests away, lets as many try as it says, and closes', async () => {
  const breaker = { volumeMinCount: 4, openMs: 1000, jitterRatio: 0, trialCount: 2 };
  await using load = await Load.open(2, { breaker });
  const [sick, well] = load.servers;
  assert.ok(sick !== undefined && well !== undefined);
  const states: string[] = [];
  const stop = onEvent('endpoint:breaker', ({ endpoint, state, before }) => {
    states.push(`${endpoint === sick.url ? 'sick' : 'well'}: ${before} to ${state}`);
  });
  sick.status = 500;
  await load.run(20, 1);
  assert.equal(sick.hitCount, 4);
  assert.deepEqual(
    [...load.answers],
    [
      [500, 4],
      [200, 16],
    ],
  );
  load.it.clock.advance(999);
  await load.run(4, 1);
  assert.equal(sick.hitCount, 4);
  load.it.clock.advance(1);
  const held: (() => void)[] = [];
  sick.instead = (_request, response) => void held.push(() => response.end());
  const running = load.run(12, 12);
  await until(() => held.length === 2 && well.hitCount >= 10);
  assert.equal(sick.hitCount, 6, 'two trials at a time');
  sick.instead = null;
  sick.status = 200;
  for (const answer of held) answer();
  await running;
  stop();
  assert.deepEqual(states, ['sick: closed to open', 'sick: open to half-open', 'sick: half-open to closed']);
  const before = sick.hitCount;
  await load.run(10, 1);
  assert.equal(sick.hitCount, before + 5);
  load.assertQuiet();
});

test('trials that clients abandon make room for others, and say nothing', async () => {
  const breaker = { volumeMinCount: 1, openMs: 1000, jitterRatio: 0 };
  await using load = await Load.open(1, { breaker });
  const [sick] = load.servers;
  assert.ok(sick !== undefined);
  sick.status = 500;
  await load.run(2, 1);
  assert.deepEqual(
    [...load.answers],
    [
      [500, 1],
      [503, 1],
    ],
  );
  load.it.clock.advance(1000);
  sick.instead = () => undefined;
  for (let index = 0; index < 3; index += 1) {
    const exchange = new FakeExchange();
    const answer = load.it.send('GET', '/', { exchange });
    await until(() => sick.hitCount === 2 + index);
    exchange.abort(new Failure('client-gone'));
    await assert.rejects(answer, { code: 'client-gone' });
  }
  sick.instead = null;
  sick.status = 200;
  assert.equal(await load.it.status(), 200);
  assert.equal(load.it.group.endpoints()[0]?.breaker, 'closed');
});

test('whatever servers and clients do, nothing is left when the last request is over, and each call has ended once', async (context) => {
  const begun = context.mock.method(Standing.prototype, 'begin').mock;
  const ended = context.mock.method(Standing.prototype, 'observe').mock;
  for (const seed of [1, 2, 3, 4]) {
    const random = seeded(seed);
    await using load = await Load.open(3, {
      random,
      retry: { backoffMs: 0, replayMaxBytes: 100 },
      breaker: { volumeMinCount: 5, openMs: 20 },
      health: { passive: { failureCount: 4, ejectMs: 30 } },
      pool: { connectionMaxCount: 4, queueMaxCount: 20 },
      timeouts: { totalMs: 400, headMs: 200, connectMs: 200 },
      balance: { policy: 'power-of-two' },
    });
    for (const server of load.servers) {
      server.instead = (request, response) => {
        const drawn = random();
        if (drawn < 0.6) response.end('fine');
        else if (drawn < 0.7) response.writeHead(503).end();
        else if (drawn < 0.8) request.socket.destroy();
        else if (drawn < 0.85) request.socket.resetAndDestroy();
        else if (drawn < 0.9)
          response.writeHead(200, { 'content-length': 10 }).write('half', () => request.socket.destroy());
      };
    }
    const pending = new Set<Promise<unknown>>();
    for (let index = 0; index < 150; index += 1) {
      const exchange = new FakeExchange();
      const method = random() < 0.5 ? 'GET' : 'POST';
      const parts = method === 'GET' ? { exchange } : { exchange, body: 'some body' };
      const answer = load.it
        .send(method, '/', parts)
        .then(async ({ body }) => {
          if (body !== null && typeof body === 'object' && 'whole' in body) await body.whole();
        })
        .catch((error: unknown) => assert.ok(error instanceof Failure, String(error)));
      pending.add(answer);
      void answer.finally(() => pending.delete(answer));
      if (random() < 0.2) exchange.abort(new Failure('client-gone'));
      if (random() < 0.3) load.it.clock.advance(20 * random());
      if (random() < 0.5) await new Promise((resolve) => setImmediate(resolve));
    }
    for (let turn = 0; pending.size > 0; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (turn % 10 === 9) load.it.clock.advance(20);
    }
    load.assertQuiet();
    const drained = load.it.group.drain();
    await drained;
    assert.equal(load.it.clock.timerCount, 0, `seed ${seed}`);
  }
  const endCounts = new Map(begun.calls.map(({ result }) => [result, 0]));
  for (const { arguments: told } of ended.calls) endCounts.set(told[0], (endCounts.get(told[0]) ?? 0) + 1);
  assert.ok(endCounts.size > 400);
  assert.deepEqual(new Set(endCounts.values()), new Set([1]));
});
