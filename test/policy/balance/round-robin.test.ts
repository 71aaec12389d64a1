import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoundRobin } from '../../../src/policy/balance/round-robin.ts';
import { countOf, Fake, fakes, filled, picked } from './candidates.ts';

test('everybody has a turn, in the order they came, whatever their weight', () => {
  assert.deepEqual(picked(filled(new RoundRobin<Fake>(), fakes([1, 9, 1])), 5), ['w1', 'w2', 'w3', 'w1', 'w2']);
});

test('who follows one that is not usable has no second turn in the round', () => {
  const balancer = filled(new RoundRobin<Fake>(), fakes([1, 1, 1, 1]));
  assert.deepEqual(countOf(picked(balancer, 30, (item) => item.id !== 'w2')), { w1: 10, w3: 10, w4: 10 });
});

test('a new one waits for the end of the round; the turn of one that goes is that of the next', () => {
  const items = fakes([1, 1, 1]);
  const balancer = filled(new RoundRobin<Fake>(), items);
  assert.deepEqual(picked(balancer, 2), ['w1', 'w2']);
  const [first, second] = items;
  assert.ok(first && second);
  balancer.remove(second);
  assert.deepEqual(picked(balancer, 3), ['w3', 'w1', 'w3']);
  balancer.add(new Fake('new'));
  assert.deepEqual(picked(balancer, 4), ['w1', 'w3', 'new', 'w1']);
});
