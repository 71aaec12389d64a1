import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../src/core/failure.ts';
import { Hold } from '../../src/server/hold.ts';
import { makeRequest } from '../support/request.ts';

const fails = (code: string) => (error: unknown) => error instanceof Failure && error.code === code;

test('held requests begin in the order in which they came; one that has ended meanwhile never does', async () => {
  const hold = new Hold();
  const begun: string[] = [];
  const handler = hold.before((request) => {
    begun.push(request.target);
    return { status: 200 };
  });
  const requests = ['/a', '/b', '/c'].map((target) => makeRequest('GET', target));
  const answers = requests.map(async (request) => handler(request));
  assert.equal(hold.count, 3);
  requests[1]?.abort(new Failure('client-gone'));
  await assert.rejects(answers[1] ?? Promise.resolve(), fails('client-gone'));
  assert.equal(hold.count, 2);
  hold.next();
  await answers[0];
  hold.next();
  await answers[2];
  assert.deepEqual(begun, ['/a', '/c']);
  hold.next();
  assert.equal(hold.count, 0);
});

test('what is still held when a drain is forced is refused unseen', async () => {
  const hold = new Hold();
  const answer = Promise.resolve(hold.before(() => assert.fail('not to be called'))(makeRequest('GET', '/')));
  hold.refuse();
  await assert.rejects(answer, fails('server-draining'));
});
