import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PowerOfTwo } from '../../../src/policy/balance/power-of-two.ts';
import { always, countOf, Fake, fakes, filled, picked, seeded } from './candidates.ts';

/** A balancer of two, which both are always drawn, and what they say of themselves. */
function pair(one: Partial<Fake>, other: Partial<Fake>): PowerOfTwo<Fake> {
  const items = [Object.assign(new Fake('one'), one), Object.assign(new Fake('other'), other)];
  return filled(new PowerOfTwo<Fake>(), items);
}
const onlyOne = (balancer: PowerOfTwo<Fake>): boolean => picked(balancer, 50).every((id) => id === 'one');

test('of two drawn the one with less latency × (requests for its weight and one more) is taken', () => {
  assert.ok(onlyOne(pair({ latencyMs: 10 }, { latencyMs: 11 })));
  assert.ok(onlyOne(pair({ latencyMs: 30, loadCount: 0 }, { latencyMs: 10, loadCount: 3 })));
  assert.ok(onlyOne(pair({ latencyMs: 10, loadCount: 3, weight: 4 }, { latencyMs: 10, loadCount: 1 })));
});

test('one that has never answered is asked once, and then not before the others until it has', () => {
  assert.ok(onlyOne(pair({ latencyMs: null }, { latencyMs: 1 })));
  assert.ok(onlyOne(pair({ latencyMs: 60_000, loadCount: 100 }, { latencyMs: null, loadCount: 1 })));
});

test('where all cost the same, shares are those of the weights', () => {
  // Five standard deviations of 10 000 draws at a share of a quarter are 217.
  const counts = countOf(picked(filled(new PowerOfTwo<Fake>(), fakes([3, 1])), 10_000));
  assert.ok(Math.abs((counts.w1 ?? 0) - 7500) <= 217, JSON.stringify(counts));
});

test('the worst of all is never chosen while another is usable, and alone it is', () => {
  const items = fakes([1, 1, 1, 1]);
  for (const item of items) item.latencyMs = 10;
  const [worst] = items;
  assert.ok(worst);
  worst.latencyMs = 1000;
  const balancer = filled(new PowerOfTwo<Fake>(), items);
  assert.equal(countOf(picked(balancer, 500)).w1, undefined);
  assert.deepEqual(countOf(picked(balancer, 5, (item) => item === worst)), { w1: 5 });
});

test('1 000 requests on 100 candidates: the fullest has at most ln ln n / ln 2 more than the mean, and a few', () => {
  const items = fakes(Array.from({ length: 100 }, () => 1));
  for (const item of items) item.latencyMs = 1;
  const balancer = filled(new PowerOfTwo<Fake>(), items);
  const random = seeded(7);
  for (let i = 0; i < 1000; i += 1) {
    const item = balancer.pick(always, null, random);
    assert.ok(item);
    item.loadCount += 1;
    balancer.update(item);
  }
  // Mitzenmacher: 10 + log2(ln 100) + O(1) = 10 + 2.2 + O(1); one choice alone would reach about 20.
  assert.ok(Math.max(...items.map(({ loadCount }) => loadCount)) <= 10 + 2.2 + 2);
});
