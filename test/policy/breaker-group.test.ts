import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Breaker, type CallOutcome, REFUSED } from '../../src/policy/breaker.ts';
import type { BreakerGroup } from '../../src/policy/breaker-group.ts';
import { call, groupOf, OPTIONS } from './breaking.ts';

/** Random numbers that are all different. */
function numbers(): () => number {
  let count = 0;
  return () => {
    count += 1;
    return (count * 0.618) % 1;
  };
}

const membersOf = (group: BreakerGroup, count: number): Breaker[] => Array.from({ length: count }, () => group.join());
const states = (members: readonly Breaker[]): string[] => members.map(({ state }) => state);
const fail = (it: Breaker, nowMs: number): void => call(it, 'failure', nowMs, OPTIONS.volumeMinCount);

/** One whose trials have failed so often that it waits for its longest time, beside others that are closed. */
function longOpen(it: Breaker): number {
  fail(it, 0);
  let nowMs = 0;
  for (let round = 0; round < 4; round += 1) {
    nowMs = it.retryAtMs ?? 0;
    call(it, 'failure', nowMs);
  }
  assert.equal(it.retryAtMs, nowMs + OPTIONS.openMaxMs);
  return nowMs;
}

test('when the last one opens, whoever was to wait for longer is tried within the first open time', () => {
  const group = groupOf();
  const [first, ...others] = membersOf(group, 3);
  assert.ok(first);
  const nowMs = longOpen(first);
  const [second, last] = others;
  assert.ok(second && last);
  fail(second, nowMs);
  assert.equal(first.retryAtMs, nowMs + OPTIONS.openMaxMs, 'somebody is left');
  fail(last, nowMs);
  for (const it of [first, second]) assert.equal(it.retryAtMs, nowMs + 0.5 * OPTIONS.openMs);
  assert.equal(last.retryAtMs, nowMs + OPTIONS.openMs);
});

test('while none is closed the time open does not grow, and what failed meanwhile is not held against anybody', () => {
  const [a, b] = membersOf(groupOf(), 2);
  assert.ok(a && b);
  fail(a, 0);
  fail(b, 0);
  let nowMs = 0;
  for (let round = 0; round < 5; round += 1) {
    nowMs = a.retryAtMs ?? 0;
    call(a, 'failure', nowMs);
    assert.equal(a.retryAtMs, nowMs + OPTIONS.openMs);
  }
  call(b, 'success', nowMs);
  assert.deepEqual(states([a, b]), ['open', 'closed']);
  call(a, 'failure', nowMs);
  assert.equal(a.retryAtMs, nowMs + 2 * OPTIONS.openMs, 'its second time');
});

test('one that has nobody beside it does not wait for longer and longer', () => {
  const alone = groupOf({ openMs: 9000 }).join();
  fail(alone, 0);
  assert.equal(alone.retryAtMs, OPTIONS.openMaxMs, 'its longest time is less');
  call(alone, 'failure', OPTIONS.openMaxMs);
  assert.equal(alone.retryAtMs, 2 * OPTIONS.openMaxMs);
});

test('the first that closes brings the others back: they are tried within the jitter, each only by its trials', () => {
  const group = groupOf({ jitterRatio: 0.2, trialCount: 2 }, numbers());
  const [first, ...others] = membersOf(group, 5);
  assert.ok(first);
  for (const it of [first, ...others]) fail(it, 0);
  const nowMs = first.retryAtMs ?? 0;
  for (const it of others) if (it.wouldAdmit(nowMs)) call(it, 'failure', nowMs);
  call(first, 'success', nowMs);
  assert.equal(first.state, 'half-open');
  assert.ok(
    others.every((it) => (it.retryAtMs ?? 0) > nowMs),
    'one trial of two proves nothing',
  );
  call(first, 'success', nowMs);
  assert.deepEqual(states([first, ...others]), ['closed', 'open', 'open', 'open', 'open']);
  const times = others.map((it) => it.retryAtMs ?? 0);
  assert.ok(times.every((atMs) => atMs >= nowMs && atMs <= nowMs + 0.2 * OPTIONS.openMs));
  assert.equal(new Set(times).size, times.length, 'not all at once');
  for (const it of others) {
    const trials = [1, 2, 3].map(() => it.admit(nowMs + 0.2 * OPTIONS.openMs));
    assert.equal(trials.filter((ticket) => ticket !== REFUSED).length, 2);
  }
});

test('nobody is made to wait for longer', () => {
  const [a, b, c] = membersOf(groupOf({ jitterRatio: 1 }, numbers()), 3);
  assert.ok(a && b && c);
  fail(a, 0);
  const atMs = a.retryAtMs;
  assert.ok(atMs !== null);
  fail(b, atMs - 1);
  fail(c, atMs - 1);
  assert.equal(a.retryAtMs, atMs);
});

test('one that closes while another is closed hurries nobody', () => {
  const [a, b, c] = membersOf(groupOf(), 3);
  assert.ok(a && b && c);
  const nowMs = longOpen(a);
  fail(b, nowMs);
  call(b, 'success', b.retryAtMs ?? 0);
  assert.deepEqual(states([a, b, c]), ['open', 'closed', 'closed']);
  assert.equal(a.retryAtMs, nowMs + OPTIONS.openMaxMs);
});

test('who has left, or is held open, is nobody that could serve; who is held closed is', () => {
  const group = groupOf();
  const [a, b, c] = membersOf(group, 3);
  assert.ok(a && b && c);
  group.leave(b);
  c.force('open');
  fail(a, 0);
  call(a, 'failure', 1000);
  assert.equal(a.retryAtMs, 2000);
  c.force('closed');
  call(a, 'failure', 2000);
  call(a, 'failure', 3000);
  assert.equal(a.retryAtMs, 5000);
});

const step = fc.record({
  member: fc.nat(3),
  outcome: fc.constantFrom<CallOutcome>('success', 'failure', 'failure', 'none'),
  count: fc.integer({ min: 1, max: 12 }),
  afterMs: fc.constantFrom(0, 10, 400, 1000, 5000),
});

test('whatever was before: once none is closed and the servers are back, all are closed within one open time and the jitter', () => {
  const jitterRatio = 0.2;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 80 }), (memberCount, steps) => {
      const group = groupOf({ jitterRatio }, numbers());
      const members = membersOf(group, memberCount);
      let nowMs = 0;
      for (const { member, outcome, count, afterMs } of steps) {
        nowMs += afterMs;
        const it = members[member % memberCount];
        if (it !== undefined) call(it, outcome, nowMs, count);
      }
      nowMs += OPTIONS.windowMs;
      for (const it of members) if (it.state === 'closed') call(it, 'failure', nowMs, OPTIONS.volumeMinCount);
      assert.ok(members.every(({ state }) => state !== 'closed'));
      const backMs = nowMs;
      while (members.some(({ state }) => state !== 'closed')) {
        for (const it of members) call(it, 'success', nowMs);
        nowMs += 10;
        assert.ok(nowMs - backMs <= OPTIONS.openMs * (1 + 2 * jitterRatio) + 20, `${nowMs - backMs} ms`);
      }
    }),
  );
});

test('one whose endpoint is asked nothing for other reasons is nobody who is left', () => {
  const group = groupOf();
  const [first, aside] = membersOf(group, 2);
  assert.ok(first && aside);
  aside.aside = true;
  fail(first, 0);
  for (let round = 0; round < 4; round += 1) {
    const nowMs: number = first.retryAtMs ?? 0;
    call(first, 'failure', nowMs);
    assert.equal(first.retryAtMs, nowMs + OPTIONS.openMs, 'its open time does not grow');
  }
});
