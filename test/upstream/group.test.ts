import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Discovery, OnEndpoints } from '../../src/upstream/discover.ts';
import type { Endpoint } from '../../src/upstream/endpoint.ts';
import { UpstreamGroup } from '../../src/upstream/group.ts';
import type { UpstreamOptions } from '../../src/upstream/options.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { Answering } from './answering.ts';
import { Asking } from './asking.ts';
import { MemoryAttempt, MemoryClient } from './memory.ts';
import { turns } from './scripted.ts';

/** Two servers of which the second is told apart, and slow start. */
async function warming(stack: AsyncDisposableStack): Promise<{ it: Asking; old: Answering; young: Answering }> {
  const old = stack.use(await Answering.listen());
  const young = stack.use(await Answering.listen());
  const it = stack.use(
    new Asking({
      endpoints: [old.url, young.url],
      balance: 'weighted-round-robin',
      slowStart: { windowMs: 10_000, minRatio: 0.1 },
      breaker: { volumeMinCount: 1, openMs: 1000, jitterRatio: 0 },
    }),
  );
  return { it, old, young };
}

/** Of 22 requests, how many a server gets. */
async function share(it: Asking, server: Answering): Promise<number> {
  const before = server.hitCount;
  for (let index = 0; index < 22; index += 1) assert.equal(await it.status(), 200);
  return server.hitCount - before;
}

test('endpoints that are there from the beginning have their share; one whose breaker has closed comes up to it', async () => {
  await using stack = new AsyncDisposableStack();
  const { it, young } = await warming(stack);
  assert.equal(await share(it, young), 11);
  // What was well before is forgotten.
  it.clock.advance(20_000);
  young.status = 500;
  while ((await it.status()) !== 500);
  young.status = 200;
  it.clock.advance(1000);
  while (it.group.endpoints()[1]?.breaker !== 'closed') assert.equal(await it.status(), 200);
  const cold = await share(it, young);
  assert.ok(cold >= 1 && cold <= 3, `${cold} requests`);
  it.clock.advance(10_000);
  assert.equal(await share(it, young), 11);
});

test('an endpoint that is new comes up to its share, also when its weight changes on the way', async () => {
  await using stack = new AsyncDisposableStack();
  const { it, old, young } = await warming(stack);
  it.group.update([old.url]);
  it.group.update([old.url, young.url]);
  assert.ok((await share(it, young)) <= 3);
  it.group.update([old.url, { url: young.url, weight: 2 }]);
  assert.ok((await share(it, young)) <= 5);
  it.clock.advance(10_000);
  const warm = await share(it, young);
  assert.ok(warm >= 14, `${warm} requests`);
});

test('whether an endpoint could be reached is known from its last connection', async () => {
  const attempts: MemoryAttempt[] = [];
  const group: UpstreamGroup = new UpstreamGroup(
    { endpoints: ['http://127.0.0.1:1', 'http://127.0.0.1:2'], clock: new ManualClock() },
    (endpoint, observer) => {
      const attempt = new MemoryAttempt(endpoint, observer, group.life);
      attempts.push(attempt);
      return attempt;
    },
  );
  const ask = (): Endpoint => {
    const client = new MemoryClient('asks', [], () => false);
    client.waiter = group.acquire(client, false);
    const endpoint = attempts.at(-1)?.endpoint;
    assert.ok(endpoint !== undefined);
    return endpoint;
  };
  const one = ask();
  attempts[0]?.fail();
  const two = ask();
  assert.equal(group.hasOther([one], true), true);
  attempts[1]?.fail();
  assert.equal(group.hasOther([one], true), false);
  assert.equal(group.hasOther([one]), true);
  assert.equal(ask(), one);
  attempts[2]?.fail();
  assert.equal(ask(), two);
  attempts[3]?.connect(1);
  assert.equal(group.hasOther([one], true), true);
  group.close();
  await turns(1);
});

test('an endpoint that was drained stays out, whatever is updated or found, until it is resumed or was gone', async () => {
  await using stack = new AsyncDisposableStack();
  const [one, other, third] = await Promise.all([Answering.listen(), Answering.listen(), Answering.listen()]);
  for (const server of [one, other, third]) stack.use(server);
  let find: OnEndpoints = () => undefined;
  const discover: Discovery = {
    start: (onEndpoints) => {
      find = onEndpoints;
    },
    stop: () => undefined,
  };
  const it = stack.use(new Asking({ endpoints: [other.url], discover }));
  const urls = (): string[] => it.group.endpoints().map(({ url }) => url);
  find([{ url: one.url }]);
  await it.group.drain(one.url);
  find([{ url: one.url }, { url: third.url }]);
  it.group.update([one.url, other.url]);
  assert.deepEqual(urls(), [other.url, third.url]);
  assert.throws(() => it.group.resume(other.url), /endpoint http:.* was not drained/);
  it.group.resume(one.url);
  assert.deepEqual(new Set(urls()), new Set([one.url, other.url, third.url]));
  await it.group.drain(one.url);
  it.group.update([other.url]);
  find([{ url: third.url }]);
  find([{ url: one.url }]);
  assert.deepEqual(new Set(urls()), new Set([one.url, other.url]), 'it was gone, and has come anew');
});

test('an upstream that cannot be made leaves nothing behind', () => {
  const clock = new ManualClock();
  const options = {
    endpoints: ['http://127.0.0.1:1', 'https://127.0.0.1:2'],
    tls: { ca: '/nowhere/ca.pem' },
    health: { active: {}, passive: {} },
    pool: { connectionMinCount: 1 },
    clock,
  };
  assert.throws(() => new UpstreamGroup(options), /ca: \/nowhere\/ca\.pem cannot be read/);
  assert.equal(clock.timerCount, 0);
});

/** A group whose connections come to what the test says. */
function inMemory(options: Partial<UpstreamOptions>): { group: UpstreamGroup; attempts: MemoryAttempt[] } {
  const attempts: MemoryAttempt[] = [];
  const endpoints = ['http://127.0.0.1:1', 'http://127.0.0.1:2'];
  const group: UpstreamGroup = new UpstreamGroup(
    { endpoints, clock: new ManualClock(), ...options },
    (endpoint, observer) => {
      const attempt = new MemoryAttempt(endpoint, observer, group.life);
      attempts.push(attempt);
      return attempt;
    },
  );
  return { group, attempts };
}

const ask = (group: UpstreamGroup): MemoryClient => {
  const client = new MemoryClient('asks', [], () => false);
  client.waiter = group.acquire(client, false);
  return client;
};

test('an endpoint that drains is gone when the upstream is closed, also while a connection to it is being opened', async () => {
  const { group } = inMemory({});
  ask(group);
  const drained = group.drain('http://127.0.0.1:1');
  group.close();
  await drained;
  assert.deepEqual(
    group.endpoints().map(({ url }) => url),
    ['http://127.0.0.1:2'],
  );
});

test('at the cap over all endpoints room that comes is used at once', () => {
  for (const come of [
    // What is idle gives way for who must not use it.
    (group: UpstreamGroup, attempts: readonly MemoryAttempt[]) => {
      const connection = attempts[0]?.connect(1, false);
      group.forceBreaker('http://127.0.0.1:1', 'open');
      ask(group);
      assert.equal(attempts.length, 1);
      connection?.finish();
    },
    // What is opened for nobody is given up.
    (group: UpstreamGroup, attempts: readonly MemoryAttempt[], first: MemoryClient) => {
      group.forceBreaker('http://127.0.0.1:1', 'open');
      assert.ok(first.waiter !== null);
      group.leave(first.waiter);
      ask(group);
      assert.equal(attempts.length, 1);
      void group.drain('http://127.0.0.1:1');
    },
  ]) {
    const { group, attempts } = inMemory({ breaker: {}, pool: { connectionTotalMaxCount: 1 } });
    const first = ask(group);
    come(group, attempts, first);
    assert.deepEqual(
      attempts.map(({ endpoint }) => endpoint.id),
      ['http://127.0.0.1:1', 'http://127.0.0.1:2'],
    );
    group.close();
  }
});
