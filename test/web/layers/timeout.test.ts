import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../../src/core/failure.ts';
import type { HttpResponse } from '../../../src/core/message.ts';
import { timeout } from '../../../src/web/layers/timeout.ts';
import { reply } from '../../../src/web/reply.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { arrivingBody, FakeExchange, makeRequest } from '../../support/request.ts';

const timedOut = (error: unknown): boolean => error instanceof Failure && error.code === 'handler-timeout';

test('a synchronous answer is synchronous and starts no timer', () => {
  const clock = new ManualClock();
  const response = reply.text('hi');
  assert.equal(timeout({ totalMs: 10, clock })(() => response)(makeRequest('GET', '/')), response);
  assert.equal(clock.timerCount, 0);
});

test('a handler that answers in time leaves no timer behind, nor does one that fails', async () => {
  const clock = new ManualClock();
  const layer = timeout({ totalMs: 10, clock });
  const response = await layer(async () => reply.text('hi'))(makeRequest('GET', '/'));
  assert.equal(response.body, 'hi');
  const failing = layer(() => Promise.reject(new Error('broken')))(makeRequest('GET', '/'));
  await assert.rejects(Promise.resolve(failing), /broken/);
  assert.equal(clock.timerCount, 0);
});

test('a handler that takes too long is 504: the signal aborts, and reads of the body reject', async () => {
  const clock = new ManualClock();
  const body = arrivingBody();
  const exchange = new FakeExchange(body);
  const request = makeRequest('POST', '/', { body, exchange });
  const answer = timeout({ totalMs: 10, clock })(() => new Promise<HttpResponse>(() => {}))(request);
  clock.advance(9);
  assert.equal(request.signal.aborted, false);
  clock.advance(1);
  await assert.rejects(Promise.resolve(answer), timedOut);
  assert.ok(request.signal.aborted);
  assert.ok(timedOut(exchange.failure));
  await assert.rejects(request.text(), timedOut);
  assert.equal(clock.timerCount, 0);
});

test('reading the body is part of the time', async () => {
  const clock = new ManualClock();
  let called = false;
  const handler = timeout({ totalMs: 10, clock })(() => {
    called = true;
    return reply.empty();
  });
  assert.equal(handler.bodyMode, 'manual');
  const answer = handler(makeRequest('POST', '/', { body: arrivingBody(5) }));
  clock.advance(10);
  await assert.rejects(Promise.resolve(answer), timedOut);
  assert.equal(called, false);
});

test('an answer that comes too late is given back unread', async () => {
  const clock = new ManualClock();
  let stopped = false;
  const body = {
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false as const, value: 'x' }),
      return: async () => {
        stopped = true;
        return { done: true as const, value: undefined };
      },
    }),
  };
  const { promise, resolve } = Promise.withResolvers<HttpResponse>();
  const answer = timeout({ totalMs: 10, clock })(() => promise)(makeRequest('GET', '/'));
  clock.advance(10);
  resolve({ status: 200, body });
  await assert.rejects(Promise.resolve(answer), timedOut);
  assert.ok(stopped);
});

test('a wrong time is named', () => {
  assert.throws(() => timeout({ totalMs: -1 }), /totalMs/);
});
