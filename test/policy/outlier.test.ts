import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type AnswerOutcome,
  OUTLIER_DEFAULTS,
  type Outlier,
  OutlierGroup,
  type OutlierOptions,
} from '../../src/policy/outlier.ts';

const OPTIONS: OutlierOptions = {
  ...OUTLIER_DEFAULTS,
  failureCount: 3,
  localFailureCount: 4,
  windowMs: 10_000,
  volumeMinCount: 10,
  ejectMs: 1000,
  ejectMaxMs: 5000,
};

function group(given: Partial<OutlierOptions> = {}, count = 4): { it: OutlierGroup; members: Outlier[]; one: Outlier } {
  const it = new OutlierGroup({ ...OPTIONS, ...given });
  const one = it.join();
  return { it, one, members: [one, ...Array.from({ length: count - 1 }, () => it.join())] };
}

/** So many requests that end like that. Returns whether the last of them has ejected it. */
function end(member: Outlier, outcome: AnswerOutcome, nowMs: number, count = 1, latencyMs = 10): boolean {
  let ejected = false;
  for (let i = 0; i < count; i += 1) ejected = member.observe(outcome, latencyMs, nowMs);
  return ejected;
}

test('failures in a row eject it; one success between them does not let it come to that', () => {
  const { one } = group();
  end(one, 'failure', 0, 2);
  end(one, 'success', 0);
  assert.equal(end(one, 'failure', 0, 2), false);
  assert.equal(end(one, 'failure', 0), true);
  assert.equal(one.reason, 'failures');
  assert.ok(one.isEjected(999));
  assert.equal(one.isEjected(1000), false);
});

test('local faults are counted apart: a failure is an answer, and ends their row but not its own', () => {
  const { one } = group();
  end(one, 'failure', 0, 2);
  end(one, 'local-fault', 0, 3);
  assert.equal(end(one, 'failure', 0), true);
  const { one: other } = group();
  end(other, 'local-fault', 0, 3);
  end(other, 'failure', 0);
  assert.equal(end(other, 'local-fault', 0, 3), false);
  assert.equal(end(other, 'local-fault', 0), true);
  assert.equal(other.reason, 'local-faults');
});

test('a failure ratio ejects it when there were enough answers, of which local faults are none', () => {
  const { one } = group({ failureCount: null, localFailureCount: null, failureRatio: 0.3 });
  end(one, 'local-fault', 0, 50);
  end(one, 'failure', 0, 3);
  assert.equal(end(one, 'success', 0, 6), false);
  assert.equal(end(one, 'success', 0), true);
  assert.equal(one.reason, 'failure-ratio');
  const { one: strict } = group({ failureRatio: 0 });
  assert.equal(end(strict, 'success', 0, 50), false);
  assert.equal(end(strict, 'failure', 0), true);
  const { one: later } = group({ failureCount: null, failureRatio: 0.3 });
  end(later, 'failure', 0, 9);
  assert.equal(end(later, 'success', 10_000, 10), false);
});

test('where all fail alike none is ejected for failures; one that fails clearly more often than the others is', () => {
  const { one, members } = group();
  const [, ...others] = members;
  for (let round = 0; round < 10; round += 1) {
    for (const member of others) end(member, round % 2 === 0 ? 'failure' : 'success', 0);
    end(one, round < 7 ? 'success' : 'failure', 0);
  }
  assert.equal(end(one, 'failure', 0, 6), false, '9 of 16 are less than three quarters');
  assert.equal(end(one, 'failure', 0, 11), false, '20 of 27 are');
  assert.equal(end(one, 'failure', 0), true, '21 of 28 are halfway from one half to all');
  const calm = group();
  for (const member of calm.members) end(member, 'success', 0, 100);
  for (const member of calm.members) end(member, 'failure', 0, 2);
  assert.equal(end(calm.one, 'failure', 0), false, 'others fail every fiftieth: 3 of 103 are less than twice that');
  assert.equal(end(calm.one, 'failure', 0, 2), true, '5 of 105 are more');
});

test('others are no measure while they have few answers, or none any more', () => {
  const { one, members } = group();
  for (const member of members.slice(1)) end(member, 'failure', 0, 2);
  assert.equal(end(one, 'failure', 0, 3), true, 'six answers of others say nothing');
  const later = group();
  for (const member of later.members.slice(1)) {
    end(member, 'success', 0, 5);
    end(member, 'failure', 0, 2);
    end(member, 'success', 0, 1);
    end(member, 'failure', 0, 2);
  }
  assert.equal(end(later.one, 'failure', 20_000, 3), true);
});

test('one that takes four times the median of its group is ejected, if it is slow at all', () => {
  const { it, one, members } = group({ latencyRatio: 0.25, latencyMinMs: 100 }, 5);
  for (const member of members) end(member, 'success', 0, 10, member === one ? 400 : 100);
  assert.deepEqual(it.sweep(0), [one]);
  assert.equal(one.reason, 'latency');
  const fast = group({ latencyRatio: 0.25, latencyMinMs: 100 }, 5);
  for (const member of fast.members) end(member, 'success', 0, 10, member === fast.one ? 99 : 1);
  assert.deepEqual(fast.it.sweep(0), []);
});

test('of several that are too slow the slowest go first, as many as may; a latency of latencyMinMs may be too slow', () => {
  const { it, members } = group({ latencyRatio: 0.25, latencyMinMs: 100, ejectedMaxRatio: 0.2 }, 5);
  for (const [index, member] of members.entries()) end(member, 'success', 0, 10, [10, 100, 10, 200, 10][index]);
  assert.deepEqual(it.sweep(0), [members[3]]);
  const three = group({ latencyRatio: 0.25, latencyMinMs: 100 }, 3);
  for (const member of three.members) end(member, 'success', 0, 10, member === three.one ? 100 : 25);
  assert.deepEqual(three.it.sweep(0), [three.one]);
});

test('all answers of the window count the same: a slow first one does not stand for those after it', () => {
  const { it, one, members } = group({ latencyRatio: 0.25, latencyMinMs: 100 }, 5);
  end(one, 'success', 0, 1, 1000);
  for (const member of members) end(member, 'success', 10, 19, 60);
  assert.equal(one.judgedLatencyMs(10), (1000 + 19 * 60) / 20);
  assert.deepEqual(it.sweep(10), []);
});

test('one that was ejected for its latency is judged by its answers after that alone', () => {
  const { it, one, members } = group({ latencyRatio: 0.25, latencyMinMs: 100 }, 5);
  for (const member of members) end(member, 'success', 0, 10, member === one ? 900 : 100);
  assert.deepEqual(it.sweep(0), [one]);
  for (const member of members) end(member, 'success', 1000, 10, 100);
  assert.equal(one.judgedLatencyMs(1000), 100);
  assert.deepEqual(it.sweep(1000), []);
});

test('latency is not judged with few answers, with few that could be compared, or when it is off', () => {
  for (const [given, count, answerCount] of [
    [{ latencyRatio: 0.25 }, 5, 9],
    [{ latencyRatio: 0.25 }, 2, 10],
    [{ latencyRatio: null }, 5, 10],
  ] as const) {
    const { it, one, members } = group(given, count);
    for (const member of members) end(member, 'success', 0, answerCount, member === one ? 5000 : 100);
    assert.deepEqual(it.sweep(0), []);
  }
});

test('each ejection is longer by ejectMs up to the maximum; each ejectMs in peace takes one back', () => {
  const { one } = group();
  let nowMs = 0;
  const lengths: number[] = [];
  for (let i = 0; i < 7; i += 1) {
    end(one, 'failure', nowMs, 3);
    lengths.push(one.ejectedUntilMs - nowMs);
    nowMs = one.ejectedUntilMs;
  }
  assert.deepEqual(lengths, [1000, 2000, 3000, 4000, 5000, 5000, 5000]);
  // Seven ejections, of which five are forgotten: the next is the third.
  nowMs += 5999;
  end(one, 'failure', nowMs, 3);
  assert.equal(one.ejectedUntilMs - nowMs, 3000);
  nowMs = one.ejectedUntilMs + 3.6e7;
  end(one, 'failure', nowMs, 3);
  assert.equal(one.ejectedUntilMs - nowMs, 1000);
});

test('what ends while it is out does not count, and it comes back with nothing against it', () => {
  const { one } = group();
  end(one, 'failure', 0, 3);
  assert.equal(end(one, 'failure', 500, 20), false);
  assert.equal(one.ejectedUntilMs, 1000);
  assert.equal(end(one, 'failure', 1000, 2), false);
  assert.equal(end(one, 'failure', 1000), true);
});

test('nothing against it: neither answers in the window nor local faults in a row', () => {
  const { one } = group({ failureCount: null, failureRatio: 0.5, localFailureCount: 2 });
  end(one, 'failure', 0, 9);
  assert.equal(end(one, 'failure', 0), true);
  assert.equal(end(one, 'failure', 1000, 9), false);
  const { one: other } = group({ localFailureCount: 2 });
  assert.equal(end(other, 'local-fault', 0, 2), true);
  assert.equal(end(other, 'local-fault', 1000), false);
});

test('an ejection of no length is none', () => {
  const { one } = group({ ejectMs: 0 });
  end(one, 'failure', 5, 9);
  assert.equal(one.ejectedUntilMs, 5);
  assert.equal(one.isEjected(5), false);
});

test('half of the group may be out; when one is back or has left, the next may go', () => {
  const { it, members } = group({ ejectMs: 1000 }, 5);
  const [a, b, c] = members;
  assert.ok(a && b && c);
  assert.ok(end(a, 'failure', 0, 3));
  assert.ok(end(b, 'failure', 500, 3));
  assert.equal(end(c, 'failure', 600, 3), false);
  assert.ok(end(c, 'failure', 1000));
  // b and c are out. Of those that have left none counts, and none is ejected any more.
  const [, , , d] = members;
  assert.ok(d);
  it.join();
  assert.ok(end(d, 'failure', 1100, 3));
  assert.equal(end(a, 'failure', 1100, 3), false);
  it.join();
  it.leave(b);
  assert.ok(end(a, 'failure', 1100));
  assert.equal(end(b, 'failure', 9000, 3), false);
  assert.equal(b.isEjected(9000), false);
});

test('the last one is never ejected, whatever the ratio', () => {
  const { one } = group({ ejectedMaxRatio: 1 }, 1);
  assert.equal(end(one, 'failure', 0, 50), false);
  const two = group({ ejectedMaxRatio: 1 }, 2).members;
  assert.deepEqual(
    two.map((member) => end(member, 'failure', 0, 3)),
    [true, false],
  );
  assert.equal(end(group({ ejectedMaxRatio: 0 }).one, 'failure', 0, 50), false);
});

test('whatever happens, no more are out than allowed, and everybody comes back', () => {
  const step = fc.record({
    at: fc.nat(9),
    outcome: fc.constantFrom<AnswerOutcome>('success', 'failure', 'failure', 'failure', 'local-fault'),
    afterMs: fc.constantFrom(0, 0, 0, 100, 2000),
    sweeps: fc.boolean(),
  });
  const ratio = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 }), ratio, fc.array(step, { maxLength: 200 }), (count, max, steps) => {
      const { it, members } = group(
        { ejectedMaxRatio: max, failureCount: 1, failureRatio: 0.5, latencyRatio: 0.5 },
        count,
      );
      let nowMs = 0;
      for (const { at, outcome, afterMs, sweeps } of steps) {
        nowMs += afterMs;
        members[at]?.observe(outcome, at * 100, nowMs);
        if (sweeps) it.sweep(nowMs);
        const outCount = members.filter((member) => member.isEjected(nowMs)).length;
        assert.ok(outCount <= count * max && outCount < count);
      }
      assert.ok(members.every((member) => !member.isEjected(nowMs + OPTIONS.ejectMaxMs)));
    }),
  );
});
