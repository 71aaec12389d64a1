import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderFields } from '../../src/core/headers.ts';
import type { UpstreamOptions } from '../../src/upstream/options.ts';
import { arrivingBody, FakeExchange, type RequestParts } from '../support/request.ts';
import { HEDGE_AFTER_MS, Hedging } from './hedging.ts';

const KEYED = HeaderFields.from({ 'idempotency-key': '1' });

test('a request that waits too long is sent to another endpoint, too, and who answers first is passed on', async () => {
  for (const winner of [1, 2]) {
    using it = new Hedging();
    const asked = it.ask();
    it.open();
    it.clock.advance(HEDGE_AFTER_MS - 1);
    assert.equal(it.attempts.length, 1);
    it.clock.advance(1);
    it.open();
    assert.deepEqual(it.activeCounts, [1, 1]);
    it.at(winner).finish();
    assert.equal(await asked.outcome(), 200);
    assert.deepEqual([it.at(1).abortedCount, it.at(2).abortedCount], winner === 1 ? [0, 1] : [1, 0]);
    assert.deepEqual(it.hedges, ['2 2']);
    assert.ok(it.idle);
  }
});

test('a request that is answered in time is sent once, and so is every one without hedgeAfterMs', async () => {
  for (const hedgeAfterMs of [HEDGE_AFTER_MS, null]) {
    using it = new Hedging({ retry: { hedgeAfterMs } });
    const asked = it.ask();
    it.open();
    it.clock.advance(hedgeAfterMs === null ? 1000 : HEDGE_AFTER_MS - 1);
    it.at(1).finish();
    it.clock.advance(1000);
    assert.equal(await asked.outcome(), 200);
    assert.deepEqual([it.attempts.length, it.hedges], [1, []]);
  }
});

test('a connection that takes long to open is not waited for alone; it is for somebody else when it comes', async () => {
  using it = new Hedging();
  const asked = it.ask();
  it.clock.advance(HEDGE_AFTER_MS);
  const [slow, fast] = it.attempts;
  assert.ok(slow !== undefined && fast !== undefined);
  const connection = fast.connect(1, false);
  assert.equal(it.group.status().waitingCount, 1);
  connection.finish();
  assert.equal(await asked.outcome(), 200);
  assert.equal(it.group.status().waitingCount, 0);
  slow.connect(1, false);
  assert.ok(it.idle);
  assert.deepEqual(
    it.group.endpoints().map(({ idleCount }) => idleCount),
    [1, 1],
  );
});

test('the attempt that waits still does not go where the other one is', async () => {
  using it = new Hedging({ pool: { connectionMaxCount: 2 } });
  const busy = [it.ask('POST'), it.ask('POST')];
  it.open();
  const asked = it.ask();
  const [, , slow] = it.attempts;
  it.clock.advance(HEDGE_AFTER_MS);
  const [, , , hedge] = it.attempts;
  assert.deepEqual([slow?.endpoint.id, hedge?.endpoint.id], ['http://127.0.0.1:1', 'http://127.0.0.1:2']);
  it.at(2).finish();
  assert.deepEqual([it.activeCounts, it.group.status().waitingCount], [[1, 1], 1], 'one of the two has taken it');
  slow?.connect(1, false);
  assert.deepEqual(it.activeCounts, [2, 1], 'the first one waits for its own');
  it.at(2).finish();
  assert.equal(await asked.outcome(), 200);
  assert.deepEqual(it.activeCounts, [1, 0]);
  it.at(1).finish();
  assert.deepEqual(await Promise.all(busy.map((one) => one.outcome())), [200, 200]);
});

const SPENT = { budgetRatio: 0, budgetMinPerSec: 0.01 };

/** What is sent once, however long it takes. */
const SENT_ONCE: Readonly<
  Record<string, [options: Partial<UpstreamOptions>, method: string, parts?: () => RequestParts]>
> = {
  'that may not be sent twice': [{}, 'POST', () => ({ body: 'abc' })],
  'whose body streams': [{}, 'PUT', () => ({ body: arrivingBody() })],
  'to switch protocols': [{}, 'GET', () => ({ exchange: new FakeExchange(null, 'websocket') })],
  'that is sent once at most': [{ retry: { attemptMaxCount: 1 } }, 'GET'],
  'for which there is one endpoint': [{ endpoints: ['http://127.0.0.1:1'] }, 'GET'],
  'for which the budget has nothing': [{ retry: SPENT }, 'GET'],
};

for (const [what, [options, method, parts = () => ({})]] of Object.entries(SENT_ONCE)) {
  test(`a request ${what} is sent once, however long it takes`, async () => {
    using it = new Hedging(options);
    const asked = it.askTwice(method, parts());
    assert.deepEqual([it.activeCounts.reduce((sum, count) => sum + count), it.hedges], [1, []]);
    assert.equal(it.spentCount, options.retry === SPENT ? 1 : 0);
    it.at(1).finish();
    assert.equal(await asked.outcome(), 200);
    assert.ok(it.idle);
  });
}

test('an endpoint whose breaker is open or whose connections are all in use is not asked, and the budget is not, either', async () => {
  for (const busy of [false, true]) {
    using it = new Hedging({ breaker: {}, pool: { connectionMaxCount: 1 } });
    const asked = it.ask();
    const other = it.ask('POST');
    it.open();
    if (!busy) {
      it.at(2).finish();
      it.group.forceBreaker('http://127.0.0.1:2', 'open');
    }
    it.clock.advance(HEDGE_AFTER_MS);
    assert.deepEqual([it.attempts.length, it.hedges, it.spentCount], [2, [], 0]);
    it.at(1).finish();
    if (busy) it.at(2).finish();
    assert.deepEqual([await asked.outcome(), await other.outcome()], [200, 200]);
  }
});

test('nobody is asked, too, when the time is over', async () => {
  using it = new Hedging({ timeouts: { totalMs: HEDGE_AFTER_MS } });
  it.askTwice();
  assert.deepEqual([it.attempts.length, it.spentCount], [1, 0]);
});

test('the wait for an answer begins when there is an endpoint to wait for', async () => {
  using it = new Hedging({ pool: { connectionMaxCount: 1 } });
  const busy = [it.ask('POST'), it.ask('POST')];
  it.open();
  const asked = it.ask();
  it.clock.advance(2 * HEDGE_AFTER_MS);
  it.at(1).finish();
  it.at(2).finish();
  it.clock.advance(HEDGE_AFTER_MS - 1);
  assert.deepEqual(it.activeCounts, [1, 0]);
  it.clock.advance(1);
  assert.deepEqual(it.activeCounts, [1, 1]);
  it.at(2).finish();
  assert.deepEqual(await Promise.all([...busy, asked].map((one) => one.outcome())), [200, 200, 200]);
});

test('the time that it takes to connect counts', async () => {
  using it = new Hedging();
  const asked = it.ask();
  it.clock.advance(HEDGE_AFTER_MS - 20);
  it.open();
  it.clock.advance(20);
  assert.deepEqual(it.hedges, ['2 2']);
  it.at(1).finish();
  assert.equal(await asked.outcome(), 200);
});

test('the wait begins anew with a connection elsewhere that is free before the one that is being opened', async () => {
  using it = new Hedging({ pool: { connectionMaxCount: 1 } });
  const busy = it.ask('POST');
  it.open();
  const asked = it.ask();
  it.clock.advance(HEDGE_AFTER_MS - 20);
  it.at(1).finish();
  assert.deepEqual(it.activeCounts, [1, 0]);
  it.open();
  it.clock.advance(HEDGE_AFTER_MS - 1);
  assert.deepEqual(it.activeCounts, [1, 0]);
  it.clock.advance(1);
  assert.deepEqual(it.activeCounts, [1, 1]);
  it.at(2).finish();
  assert.deepEqual([await busy.outcome(), await asked.outcome()], [200, 200]);
});

test('what is answered in time is waited for no more: no timer is started for it', async () => {
  using it = new Hedging();
  const first = it.ask();
  it.open();
  const besidesCount = it.clock.timerCount - 1;
  it.clock.advance(HEDGE_AFTER_MS - 20);
  const second = it.ask();
  it.open();
  it.at(1).finish();
  it.at(2).finish();
  it.clock.advance(20);
  assert.equal(it.clock.timerCount, besidesCount);
  assert.deepEqual([await first.outcome(), await second.outcome()], [200, 200]);
});

test('where nobody has room nothing is taken from the budget', async () => {
  using it = new Hedging({ pool: { connectionMaxCount: 1 }, retry: { budgetRatio: 0, budgetMinPerSec: 0.2 } });
  const other = it.ask('POST');
  it.open();
  const asked = it.askTwice();
  assert.deepEqual(it.activeCounts, [1, 1]);
  it.at(2).finish();
  const later = it.askTwice();
  assert.deepEqual([it.activeCounts, it.hedges], [[1, 1], []]);
  it.at(1).finish();
  it.at(2).finish();
  const last = it.askTwice();
  assert.deepEqual([it.activeCounts, it.hedges.length], [[1, 1], 1], 'half the budget is one in ten seconds');
  it.at(1).finish();
  for (const one of [other, asked, later, last]) assert.equal(await one.outcome(), 200);
});

test('when one attempt fails the other is waited for, and only when both have is it decided what comes next', async () => {
  for (const [sooner, later] of [
    [1, 2],
    [2, 1],
  ] as const) {
    using it = new Hedging({ retry: { attemptMaxCount: 2 } });
    const asked = it.askTwice();
    it.at(sooner).close('peer-error');
    assert.equal(await asked.outcome(), undefined);
    it.at(later).finish();
    assert.equal(await asked.outcome(), 200);
    const other = it.askTwice();
    it.at(later).finish(undefined, 503);
    assert.equal(await other.outcome(), undefined, 'an answer that is tried again is left aside');
    it.at(sooner).finish(undefined, 502);
    assert.equal(await other.outcome(), 502, 'the last one is passed on when there may be no other attempt');
    assert.ok(it.idle);
  }
});

test('when both attempts have failed the request is sent again like any other, to an endpoint that it has not been to', async () => {
  using it = new Hedging({}, 3);
  const asked = it.askTwice();
  it.at(1).finish(undefined, 503);
  it.at(2).close('peer-error');
  it.open();
  assert.deepEqual(it.activeCounts, [0, 0, 1]);
  it.clock.advance(10 * HEDGE_AFTER_MS);
  assert.deepEqual([it.activeCounts, it.hedges], [[0, 0, 1], ['2 2']], 'there may be no fourth attempt');
  it.at(3).finish(undefined, 503);
  assert.equal(await asked.outcome(), 503);
});

test('a further attempt may have another one beside it, too', async () => {
  using it = new Hedging({ retry: { attemptMaxCount: 4 } }, 4);
  const asked = it.askTwice();
  it.at(1).close('peer-error');
  it.at(2).close('peer-error');
  it.open();
  it.clock.advance(HEDGE_AFTER_MS);
  it.open();
  assert.deepEqual(
    [it.activeCounts, it.hedges],
    [
      [0, 0, 1, 1],
      ['2 2', '4 4'],
    ],
  );
  it.at(4).finish();
  assert.equal(await asked.outcome(), 200);
  assert.ok(it.idle);
});

test('an answer that the rules would pass on wins, be it what it may', async () => {
  for (const status of [204, 404, 500, 501]) {
    using it = new Hedging();
    const asked = it.askTwice();
    it.at(1).finish(undefined, status);
    assert.equal(await asked.outcome(), status);
    assert.equal(it.at(2).abortedCount, 1);
  }
});

test('a client that leaves while both attempts run leaves nothing behind', async () => {
  using it = new Hedging();
  const asked = it.askTwice();
  asked.leave();
  assert.equal(await asked.outcome(), 'client-gone');
  assert.deepEqual([it.at(1).abortedCount, it.at(2).abortedCount, it.idle], [1, 1, true]);
  const other = it.ask();
  it.clock.advance(HEDGE_AFTER_MS);
  other.leave();
  assert.equal(await other.outcome(), 'client-gone');
  assert.ok(it.idle);
});

test('informational answers are passed on as soon as it is known whose answer the client gets', async () => {
  const hint = (): HeaderFields => HeaderFields.from({ link: '</a>' });
  using it = new Hedging();
  const asked = it.ask();
  it.open();
  it.at(1).running[0]?.onInform(103, hint());
  assert.equal(asked.exchange.informed.length, 1, 'nobody else is asked yet');
  it.clock.advance(HEDGE_AFTER_MS);
  it.open();
  it.at(1).running[0]?.onInform(104, hint());
  it.at(2).running[0]?.onInform(102, hint());
  it.at(2).running[0]?.onInform(103, hint());
  assert.equal(asked.exchange.informed.length, 1);
  it.at(2).finish();
  assert.deepEqual(
    asked.exchange.informed.map(({ status }) => status),
    [103, 102, 103],
  );
  const other = it.askTwice();
  it.at(1).running[0]?.onInform(103, hint());
  it.at(2).running[0]?.onInform(102, hint());
  it.at(2).close('peer-error');
  assert.deepEqual(
    other.exchange.informed.map(({ status }) => status),
    [103],
  );
  it.at(1).running[0]?.onInform(104, hint());
  assert.equal(other.exchange.informed.length, 2, 'the only one that is left is passed on at once');
  it.at(1).finish();
  assert.deepEqual([await asked.outcome(), await other.outcome()], [200, 200]);
});

test('an attempt that has lost says nothing of its endpoint, and gives back what its breaker has given it', async () => {
  using it = new Hedging({ breaker: { volumeMinCount: 1, openMs: 1000, jitterRatio: 0, trialCount: 1 } });
  const failing = it.ask('POST');
  it.open();
  it.at(1).finish(undefined, 500);
  assert.equal(await failing.outcome(), 500);
  it.clock.advance(1000);
  const states = (): string[] => it.group.endpoints().map(({ breaker }) => breaker);
  assert.deepEqual(states(), ['open', 'closed']);
  const asked = [it.ask()];
  it.open();
  it.clock.advance(HEDGE_AFTER_MS);
  assert.deepEqual(states(), ['half-open', 'closed'], 'one of the two is the trial');
  assert.deepEqual(it.activeCounts, [1, 1]);
  it.at(2).finish();
  assert.equal(await asked[0]?.outcome(), 200);
  const [one, two] = it.group.endpoints();
  assert.deepEqual([one?.breaker, one?.latencyMs, two?.latencyMs], ['half-open', null, 50]);
  const trial = it.ask();
  const other = it.ask();
  it.at(1).finish();
  it.at(2).finish();
  assert.deepEqual([await trial.outcome(), await other.outcome()], [200, 200]);
  assert.deepEqual(states(), ['closed', 'closed']);
});

test('an endpoint that is always overtaken is slow: to its breaker, and to who goes by latency', async () => {
  const breaker = { volumeMinCount: 3, openMs: 1000, jitterRatio: 0 };
  using it = new Hedging({ breaker, retry: { budgetRatio: 1 } });
  const endpoint = (index: number) => it.group.endpoints()[index];
  for (let turn = 0; turn < 6 && endpoint(0)?.breaker === 'closed'; turn += 1) {
    const asked = it.ask();
    it.open();
    it.clock.advance(HEDGE_AFTER_MS);
    it.open();
    // Where it has come first it is overtaken, elsewhere the hedge is in vain.
    it.at(2).finish();
    assert.equal(await asked.outcome(), 200);
  }
  assert.equal(endpoint(0)?.breaker, 'open');
  assert.ok((endpoint(0)?.latencyMs ?? 0) >= HEDGE_AFTER_MS);
  assert.equal(it.activeCounts.join(), '0,0');
});

test('both attempts send the same, each in the name of its endpoint and with the time that is left', async () => {
  using it = new Hedging({ timeouts: { totalMs: 1000, deadlineHeader: 'x-left-ms' } });
  const asked = it.askTwice('POST', { body: 'abc', headers: KEYED });
  const [[first], [second]] = [it.at(1).sent, it.at(2).sent];
  assert.ok(first !== undefined && second !== undefined);
  for (const { method, target, body } of [first, second]) {
    assert.deepEqual([method, target, body], ['POST', '/', Buffer.from('abc')]);
  }
  assert.deepEqual(
    [first, second].map(({ headers }) => headers.get('x-left-ms')),
    ['1000', '950'],
  );
  it.at(1).finish();
  assert.equal(await asked.outcome(), 200);
});

test('an upstream that is closed leaves no timer', async () => {
  using it = new Hedging();
  const asked = it.ask();
  it.open();
  it.group.close();
  assert.equal(await asked.outcome(), 'upstream-closed');
  assert.equal(it.clock.timerCount, 0);
});

test('a drain waits for both attempts, and they are cut off when it has waited too long', async () => {
  for (const answered of [true, false]) {
    using it = new Hedging();
    const asked = it.askTwice();
    const drained = it.group.drain({ graceMs: 1000 });
    assert.equal(it.group.life.phase, 'draining');
    if (answered) it.at(2).finish();
    else it.clock.advance(1000);
    await drained;
    assert.equal(await asked.outcome(), answered ? 200 : 'upstream-closed');
    assert.deepEqual([it.at(1).life.phase, it.at(2).life.phase], ['closed', 'closed']);
    assert.equal(it.clock.timerCount, 0);
  }
});
