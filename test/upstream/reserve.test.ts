import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upstream } from '../../src/upstream/group.ts';
import type { PoolOptions } from '../../src/upstream/options.ts';
import { Asking } from './asking.ts';
import { MemoryPool } from './memory.ts';
import { ScriptedUpstream, turns, until } from './scripted.ts';

/** A pool that looks after itself from the start, as that of an upstream with a reserve does. */
function reserving(given: Partial<PoolOptions>, endpointCount = 1): MemoryPool {
  const it = new MemoryPool(given, endpointCount);
  it.pool.begin();
  return it;
}

const openAttempts = (it: MemoryPool): number[] => it.attempts.flatMap(({ open }, index) => (open ? [index] : []));

test('connections in reserve are opened before anybody asks, one after the other, and requests get them', () => {
  const it = reserving({ connectionMinCount: 2 });
  it.clock.advance(250);
  assert.deepEqual(openAttempts(it), [0]);
  it.clock.advance(250);
  assert.equal(it.attempts.length, 1, 'the first one is still being opened');
  const first = it.attempt(0).connect(1, false);
  it.clock.advance(250);
  it.attempt(1).connect(1, false);
  it.clock.advance(10_000);
  assert.equal(it.attempts.length, 2);
  const client = it.ask('1');
  assert.notEqual(client.connection, null);
  assert.equal(it.attempts.length, 2);
  first.close('peer-closed');
  it.clock.advance(250);
  assert.equal(it.attempts.length, 3, 'one that has gone is replaced');
  it.life.close();
});

test('each endpoint has its reserve, within the caps', () => {
  const it = reserving({ connectionMinCount: 2, connectionTotalMaxCount: 3 }, 2);
  for (let sweep = 0; sweep < 8; sweep += 1) {
    it.clock.advance(250);
    for (const index of openAttempts(it)) it.attempt(index).connect(1, false);
  }
  assert.deepEqual(
    it.endpoints.map(({ openCount }) => openCount),
    [2, 1],
  );
  it.life.close();
  assert.throws(
    () => upstream({ endpoints: ['http://127.0.0.1:1'], pool: { connectionMinCount: 2, connectionMaxCount: 1 } }),
    /connectionMinCount: 2 is above connectionMaxCount, 1/,
  );
});

test('an endpoint that cannot be reached is tried ever more seldom, and as usual when it has been', () => {
  const it = reserving({ connectionMinCount: 8 });
  const sinceMs: number[] = [];
  for (let step = 0; step < 4 * 120; step += 1) {
    it.clock.advance(250);
    for (const index of openAttempts(it)) {
      sinceMs.push(it.clock.now());
      it.attempt(index).fail();
    }
  }
  const rests = sinceMs.slice(1).map((atMs, index) => atMs - (sinceMs[index] ?? 0));
  assert.ok(sinceMs.length <= 12, `${sinceMs.length} attempts in two minutes`);
  assert.ok((rests[0] ?? 0) < 1000 && rests.every((restMs) => restMs <= 30_250), rests.join());
  assert.ok((rests.at(-1) ?? 0) > 20_000, rests.join());
  it.ask('1');
  const index = openAttempts(it)[0] ?? -1;
  it.attempt(index).connect(1, false);
  const { length } = it.attempts;
  it.clock.advance(250);
  assert.equal(it.attempts.length, length + 1);
  it.life.close();
});

test('a black hole costs one attempt at a time, each for connectMs', () => {
  const it = reserving({ connectionMinCount: 8 });
  for (let step = 0; step < 40; step += 1) {
    it.clock.advance(250);
    assert.ok(openAttempts(it).length <= 1);
  }
  assert.ok(it.attempts.length <= 5, `${it.attempts.length} attempts in ten seconds`);
  it.life.close();
});

test('a drain opens nothing more, and closes the reserve with what is being opened', async () => {
  const it = reserving({ connectionMinCount: 3 });
  it.clock.advance(250);
  const spare = it.attempt(0).connect(1, false);
  const busy = it.ask('1');
  it.clock.advance(250);
  it.attempt(1).connect(1, false);
  it.clock.advance(250);
  assert.deepEqual(openAttempts(it), [2]);
  it.life.drain();
  assert.equal(spare.life.phase, 'draining', 'it has a request');
  assert.equal(it.attempt(2).connect(1, false).life.phase, 'closed');
  it.clock.advance(1000);
  assert.equal(it.attempts.length, 3);
  busy.connection?.finish();
  assert.equal(busy.outcome, 'answered');
  assert.equal(it.life.phase, 'closed');
  assert.deepEqual(openAttempts(it), []);
  assert.equal(it.clock.timerCount, 0);
});

test('an endpoint that leaves has no reserve any more, and one that comes gets one', async () => {
  await using a = await ScriptedUpstream.listen();
  await using b = await ScriptedUpstream.listen();
  using it = new Asking({ endpoints: [a.url], pool: { connectionMinCount: 1 } });
  it.clock.advance(250);
  const connection = await a.connection();
  await until(() => it.group.endpoints()[0]?.idleCount === 1);
  it.group.update([b.url]);
  await connection.closed();
  it.clock.advance(250);
  await b.connection();
  it.clock.advance(5000);
  await turns();
  assert.deepEqual([a.accepted.length, b.accepted.length], [1, 1]);
});

test('a spare connection that its peer closes is noticed at once and replaced, so no request meets it', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = new Asking({ endpoints: [server.url], pool: { connectionMinCount: 1 } });
  it.clock.advance(250);
  const spare = await server.connection();
  await until(() => it.group.endpoints()[0]?.idleCount === 1);
  spare.socket.end();
  await until(() => it.group.endpoints()[0]?.idleCount === 0);
  it.clock.advance(250);
  const next = await server.connection();
  await until(() => it.group.endpoints()[0]?.idleCount === 1);
  const answer = it.ask();
  await next.answer('from the spare');
  assert.equal(await answer, 'from the spare');
});

test('a connection that is too old ends its request, takes no other, and is closed', () => {
  const it = new MemoryPool({ ageMaxMs: 1000 });
  const first = it.ask('1');
  const old = it.attempt(0).connect(1, false);
  it.clock.advance(900);
  old.finish();
  assert.equal(it.ask('2').connection, old, 'it is not too old yet');
  it.clock.advance(350);
  assert.equal(old.life.phase, 'accepting', 'its request is not cut off');
  old.finish();
  assert.equal(old.life.phase, 'closed');
  it.ask('3');
  assert.equal(it.attempts.length, 2);
  assert.equal(first.outcome, 'answered');
  it.life.close();
});

test('an idle connection that becomes too old is closed, and replaced where there is a reserve', () => {
  const it = reserving({ ageMaxMs: 1000, connectionMinCount: 1 });
  it.clock.advance(250);
  const old = it.attempt(0).connect(1, false);
  it.clock.advance(750);
  assert.equal(old.life.phase, 'accepting');
  it.clock.advance(250);
  assert.equal(old.life.phase, 'closed');
  it.clock.advance(250);
  assert.deepEqual(openAttempts(it), [1]);
  it.life.close();
});

test('one that carries many requests and is too old lets them end, while new ones go elsewhere', () => {
  const it = new MemoryPool({ ageMaxMs: 1000 });
  const [first, second] = it.askAll(2);
  const old = it.attempt(0).connect(10);
  assert.deepEqual([first?.connection, second?.connection], [old, old]);
  it.clock.advance(1250);
  const third = it.ask('3');
  assert.equal(third.connection, null);
  const fresh = it.attempt(1).connect(10);
  assert.equal(third.connection, fresh);
  old.finish();
  assert.equal(old.life.phase, 'accepting');
  old.finish();
  assert.equal(old.life.phase, 'closed');
  it.life.close();
});
