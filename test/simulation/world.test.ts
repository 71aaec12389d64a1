import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WELL } from '../../simulate/condition.ts';
import { EventLoop } from '../../simulate/event-loop.ts';
import { Link } from '../../simulate/link.ts';
import { measure, quantile } from '../../simulate/measures.ts';
import { POLICIES } from '../../simulate/policies.ts';
import { exponential, randomStream, serviceTime, withSystemRandom } from '../../simulate/random.ts';
import { Recording } from '../../simulate/recording.ts';
import { SCENARIOS } from '../../simulate/scenarios.ts';
import { type ServerSide, SimulatedServer } from '../../simulate/server.ts';
import { VirtualClock } from '../../simulate/virtual-clock.ts';

const random = randomStream(1, 'test');
const CLIENT: ServerSide = { gone: false, leave() {}, reset() {} };

test('what is due at the same moment runs in the order in which it was started; what is cancelled does not run', async () => {
  const clock = new VirtualClock();
  const ran: string[] = [];
  for (const [name, atMs] of [
    ['late', 9],
    ['first', 5],
    ['second', 5],
    ['early', 1],
  ] as const)
    clock.after(atMs, () => ran.push(`${name} ${clock.now()}`));
  clock.after(5, () => ran.push('never')).cancel();
  const tick = clock.every(4, () => {
    ran.push(`tick ${clock.now()}`);
    if (clock.now() === 8) tick.cancel();
  });
  await clock.runUntil(20);
  assert.deepEqual(ran, ['early 1', 'tick 4', 'first 5', 'second 5', 'tick 8', 'late 9']);
  assert.deepEqual([clock.now(), clock.dueCount], [20, 0]);
});

test('promises have their turn before the next event, and those that wait for these', async () => {
  const clock = new VirtualClock();
  const seenMs: number[] = [];
  let promise = new Promise<void>((resolve) => clock.after(3, resolve));
  for (let depth = 0; depth < 50; depth += 1) promise = Promise.all([promise]).then(() => undefined);
  clock.after(4, () => undefined);
  const seen = promise.then(() => seenMs.push(clock.now()));
  await clock.runUntil(10);
  await seen;
  assert.deepEqual(seenMs, [3]);
});

test('thousands of events come in the order of time, whatever the order they were started in', async () => {
  const clock = new VirtualClock();
  const seenMs: number[] = [];
  for (let count = 0; count < 5000; count += 1) clock.after(1000 * random(), () => seenMs.push(clock.now()));
  await clock.runUntil(1000);
  assert.equal(seenMs.length, 5000);
  assert.ok(seenMs.every((atMs, index) => atMs >= (seenMs[index - 1] ?? 0)));
});

test('a stream of numbers depends on its seed and its name, and is even', () => {
  const take = (seed: number, name: string): number[] => {
    const stream = randomStream(seed, name);
    return Array.from({ length: 5000 }, () => stream());
  };
  assert.deepEqual(take(1, 'a'), take(1, 'a'));
  for (const [seed, name] of [
    [2, 'a'],
    [1, 'b'],
    [-1, 'a'],
  ] as const)
    assert.notDeepEqual(take(1, 'a'), take(seed, name));
  const mean = take(3, 'a').reduce((sum, number) => sum + number, 0) / 5000;
  assert.ok(Math.abs(mean - 0.5) < 0.02, `${mean}`);
  for (const draw of [exponential, serviceTime]) {
    const total = Array.from({ length: 5000 }, () => draw(random, 40)).reduce((sum, number) => sum + number, 0);
    assert.ok(Math.abs(total / 5000 - 40) < 3, `${total / 5000}`);
  }
});

test('keys of the system come from a stream while something is made, and then no more', () => {
  const draw = (): number[] => [...crypto.getRandomValues(new Int32Array(4))];
  const drawn = [1, 1, 2].map((seed) => withSystemRandom(randomStream(seed, 'keys'), draw));
  assert.deepEqual(drawn[0], drawn[1]);
  assert.notDeepEqual(drawn[0], drawn[2]);
  assert.notDeepEqual(draw(), drawn[0]);
});

test('an event loop works at one thing at a time: what it does keeps timers waiting, and each period begins when it has run', async () => {
  const clock = new VirtualClock();
  const loop = new EventLoop(clock);
  const ranMs: number[] = [];
  const every = loop.every(50, () => ranMs.push(clock.now()));
  loop.after(60, () => ranMs.push(-clock.now())).cancel();
  const endedMs: number[] = [];
  const arrive = (costMs: number): void => {
    void loop
      .arrive(
        () => costMs,
        (answer) => Number(answer),
      )
      .then(() => endedMs.push(clock.now()));
  };
  clock.after(40, () => arrive(100));
  // These come while it works, and wait for the next turn, behind the timer.
  clock.after(60, () => arrive(10));
  clock.after(70, () => arrive(20));
  await clock.runUntil(200);
  assert.deepEqual(endedMs, [140, 150, 170]);
  // Due at 50, and from then on at 190.
  assert.deepEqual(ranMs, [140, 190]);
  every.cancel();
  await clock.runUntil(1000);
  assert.equal(ranMs.length, 2);
});

test('a server that hangs takes requests and answers none, and answers those that come when it is well', async () => {
  const clock = new VirtualClock();
  const server = new SimulatedServer({ workerCount: 1, serviceMs: 10, backlogMaxCount: 10 }, clock, random);
  const statuses: number[] = [];
  const take = (): void => server.take(CLIENT, (status) => statuses.push(status));
  server.become({ reach: 'hung' });
  take();
  await clock.runUntil(60_000);
  assert.deepEqual(statuses, []);
  server.become(WELL);
  take();
  await clock.runUntil(120_000);
  assert.deepEqual(statuses, [200]);
});

test('a server answers as many requests as its workers can, the rest wait, and those beyond the backlog are 503', async () => {
  const clock = new VirtualClock();
  const options = { workerCount: 2, serviceMs: 10, backlogMaxCount: 3000 };
  const server = new SimulatedServer(options, clock, random);
  const counts = new Map<number, number>();
  for (let count = 0; count < 3100; count += 1)
    server.take(CLIENT, (status) => counts.set(status, (counts.get(status) ?? 0) + 1));
  assert.equal(counts.get(503), 98, 'two are at work');
  await clock.runUntil(10_000);
  assert.ok(Math.abs((counts.get(200) ?? 0) - 2000) < 150, `${counts.get(200)} in 10 s`);
  server.become({ reach: 'down' });
  await clock.runUntil(20_000);
  assert.equal(server.loadCount, 0, 'what it had is lost');
});

test('a packet that is cut off arrives when it is sent again after the way is open', async () => {
  const clock = new VirtualClock();
  const server = new SimulatedServer({ workerCount: 1, serviceMs: 1, backlogMaxCount: 1 }, clock, random);
  const link = new Link(server, 1, clock, random);
  let arrivedMs = 0;
  server.become({ reach: 'cut' });
  link.carry(() => {
    arrivedMs = clock.now();
  });
  clock.after(500, () => server.become(WELL));
  await clock.runUntil(5000);
  // At 0, 0.2 and 0.6 s.
  assert.ok(arrivedMs > 600 && arrivedMs < 700, `${arrivedMs}`);
});

test('a run is measured: what was good, and when it was well again after the fault', () => {
  const [scenario, policy] = [SCENARIOS[0], POLICIES[0]];
  assert.ok(scenario !== undefined && policy !== undefined);
  const recording = new Recording(60_000, 1000, 4);
  for (let second = 0; second < 60; second += 1) {
    const atMs = 1000 * second;
    const failed = second >= 15 && second < 40;
    for (let server = 0; server < 4; server += 1) {
      recording.asked(atMs);
      if (server > 0 || second < 15 || second >= 45) recording.attempted(server, atMs);
      recording.ended(failed && server === 0 ? 503 : 200, 0, atMs);
    }
  }
  const leftovers = {
    waitingClientCount: 0,
    queuedCount: 0,
    activeCount: 0,
    connectingCount: 0,
    liveCount: 0,
    timerCount: 0,
    serverConnectionCount: 0,
  };
  const measures = measure({ scenario, policy, seed: 1, recording, leftovers });
  assert.deepEqual([measures.askedCount, measures.goodCount, measures.errorCount], [240, 215, 25]);
  assert.deepEqual([measures.recoverMs, measures.faultGoodPerSec], [5000, 3]);
  // Three seconds are looked at together: with two of the three it has too little still.
  assert.equal(measures.shareRecoverMs, 9000);
  assert.deepEqual(measures.shares, [0.25, 0.25, 0.25, 0.25]);
  assert.deepEqual([quantile([], 0.5), quantile([3, 1, 2], 0.5), quantile([1, 2], 1)], [null, 2, 2]);
});
