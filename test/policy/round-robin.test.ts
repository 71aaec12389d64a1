import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roundRobin } from '../../src/policy/round-robin.ts';

test('everybody has a turn, one after the other', () => {
  const turns: number[] = [];
  for (let turn = roundRobin(-1, 3); turns.length < 5; turn = roundRobin(turn, 3)) turns.push(turn);
  assert.deepEqual(turns, [0, 1, 2, 0, 1]);
});

test('a turn that is no longer there goes to the first', () => {
  assert.equal(roundRobin(4, 2), 0);
});
