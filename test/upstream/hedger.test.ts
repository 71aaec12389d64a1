import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Hedger, type Patience } from '../../src/upstream/hedger.ts';
import { ManualClock } from '../support/manual-clock.ts';

const AFTER_MS = 50;

test('whoever waits as long as was agreed is told, at its own moment and once; who has his answer is not', () => {
  const clock = new ManualClock();
  const hedger = new Hedger(AFTER_MS, clock);
  const told: string[] = [];
  const begin = (name: string): Patience => hedger.begin({ onOverdue: () => told.push(`${name} ${clock.now()}`) });
  begin('1');
  clock.advance(10);
  const second = begin('2');
  clock.advance(10);
  const third = begin('3');
  hedger.end(second);
  clock.advance(29);
  assert.deepEqual(told, []);
  clock.advance(1);
  assert.deepEqual(told, ['1 50']);
  clock.advance(1000);
  assert.deepEqual(told, ['1 50', '3 70']);
  hedger.end(third);
  assert.equal(clock.timerCount, 0);
});

test('requests that are answered in time share one timer, and leave none behind', () => {
  const clock = new ManualClock();
  const hedger = new Hedger(AFTER_MS, clock);
  const fail = (): void => assert.fail('nobody is overdue');
  for (let count = 0; count < 1000; count += 1) {
    const patience = hedger.begin({ onOverdue: fail });
    clock.advance(1);
    hedger.end(patience);
    assert.ok(clock.timerCount <= 1);
  }
  clock.advance(AFTER_MS);
  assert.equal(clock.timerCount, 0);
});

test('nobody is told after the end', () => {
  const clock = new ManualClock();
  const hedger = new Hedger(AFTER_MS, clock);
  const patience = hedger.begin({ onOverdue: () => assert.fail('it is told') });
  hedger.stop();
  clock.advance(1000);
  hedger.end(patience);
  assert.equal(clock.timerCount, 0);
});

test('whatever begins and ends, each is told if and only if it waits that long', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('begin' as const), again: fc.boolean() }),
    fc.record({ kind: fc.constant('end' as const), at: fc.nat(20) }),
    fc.record({ kind: fc.constant('advance' as const), byMs: fc.nat(40) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = new ManualClock();
      const hedger = new Hedger(AFTER_MS, clock);
      const waiting = new Map<Patience, number>();
      const all: Patience[] = [];
      const begin = (again: boolean): void => {
        const patience = hedger.begin({
          onOverdue: () => {
            assert.equal(waiting.get(patience), clock.now() - AFTER_MS);
            waiting.delete(patience);
            // What it does then may be to ask another endpoint.
            if (again) begin(false);
          },
        });
        waiting.set(patience, clock.now());
        all.push(patience);
      };
      for (const what of steps) {
        if (what.kind === 'begin') begin(what.again);
        else if (what.kind === 'advance') clock.advance(what.byMs);
        else {
          // Also one that was told, or has ended.
          const patience = all[what.at % Math.max(1, all.length)];
          if (patience === undefined) continue;
          hedger.end(patience);
          waiting.delete(patience);
        }
        assert.ok([...waiting.values()].every((sinceMs) => clock.now() - sinceMs < AFTER_MS));
      }
      clock.advance(3 * AFTER_MS);
      assert.deepEqual([waiting.size, clock.timerCount], [0, 0]);
    }),
  );
});
