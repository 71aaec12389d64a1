import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Breaker, type BreakerOptions, type CallOutcome, REFUSED } from '../../src/policy/breaker.ts';
import { breaker, call, groupOf, OPTIONS } from './breaking.ts';

/** A breaker that has opened at 0. */
function opened(given: Partial<BreakerOptions> = {}): Breaker {
  const it = breaker(given);
  call(it, 'failure', 0, OPTIONS.volumeMinCount);
  assert.equal(it.state, 'open');
  return it;
}

test('it opens at the failure ratio, and only when there were enough calls', () => {
  const it = breaker();
  call(it, 'success', 0, 4);
  call(it, 'failure', 0, 4);
  assert.equal(it.state, 'closed');
  call(it, 'success', 0);
  call(it, 'failure', 0);
  assert.equal(it.state, 'open');
  assert.equal(it.admit(999), REFUSED);
});

test('a success that makes the volume full opens it as well', () => {
  const it = breaker();
  call(it, 'failure', 0, 9);
  assert.equal(it.state, 'closed');
  call(it, 'success', 0);
  assert.equal(it.state, 'open');
});

test('failures that have left the window do not count', () => {
  const it = breaker();
  call(it, 'failure', 0, 9);
  call(it, 'failure', 10_000, 9);
  assert.equal(it.state, 'closed');
  call(it, 'failure', 10_000);
  assert.equal(it.state, 'open');
});

test('slow calls open it although they succeed, and a slow trial opens it again', () => {
  const it = breaker({ slowCallMs: 500, slowCallRatio: 0.8 });
  call(it, 'success', 0, 2, 499);
  call(it, 'success', 0, 7, 500);
  assert.equal(it.state, 'closed');
  call(it, 'success', 0, 1, 900);
  assert.equal(it.state, 'open');
  call(it, 'success', 1000, 1, 500);
  assert.equal(it.state, 'open');
  assert.equal(it.retryAtMs, 3000);
});

test('a trial that succeeds closes it, with nothing remembered', () => {
  const it = opened();
  const trial = it.admit(1000);
  assert.notEqual(trial, REFUSED);
  assert.equal(it.state, 'half-open');
  assert.equal(it.admit(1000), REFUSED);
  it.observe(trial, 'success', 1, 1001);
  assert.equal(it.state, 'closed');
  call(it, 'failure', 1001, 9);
  assert.equal(it.state, 'closed');
});

test('the time open doubles up to its maximum, with jitter on top, and is short again after a calm while', () => {
  const it = breaker({ jitterRatio: 0.2 });
  call(it, 'failure', 0, 10);
  // The random number is 0.5: a tenth is added.
  const spans: number[] = [];
  let nowMs = 0;
  for (let i = 0; i < 5; i += 1) {
    spans.push((it.retryAtMs ?? 0) - nowMs);
    nowMs = it.retryAtMs ?? 0;
    call(it, 'failure', nowMs);
  }
  assert.deepEqual(
    spans.map((ms) => Math.round(ms)),
    [1100, 2200, 4400, 8800, 8800],
  );
  nowMs = it.retryAtMs ?? 0;
  call(it, 'success', nowMs);
  call(it, 'failure', nowMs + OPTIONS.calmMs - 1, 10);
  assert.equal(Math.round((it.retryAtMs ?? 0) - (nowMs + OPTIONS.calmMs - 1)), 8800);
  nowMs = it.retryAtMs ?? 0;
  call(it, 'success', nowMs);
  call(it, 'failure', nowMs + OPTIONS.calmMs, 10);
  assert.equal(Math.round((it.retryAtMs ?? 0) - (nowMs + OPTIONS.calmMs)), 1100);
});

test('a trial that never reports makes room after its time; one without a verdict at once', () => {
  const it = opened({ trialTimeoutMs: 5000 });
  const lost = it.admit(1000);
  assert.equal(it.admit(5999), REFUSED);
  const second = it.admit(6000);
  assert.notEqual(second, REFUSED);
  it.observe(lost, 'failure', 5100, 6100);
  assert.equal(it.state, 'half-open');
  it.observe(second, 'none', 1, 6100);
  assert.equal(it.state, 'half-open');
  call(it, 'success', 6100);
  assert.equal(it.state, 'closed');
});

test('as many trials as allowed at a time, and so many must succeed in a row', () => {
  const it = opened({ trialCount: 3 });
  const trials = [it.admit(1000), it.admit(1000), it.admit(1000)];
  assert.equal(new Set([...trials, REFUSED]).size, 4);
  assert.equal(it.admit(1000), REFUSED);
  for (const trial of trials.slice(0, 2)) it.observe(trial, 'success', 1, 1000);
  call(it, 'failure', 1000);
  assert.equal(it.state, 'open');
  call(it, 'success', 3000, 2);
  assert.equal(it.state, 'half-open');
  call(it, 'success', 3000);
  assert.equal(it.state, 'closed');
});

test('a trial of an earlier time keeps its place until it ends, and is not judged then', () => {
  const it = opened({ trialCount: 2 });
  const early = it.admit(1000);
  call(it, 'failure', 1000);
  assert.equal(it.state, 'open');
  assert.notEqual(it.admit(3000), REFUSED);
  assert.equal(it.admit(3000), REFUSED);
  it.observe(early, 'failure', 1, 3000);
  assert.equal(it.state, 'half-open');
  assert.notEqual(it.admit(3000), REFUSED);
});

test('a trial that ends after others have closed it is not counted', () => {
  const it = opened({ trialCount: 2 });
  const trials = [it.admit(1000), it.admit(1000)];
  it.observe(trials[0] ?? REFUSED, 'success', 1, 1000);
  const late = it.admit(1000);
  it.observe(trials[1] ?? REFUSED, 'success', 1, 1000);
  it.observe(late, 'failure', 1, 1000);
  call(it, 'failure', 1000, 9);
  assert.equal(it.state, 'closed');
  call(it, 'failure', 1000);
  assert.equal(it.state, 'open');
});

test('calls that were admitted before it opened are not taken for trials', () => {
  const it = breaker();
  const early = it.admit(0);
  call(it, 'failure', 0, 10);
  const trial = it.admit(1000);
  it.observe(early, 'success', 1000, 1000);
  it.observe(early, 'failure', 1000, 1000);
  it.observe(REFUSED, 'failure', 1000, 1000);
  assert.equal(it.state, 'half-open');
  it.observe(trial, 'success', 1, 1001);
  assert.equal(it.state, 'closed');
});

test('a brown-out of all endpoints opens none; one that is worse than the rest opens', () => {
  const group = groupOf();
  const all = Array.from({ length: 4 }, () => breaker({}, group));
  const failing = (it: Breaker, of10: number): void => {
    for (let i = 0; i < 10; i += 1) call(it, i < 10 - of10 ? 'success' : 'failure', 0);
  };
  // 6 of 10 fail everywhere: with the others at 0.6 one opens at 0.5 + 0.5 × 0.6 = 0.8.
  for (let round = 0; round < 5; round += 1) for (const it of all) failing(it, round === 0 ? 3 : 6);
  assert.deepEqual(
    all.map(({ state }) => state),
    ['closed', 'closed', 'closed', 'closed'],
  );
  const [worst] = all;
  assert.ok(worst);
  call(worst, 'failure', 0, 200);
  assert.equal(worst.state, 'open');
});

test('the threshold is that of the rest of the group, once that has enough calls', () => {
  for (const [otherCount, failedCount, state] of [
    [10, 8, 'closed'],
    [10, 9, 'open'],
    [9, 5, 'open'],
  ] as const) {
    const group = groupOf();
    const other = breaker({ failureRatio: 1 }, group);
    // 8 of 10 elsewhere: 0.5 + 0.5 × 0.8 = 0.9.
    call(other, 'failure', 0, otherCount - 2);
    call(other, 'success', 0, 2);
    const it = breaker({}, group);
    call(it, 'success', 0, 10 - failedCount);
    call(it, 'failure', 0, failedCount);
    assert.equal(it.state, state, `${failedCount} of 10, ${otherCount} elsewhere`);
  }
});

test('at a ratio of 0 the first failure opens it, at 1 only nothing but failures', () => {
  const strict = breaker({ failureRatio: 0 });
  call(strict, 'success', 0, 50);
  assert.equal(strict.state, 'closed');
  call(strict, 'failure', 0);
  assert.equal(strict.state, 'open');
  const lax = breaker({ failureRatio: 1 });
  call(lax, 'success', 0);
  call(lax, 'failure', 0, 500);
  assert.equal(lax.state, 'closed');
});

test('alone in its group it opens as if there were none; when everything fails all open', () => {
  const alone = groupOf().join();
  for (let i = 0; i < 10; i += 1) call(alone, i % 2 === 0 ? 'success' : 'failure', 0);
  assert.equal(alone.state, 'open');
  const group = groupOf();
  const all = Array.from({ length: 3 }, () => breaker({}, group));
  for (let i = 0; i < 10; i += 1) for (const it of all) call(it, 'failure', 0);
  for (const it of all) assert.equal(it.state, 'open');
});

test('its own failures from before it was closed are not taken for those of the group', () => {
  const group = groupOf();
  const it = breaker({}, group);
  call(breaker({}, group), 'success', 0, 10);
  call(it, 'failure', 0, 10);
  call(it, 'success', 1000);
  for (let i = 0; i < 10; i += 1) call(it, i % 2 === 0 ? 'success' : 'failure', 1000);
  assert.equal(it.state, 'open');
});

test('held open or closed it is that, whatever happens; let go, it is what it was', () => {
  const it = opened();
  it.force('closed');
  assert.equal(it.state, 'closed');
  call(it, 'failure', 0, 50);
  assert.ok(it.wouldAdmit(0));
  it.force('open');
  assert.equal(it.admit(1e9), REFUSED);
  assert.equal(it.wouldAdmit(1e9), false);
  assert.equal(it.retryAtMs, null);
  it.force(null);
  assert.equal(it.retryAtMs, 1000);
});

test('a call let through while it is held closed is no trial', () => {
  const it = opened();
  const trial = it.admit(1000);
  it.force('closed');
  const forced = it.admit(1000);
  it.observe(forced, 'failure', 1, 1000);
  it.force(null);
  assert.equal(it.state, 'half-open');
  it.observe(trial, 'success', 1, 1000);
  assert.equal(it.state, 'closed');
});

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('admit' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      at: fc.nat(20),
      outcome: fc.constantFrom<CallOutcome>('success', 'failure', 'failure', 'none'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(0, 10, 999, 5000, 3.6e6) }),
  },
);

test('never more trials than allowed are under way, and it always closes again when calls succeed', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.array(step, { maxLength: 150 }), (trialCount, steps) => {
      const it = breaker({ trialCount, volumeMinCount: 2, trialTimeoutMs: 1e12 });
      const running: { ticket: number; isTrial: boolean }[] = [];
      let nowMs = 0;
      for (const what of steps) {
        if (what.kind === 'wait') nowMs += what.ms;
        else if (what.kind === 'admit') {
          const would = it.wouldAdmit(nowMs);
          const ticket = it.admit(nowMs);
          assert.equal(ticket !== REFUSED, would);
          if (ticket !== REFUSED) running.push({ ticket, isTrial: it.state === 'half-open' });
        } else {
          const [ended] = running.splice(what.at % (running.length || 1), 1);
          if (ended !== undefined) it.observe(ended.ticket, what.outcome, 1, nowMs);
        }
        assert.ok(running.filter(({ isTrial }) => isTrial).length <= trialCount);
      }
      for (const { ticket } of running) it.observe(ticket, 'none', 1, nowMs);
      // Whatever it was: its time is over, and failures of before have left the window.
      nowMs += OPTIONS.openMaxMs + OPTIONS.windowMs;
      call(it, 'success', nowMs, trialCount);
      assert.equal(it.state, 'closed');
      assert.ok(it.wouldAdmit(nowMs));
    }),
  );
});
