import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEvent } from '../../src/core/events.ts';
import type { Discovery, OnEndpoints } from '../../src/upstream/discover.ts';
import { upstream } from '../../src/upstream/group.ts';
import { Answering } from './answering.ts';
import { Asking } from './asking.ts';

const states = ({ group }: Asking): string[] => group.endpoints().map(({ rank, breaker }) => `${rank} ${breaker}`);

test('an ejection that is taken over is told once, lasts as long as it would have, and is remembered', async () => {
  await using bad = await Answering.listen();
  await using good = await Answering.listen();
  bad.status = 500;
  const options = {
    endpoints: [bad.url, good.url],
    health: { passive: { failureCount: 1, ejectMs: 10_000 } },
    spill: { panicRatio: null },
  };
  using before = new Asking(options);
  const told: unknown[] = [];
  const stop = onEvent('endpoint:eject', ({ endpoint, forMs }) => told.push([endpoint, forMs]));
  await before.ask();
  await before.ask();
  before.clock.advance(4000);
  const after = upstream({ ...options, clock: before.clock });
  after.adopt(before.group);
  const [first] = after.endpoints();
  assert.partialDeepStrictEqual(first, { rank: 'out', ejectedForMs: 6000 });
  before.clock.advance(5999);
  assert.equal(after.endpoints()[0]?.rank, 'out');
  before.clock.advance(251);
  assert.equal(after.endpoints()[0]?.rank, 'well');
  stop();
  assert.deepEqual(told, [[bad.url, 10_000]]);
  after.close();
});

test('a breaker that is open stays open for its time, and one that was being tried is tried again', async () => {
  await using bad = await Answering.listen();
  bad.status = 500;
  const options = {
    endpoints: [bad.url],
    breaker: { volumeMinCount: 1, openMs: 10_000, jitterRatio: 0 },
  };
  using before = new Asking(options);
  await before.ask();
  assert.deepEqual(states(before), ['well open']);
  using after = new Asking({ ...options, clock: before.clock });
  after.group.adopt(before.group);
  assert.deepEqual(states(after), ['well open']);
  before.clock.advance(9999);
  await assert.rejects(after.ask(), { code: 'upstream-unavailable' });
  before.clock.advance(1);
  bad.instead = (_request, response) => void response.writeHead(200);
  const trial = before.ask().catch(() => 'cut off');
  assert.deepEqual(states(before), ['well half-open']);
  using third = new Asking({ ...options, clock: before.clock });
  third.group.adopt(before.group);
  assert.deepEqual(states(third), ['well open']);
  bad.instead = null;
  bad.status = 200;
  assert.equal(await third.ask(), '');
  assert.deepEqual(states(third), ['well closed']);
  before.group.close();
  await trial;
});

test('what is not judged any more is left, and what is judged anew begins as if nothing had been', () => {
  const endpoints = ['http://127.0.0.1:1'];
  using judged = new Asking({ endpoints, breaker: {}, health: { passive: {} } });
  judged.group.forceBreaker('http://127.0.0.1:1', 'open');
  using free = new Asking({ endpoints });
  free.group.adopt(judged.group);
  assert.deepEqual(states(free), ['well closed']);
  using again = new Asking({ endpoints, breaker: {} });
  again.group.adopt(free.group);
  assert.deepEqual(states(again), ['well closed']);
});

test('an endpoint that is warming up goes on with that', async () => {
  await using old = await Answering.listen();
  await using young = await Answering.listen();
  const options = { balance: 'weighted-round-robin', slowStart: { windowMs: 100_000, minRatio: 0.1 } } as const;
  using before = new Asking({ ...options, endpoints: [old.url] });
  before.group.update([old.url, young.url]);
  before.clock.advance(25_000);
  using after = new Asking({ ...options, endpoints: [old.url, young.url], clock: before.clock });
  after.group.adopt(before.group);
  for (let count = 0; count < 50; count += 1) await after.ask();
  assert.deepEqual([old.hitCount, young.hitCount], [40, 10], 'a quarter of its weight, as of a quarter of the time');
  before.clock.advance(75_000);
  for (let count = 0; count < 50; count += 1) await after.ask();
  assert.deepEqual([old.hitCount, young.hitCount], [65, 35]);
});

test('what has been spent of the budget for retries is spent', async () => {
  await using bad = await Answering.listen();
  bad.status = 503;
  const options = { endpoints: [bad.url], retry: { budgetRatio: 0, budgetMinPerSec: 0.2, backoffMs: 0 } };
  using before = new Asking(options);
  await before.status();
  assert.equal(bad.hitCount, 3);
  using after = new Asking({ ...options, clock: before.clock });
  after.group.adopt(before.group);
  await after.status();
  assert.equal(bad.hitCount, 4);
  before.clock.advance(11_000);
  await after.status();
  assert.equal(bad.hitCount, 7);
});

test('an endpoint that was drained by itself stays out', async () => {
  await using one = await Answering.listen();
  await using other = await Answering.listen();
  const options = { endpoints: [one.url, other.url] };
  using before = new Asking(options);
  await before.group.drain(one.url);
  using after = new Asking({ ...options, clock: before.clock });
  after.group.adopt(before.group);
  for (let count = 0; count < 4; count += 1) await after.ask();
  assert.deepEqual([one.hitCount, other.hitCount], [0, 4]);
  after.group.resume(one.url);
  for (let count = 0; count < 4; count += 1) await after.ask();
  assert.deepEqual([one.hitCount, other.hitCount], [2, 6]);
});

test('an endpoint that was drained stays out also where it has yet to be found', () => {
  const found: OnEndpoints[] = [];
  const finding = (): Discovery => ({ start: (onEndpoints) => void found.push(onEndpoints), stop: () => undefined });
  const [given, drained] = ['http://127.0.0.1:1', 'http://127.0.0.1:2'];
  using before = new Asking({ endpoints: [given], discover: finding() });
  found[0]?.([{ url: drained }]);
  void before.group.drain(drained);
  using after = new Asking({ endpoints: [given], discover: finding(), clock: before.clock });
  after.group.adopt(before.group);
  found[1]?.([{ url: drained }]);
  const urls = (): string[] => after.group.endpoints().map(({ url }) => url);
  assert.deepEqual(urls(), [given]);
  found[1]?.([]);
  found[1]?.([{ url: drained }]);
  assert.deepEqual(urls(), [given, drained], 'it was gone, and has come anew');
});
