import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answer, statusResponse } from '../../src/core/answer.ts';
import { onEvent } from '../../src/core/events.ts';
import { FAULTS, Failure, type FaultCode } from '../../src/core/failure.ts';
import type { Handler } from '../../src/core/handler.ts';
import { HeaderFields } from '../../src/core/headers.ts';
import type { HttpResponse } from '../../src/core/message.ts';
import { makeRequest } from '../support/request.ts';

/** What the handler's answer becomes; `null` until it is there. */
function answered(handler: Handler) {
  const heard: HttpResponse[] = [];
  answer(handler, makeRequest('GET', '/path'), (response) => heard.push(response));
  return heard;
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a synchronous answer is passed on at once, a promised one when it comes', async () => {
  const response = { status: 200 };
  assert.deepEqual(
    answered(() => response),
    [response],
  );
  const later = answered(async () => response);
  assert.deepEqual(later, []);
  await settle();
  assert.equal(later[0], response);
});

test('a throw and a rejection become the status of their fault; anything else is 500 without a detail', async () => {
  const cases: [unknown, number, string][] = [
    [
      new Failure('body-too-large', 'The limit is 5 bytes.'),
      413,
      'The request body is too large. The limit is 5 bytes.\n',
    ],
    [new Error('secret'), 500, 'The server failed to answer.\n'],
    ['secret', 500, 'The server failed to answer.\n'],
    [undefined, 500, 'The server failed to answer.\n'],
  ];
  for (const [error, status, body] of cases) {
    const thrown = answered(() => {
      throw error;
    });
    const rejected = answered(() => Promise.reject(error));
    await settle();
    for (const [response] of [thrown, rejected]) assert.deepEqual([response?.status, response?.body], [status, body]);
  }
});

test('no response is a failure of the handler, too', async () => {
  for (const nothing of [undefined, null, 'text', 5]) {
    const [now] = answered(() => nothing as never);
    const later = answered(async () => nothing as never);
    await settle();
    assert.deepEqual([now?.status, later[0]?.status], [500, 500]);
  }
});

test('failures of the server are published with what was thrown, failures of the client are not', () => {
  const heard: unknown[] = [];
  const stop = onEvent('request:error', ({ target, method, requestId, error }) =>
    heard.push([target, method, requestId, error]),
  );
  const error = new Error('thrown');
  answered(() => {
    throw error;
  });
  answered(() => {
    throw new Failure('body-invalid');
  });
  stop();
  answered(() => {
    throw error;
  });
  assert.deepEqual(heard, [['/path', 'GET', 'request-1', error]]);
});

test('every fault has a status, one line and, for 503, a time to come back', () => {
  for (const code of Object.keys(FAULTS) as FaultCode[]) {
    const failure = new Failure(code);
    const response = statusResponse(failure);
    const headers = HeaderFields.from(response.headers);
    assert.ok(failure.status >= 400 && failure.status <= 599, code);
    assert.ok(typeof response.body === 'string');
    assert.match(response.body, /^[^\r\n]+\n$/);
    assert.equal(headers.get('retry-after'), failure.status === 503 ? '1' : null);
    assert.equal(headers.has('allow'), code === 'method-refused');
    assert.equal(headers.get('content-type'), 'text/plain; charset=utf-8');
  }
});
