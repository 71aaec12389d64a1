import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../../src/core/failure.ts';
import type { Handler } from '../../../src/core/handler.ts';
import { stack, withBodyMode } from '../../../src/core/handler.ts';
import { bodyLimit } from '../../../src/web/layers/body-limit.ts';
import { requestId } from '../../../src/web/layers/request-id.ts';
import { reply } from '../../../src/web/reply.ts';
import { router } from '../../../src/web/router.ts';
import { arrivingBody, makeRequest } from '../../support/request.ts';

const tooLarge = (error: unknown): boolean => error instanceof Failure && error.code === 'body-too-large';
const echo: Handler = async (request) => reply.text(await request.text());

test('a body that says it is too long is 413 before anything is read', () => {
  const body = arrivingBody(5);
  assert.throws(() => bodyLimit({ maxBytes: 4 })(echo)(makeRequest('POST', '/', { body })), tooLarge);
  assert.equal(body.used, false);
});

test('a body that does not say is 413 as soon as it is too long', async () => {
  const body = arrivingBody();
  const answer = bodyLimit({ maxBytes: 4 })(echo)(makeRequest('POST', '/', { body }));
  body.push(Buffer.from('abc'));
  body.push(Buffer.from('de'));
  await assert.rejects(Promise.resolve(answer), tooLarge);
});

test('a body within the limit, and a request without one, go through', async () => {
  const handler = bodyLimit({ maxBytes: 4 })(echo);
  assert.equal((await handler(makeRequest('POST', '/', { body: 'abcd' }))).body, 'abcd');
  assert.equal((await handler(makeRequest('GET', '/'))).body, '');
});

test("the limit may be higher than the listener's, or off, around a handler and on a route", async () => {
  const upload = async (handler: Handler): Promise<unknown> => {
    const body = arrivingBody(5, 2);
    const answer = handler(makeRequest('POST', '/', { body }));
    body.push(Buffer.from('abcde'));
    body.finish(null);
    return (await answer).body;
  };
  assert.equal(await upload(bodyLimit({ maxBytes: 5 })(echo)), 'abcde');
  assert.equal(await upload(bodyLimit({ maxBytes: null })(echo)), 'abcde');
  assert.equal(await upload(router().post('/', echo, { layers: [bodyLimit({ maxBytes: 5 })] })), 'abcde');
  assert.equal(
    await upload(
      router()
        .use(bodyLimit({ maxBytes: 5 }))
        .post('/', echo),
    ),
    'abcde',
  );
  await assert.rejects(upload(router().post('/', echo)), tooLarge);
});

test('the layer takes the reading over, also from a handler that says auto', () => {
  assert.equal(stack(requestId(), bodyLimit())(echo).bodyMode, 'manual');
  assert.equal(stack(bodyLimit())(withBodyMode(echo, 'auto')).bodyMode, 'manual');
});

test('a wrong limit is named', () => {
  assert.throws(() => bodyLimit({ maxBytes: 1.5 }), /maxBytes/);
});
