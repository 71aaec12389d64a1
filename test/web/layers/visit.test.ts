import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure, type FaultCode } from '../../../src/core/failure.ts';
import type { HttpResponse } from '../../../src/core/message.ts';
import { outcomeOf, outcomeOfError, Visit } from '../../../src/web/layers/visit.ts';
import { reply } from '../../../src/web/reply.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { FakeExchange, makeRequest } from '../../support/request.ts';

/** A visit, and how it was left. */
function visit() {
  const clock = new ManualClock();
  const left: (readonly [rttMs: number, outcome: string])[] = [];
  const exchange = new FakeExchange();
  const owner = {
    clock,
    abandonMs: 100,
    now: () => clock.now(),
    leave: (rttMs: number, outcome: string) => void left.push([rttMs, outcome]),
  };
  return { clock, left, exchange, visit: new Visit(owner, makeRequest('GET', '/', { exchange }), clock.now()) };
}

async function* drip(): AsyncGenerator<string, void, undefined> {
  yield 'x';
}

test('overload is 503 and 504; other faults, refusals, clients that left and streams say nothing about the load', () => {
  const outcomes: readonly (readonly [number, string])[] = [
    ...[200, 204, 304, 400, 404].map((status) => [status, 'success'] as const),
    ...[429, 499, 500, 502].map((status) => [status, 'ignored'] as const),
    ...[503, 504].map((status) => [status, 'dropped'] as const),
  ];
  for (const [status, outcome] of outcomes) assert.equal(outcomeOf({ status }), outcome, `${status}`);
  assert.equal(outcomeOf({ status: 200, onDrain: () => undefined }), 'ignored');
  assert.equal(outcomeOf({ status: 101, takeover: () => undefined }), 'ignored');
  const thrown = (code: FaultCode): string => outcomeOfError(new Failure(code));
  assert.equal(thrown('upstream-head-timeout'), 'dropped');
  assert.equal(thrown('upstream-queue-full'), 'dropped');
  assert.equal(thrown('upstream-reset'), 'ignored');
  assert.equal(thrown('client-gone'), 'ignored');
  assert.equal(outcomeOfError(new TypeError('a bug')), 'ignored');
});

test('the time that counts is that to the head, although the place is kept until the body has been sent', async () => {
  const { clock, left, exchange, visit: one } = visit();
  const answer = Promise.withResolvers<HttpResponse>();
  const followed = one.follow(answer.promise);
  clock.advance(30);
  answer.resolve(reply.stream(drip()));
  await followed;
  clock.advance(1000);
  assert.deepEqual(left, []);
  exchange.conclude();
  assert.deepEqual(left, [[30, 'success']]);
});

test('events of an upstream, which go on for as long as the client likes, give the place back with their head', () => {
  const { left, visit: one } = visit();
  one.end({ status: 200, headers: { 'content-type': 'text/event-stream;charset=utf-8' }, body: drip() });
  assert.deepEqual(left, [[0, 'success']]);
});

test('a timeout counts as overload, and any other early end says nothing, whatever the handler answers then', async () => {
  const ends: readonly (readonly [FaultCode, string])[] = [
    ['handler-timeout', 'dropped'],
    ['client-gone', 'ignored'],
    ['server-draining', 'ignored'],
  ];
  const handlers = [
    (answer: PromiseWithResolvers<HttpResponse>) => answer.resolve(reply.text('late')),
    (answer: PromiseWithResolvers<HttpResponse>) => answer.resolve({ status: 503 }),
    (answer: PromiseWithResolvers<HttpResponse>) => answer.reject(new Failure('upstream-head-timeout')),
  ];
  for (const [code, outcome] of ends)
    for (const settle of handlers) {
      const { left, clock, exchange, visit: one } = visit();
      const answer = Promise.withResolvers<HttpResponse>();
      const followed = Promise.resolve(one.follow(answer.promise)).catch(() => undefined);
      exchange.abort(new Failure(code));
      settle(answer);
      await followed;
      assert.deepEqual([left, clock.timerCount], [[[0, outcome]], 0], code);
    }
});
