import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryClient, MemoryPool } from './memory.ts';

test('who does not wait gets a connection that is free, or one that is opened for it, and nothing else', () => {
  const it = new MemoryPool({ connectionMaxCount: 1, streamMaxCount: 1 });
  const first = it.askAtOnce('1');
  assert.equal(it.pool.hasRoomFor(first), false, 'its connection is being opened');
  const connection = it.attempt(0).connect(1, false);
  assert.equal(it.servedNames, '1');
  assert.equal(it.askAtOnce('2').outcome, 'upstream-unavailable');
  connection.finish();
  assert.equal(it.pool.hasRoomFor(first), true);
  assert.equal(it.askAtOnce('3').outcome, null);
  assert.deepEqual([it.servedNames, it.attempts.length, it.pool.waitingCount], ['1 3', 1, 0]);
});

test('who does not wait is not sent where it was in vain, though there be nobody else', () => {
  const it = new MemoryPool({}, 2);
  const [one, two] = it.endpoints;
  assert.ok(one !== undefined && two !== undefined);
  const both = it.askAtOnce('1', [one, two]);
  assert.deepEqual([both.outcome, it.pool.hasRoomFor(both)], ['upstream-unavailable', false]);
  assert.equal(it.askAtOnce('2', [one]).outcome, null);
  assert.deepEqual(
    it.attempts.map(({ endpoint }) => endpoint),
    [two],
  );
});

test('there is no room for who does not wait while somebody waits for room, if only elsewhere', () => {
  const it = new MemoryPool({ connectionMaxCount: 1, streamMaxCount: 1 }, 2);
  it.askAll(2);
  it.attempt(0).connect(1, false);
  it.attempt(1).connect(1, false).finish();
  const late = it.askAtOnce('late');
  assert.equal(it.servedNames, '1 2 late');
  late.connection?.finish();
  assert.equal(it.pool.hasRoomFor(late), true);
  const waiting = new MemoryClient('3', [], () => false);
  waiting.tried.push(...it.endpoints.slice(1));
  it.pool.acquire(waiting, false);
  assert.deepEqual([it.pool.waitingCount, it.pool.hasRoomFor(late)], [1, false]);
});

test('who does not wait takes no connection that is free elsewhere: others wait for it', () => {
  const it = new MemoryPool({ connectionMaxCount: 1, streamMaxCount: 1 }, 2);
  it.ask('1');
  const busy = it.attempt(0).connect(1, false);
  it.askAtOnce('at once');
  it.ask('2');
  assert.equal(it.attempts.length, 2, 'there is no room for the last one');
  busy.finish();
  assert.equal(it.servedNames, '1 2');
  it.attempt(1).connect(1, false);
  assert.equal(it.servedNames, '1 2 at once');
});

test('who does not wait is turned away when the connection that was opened carries less than was hoped for', () => {
  const it = new MemoryPool();
  const waiting = it.ask('1');
  const atOnce = it.askAtOnce('at once');
  const other = it.ask('2');
  const connection = it.attempt(0).connect(1);
  assert.deepEqual([waiting.outcome, atOnce.outcome, other.outcome], [null, 'upstream-queue-full', null]);
  assert.equal(it.attempts.length, 2, 'another one is opened for who waits');
  connection.finish();
  assert.equal(it.servedNames, '1 2');
});
