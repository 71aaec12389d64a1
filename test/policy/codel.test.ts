import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codel, deadlineCodel, type QueueControl } from '../../src/policy/codel.ts';

interface Served {
  readonly waitedMs: number;
  readonly atMs: number;
}

/** A server that takes a request every `serviceMs` from a queue that gets one every `gapMs`; refusing takes no time. */
function overload(control: QueueControl, serviceMs: number, gapMs: number, durationMs: number): Served[] {
  const queue: number[] = [];
  const served: Served[] = [];
  let arrivalMs = 0;
  for (let nowMs = 0; nowMs < durationMs; nowMs += serviceMs) {
    for (; arrivalMs <= nowMs; arrivalMs += gapMs) queue.push(arrivalMs);
    for (;;) {
      const sinceMs = queue.shift();
      if (sinceMs === undefined) break;
      if (control.refuse(nowMs - sinceMs, nowMs, queue.length)) continue;
      served.push({ waitedMs: nowMs - sinceMs, atMs: nowMs });
      break;
    }
  }
  return served;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const waits = (served: readonly Served[], fromMs: number): number[] =>
  served.filter(({ atMs }) => atMs >= fromMs).map(({ waitedMs }) => waitedMs);

test('CoDel refuses the first after an interval above the target, then at interval / √n (RFC 8289 §5.5)', () => {
  const control = codel({ targetMs: 5, intervalMs: 100 });
  const refusedAtMs: number[] = [];
  for (let nowMs = 0; nowMs <= 500; nowMs += 1) if (control.refuse(50, nowMs, 10)) refusedAtMs.push(nowMs);
  // 100, then 100 / √1, √2, √3 … later, each rounded up to a whole millisecond: 200, 270.7, 328.4, 378.4, 423.2, 464.0.
  assert.deepEqual(refusedAtMs, [100, 200, 271, 329, 379, 424, 464]);
});

test('one short wait, or an empty queue, ends it', () => {
  for (const [waitedMs, leftCount] of [
    [4.9, 10],
    [50, 0],
  ] as const) {
    const control = codel();
    for (let nowMs = 0; nowMs <= 99; nowMs += 1) assert.equal(control.refuse(50, nowMs, 10), false);
    assert.equal(control.refuse(waitedMs, 99.5, leftCount), false);
    for (let nowMs = 100; nowMs < 200; nowMs += 1) assert.equal(control.refuse(50, nowMs, 10), false);
    assert.equal(control.refuse(50, 200, 10), true);
    assert.equal(control.overloaded, true);
    assert.equal(control.refuse(waitedMs, 201, leftCount), false);
    assert.equal(control.overloaded, false);
  }
});

test('an overload that comes back soon meets the pace of before; one after a calm begins gently', () => {
  for (const [calmMs, nextMs] of [
    // Seven were refused, so six more than the one it began with: 100 / √6 = 40.8 later.
    [100, 41],
    [10_000, 100],
  ] as const) {
    const control = codel();
    for (let nowMs = 0; nowMs <= 464; nowMs += 1) control.refuse(50, nowMs, 10);
    control.refuse(0, 465, 10);
    const againMs = 465 + calmMs;
    const refusedAtMs: number[] = [];
    for (let nowMs = againMs; refusedAtMs.length < 2; nowMs += 1)
      if (control.refuse(50, nowMs, 10)) refusedAtMs.push(nowMs);
    assert.deepEqual(refusedAtMs, [againMs + 100, againMs + 100 + nextMs]);
  }
});

test('a clock that stands still refuses one at most; one that jumps by hours does no harm', () => {
  for (const control of [codel(), deadlineCodel()]) {
    for (let asked = 0; asked < 1000; asked += 1) assert.equal(control.refuse(50, 7, 10), false);
    control.refuse(0, 3_600_000, 0);
    assert.equal(control.refuse(50, 7_200_000, 10), false);
  }
});

test('a tenth more than can be served: CoDel brings the wait down to the target, and serves all the time', () => {
  // 500 a second can be served, 550 come: without control the queue would be 1 s long after 10 s.
  const served = overload(codel(), 2, 1000 / 550, 20_000);
  assert.ok(served.length > 0.99 * 10_000);
  // 50 a second have to be refused: √n / 100 ms = 50 a second at n = 25, after 2 × √25 intervals = 1 s. From then on the
  // wait goes from the target up by what comes too much in one interval, 10 % of 100 ms, before the refusing begins again.
  const settled = waits(served, 2000);
  assert.ok(mean(settled) < 5 + 10, `${mean(settled)}`);
});

test('twice as many as can be served: with deadlines nobody who is served has waited more than twice the target', () => {
  const served = overload(deadlineCodel(), 2, 1, 20_000);
  assert.ok(served.length > 0.99 * 10_000);
  // It is seen when an interval was long: the wait of the first two is a burst's.
  assert.ok(Math.max(...waits(served, 200)) <= 2 * 5);
});

test('with deadlines, an interval whose least wait was long is followed by refusals above twice the target', () => {
  const control = deadlineCodel({ targetMs: 5, intervalMs: 100 });
  const ask = (nowMs: number, ...waitsMs: number[]): boolean[] =>
    waitsMs.map((waitedMs) => control.refuse(waitedMs, nowMs, 1));
  assert.deepEqual(ask(0, 50, 6, 50), [false, false, false]);
  // The least was 6.
  assert.deepEqual(ask(100, 50, 11, 10, 4, 50), [true, true, false, false, true]);
  // The least was 4.
  assert.deepEqual(ask(200, 50, 50), [false, false]);
  // The least was 50; the last one in a queue is served nevertheless.
  assert.deepEqual(ask(300, 50), [true]);
  assert.equal(control.refuse(50, 301, 0), false);
  // The least was 50, but an interval ago: since then nobody has waited.
  assert.deepEqual(ask(499, 50), [true]);
  assert.deepEqual(ask(699, 50), [false]);
});

test('a burst shorter than the interval is served whole', () => {
  for (const control of [codel(), deadlineCodel()]) {
    // 40 at once, 2 ms each: the last waits 80 ms.
    for (let index = 0; index < 40; index += 1) assert.equal(control.refuse(index * 2, index * 2, 39 - index), false);
  }
});

test('wrong options are named', () => {
  assert.throws(() => codel({ targetMs: -1 }), /targetMs/);
  assert.throws(() => deadlineCodel({ intervalMs: 0 }), /intervalMs/);
});
