import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../../src/core/failure.ts';
import type { Handler } from '../../../src/core/handler.ts';
import type { HttpResponse } from '../../../src/core/message.ts';
import type { AccessRecord } from '../../../src/web/layers/access-log.ts';
import { accessLog } from '../../../src/web/layers/access-log.ts';
import { reply } from '../../../src/web/reply.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { arrivingBody, makeRequest } from '../../support/request.ts';

function logged(clock = new ManualClock()) {
  const records: AccessRecord[] = [];
  return { clock, records, layer: accessLog({ write: (record) => records.push(record), clock }) };
}

test('one record says who asked what, and how it was answered', () => {
  const { clock, records, layer } = logged(new ManualClock(1000));
  clock.advance(5);
  const handler = layer(() => {
    clock.advance(7);
    return reply.text('grüß', { status: 201 });
  });
  const response = handler(makeRequest('PUT', '/a?b=c', { peer: { address: '192.0.2.7' } }));
  assert.ok(!(response instanceof Promise));
  assert.deepEqual(records, [
    {
      timeMs: 1005,
      requestId: 'request-1',
      peer: '192.0.2.7',
      method: 'PUT',
      target: '/a?b=c',
      status: 201,
      durationMs: 7,
      bytes: 6,
    },
  ]);
});

test('an asynchronous answer is recorded when it is decided', async () => {
  const { clock, records, layer } = logged();
  const { promise, resolve } = Promise.withResolvers<HttpResponse>();
  const answer = layer(() => promise)(makeRequest('GET', '/'));
  clock.advance(30);
  assert.equal(records.length, 0);
  resolve(reply.empty());
  await answer;
  assert.deepEqual([records[0]?.status, records[0]?.durationMs], [204, 30]);
});

test('a failure is recorded with its status and goes on', async () => {
  const { records, layer } = logged();
  const failing = (error: Error): Handler =>
    layer(() => {
      throw error;
    });
  assert.throws(() => failing(new Failure('upstream-connect'))(makeRequest('GET', '/')), Failure);
  assert.throws(() => failing(new Error('bug'))(makeRequest('GET', '/')), /bug/);
  const later = layer(() => Promise.reject(new Failure('handler-timeout')))(makeRequest('GET', '/'));
  await assert.rejects(Promise.resolve(later), Failure);
  assert.deepEqual(
    records.map(({ status }) => status),
    [502, 500, 504],
  );
});

test('the size is told when it is known beforehand', () => {
  const sizes: [HttpResponse, number | null, string?][] = [
    [reply.bytes(new Uint8Array(3)), 3],
    [reply.empty(), 0],
    [reply.text('not sent'), 0, 'HEAD'],
    [{ status: 200, body: arrivingBody(9) }, 9],
    [{ status: 200, body: arrivingBody() }, null],
    [reply.stream(new ReadableStream(), { headers: { 'content-length': '12' } }), 12],
    [reply.stream(new ReadableStream()), null],
  ];
  for (const [response, bytes, method = 'GET'] of sizes) {
    const { records, layer } = logged();
    assert.equal(layer(() => response)(makeRequest(method, '/')), response);
    assert.equal(records[0]?.bytes, bytes);
  }
});

test('a client that has left when its request ends is recorded with the address it had', async () => {
  const { records, layer } = logged();
  const gate = Promise.withResolvers<HttpResponse>();
  const request = makeRequest('GET', '/', { peer: { address: '192.0.2.7' } });
  const answer = layer(() => gate.promise)(request);
  Reflect.set(request.peer, 'address', ''); // as a socket's is once it is closed
  gate.resolve(reply.empty());
  await answer;
  assert.equal(records[0]?.peer, '192.0.2.7');
});
