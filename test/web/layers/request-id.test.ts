import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Handler } from '../../../src/core/handler.ts';
import { withBodyMode } from '../../../src/core/handler.ts';
import { HeaderFields } from '../../../src/core/headers.ts';
import type { HttpResponse } from '../../../src/core/message.ts';
import type { RequestIdOptions } from '../../../src/web/layers/request-id.ts';
import { requestId } from '../../../src/web/layers/request-id.ts';
import { reply } from '../../../src/web/reply.ts';
import { makeRequest } from '../../support/request.ts';

const generate = (): string => 'made';
const ID_HEADER = { 'x-request-id': 'given' };

/** The id as the handler saw it, and as the client is told. */
function ids(options: Partial<RequestIdOptions>, headers = {}): [string, string | null] {
  let seen = '';
  const handler = requestId({ generate, ...options })((request) => {
    seen = request.id;
    return reply.fixed({ status: 200, headers: { 'x-a': '1' }, body: 'x' });
  });
  const response = handler(makeRequest('GET', '/', { headers }));
  assert.ok(!(response instanceof Promise));
  assert.equal(response.prepared, undefined, 'the prepared form does not have the new header');
  return [seen, HeaderFields.from(response.headers).get(options.header ?? 'x-request-id')];
}

test('every request gets an id, and the response tells it', () => {
  assert.deepEqual(ids({}), ['made', 'made']);
  const [made] = ids({ generate: () => crypto.randomUUID() });
  assert.match(made, /^[0-9a-f-]{36}$/);
});

test("a client's id is taken over only when trusted, and only when it is harmless", () => {
  assert.deepEqual(ids({}, ID_HEADER), ['made', 'made']);
  assert.deepEqual(ids({ trusted: true }, ID_HEADER), ['given', 'given']);
  for (const bad of ['', 'a b', 'a"b', 'a;b', 'é', 'x'.repeat(129)])
    assert.deepEqual(ids({ trusted: true }, { 'x-request-id': bad }), ['made', 'made'], bad);
  assert.deepEqual(ids({ trusted: true, idMaxBytes: 4 }, ID_HEADER), ['made', 'made']);
});

test('the header may have another name', () => {
  assert.deepEqual(ids({ trusted: true, header: 'X-Trace' }, { 'x-trace': 't1' }), ['t1', 't1']);
  assert.throws(() => requestId({ header: 'a b' }), /not a field name/);
});

test('an asynchronous handler and a Fetch Response get the header too', async () => {
  const fetchLike: Handler = async () => new Response('hi', { status: 201, headers: { 'x-a': '1' } });
  const response: HttpResponse = await requestId({ generate })(fetchLike)(makeRequest('GET', '/'));
  assert.equal(response.status, 201);
  assert.deepEqual(HeaderFields.from(response.headers).get('x-request-id'), 'made');
  assert.deepEqual(HeaderFields.from(response.headers).get('x-a'), '1');
  const chunks: Uint8Array[] = [];
  assert.ok(response.body instanceof ReadableStream);
  for await (const chunk of response.body) chunks.push(chunk);
  assert.equal(Buffer.concat(chunks).toString(), 'hi');
});

test("the handler's body mode stays in force", () => {
  assert.equal(requestId()(withBodyMode(() => reply.empty(), 'manual')).bodyMode, 'manual');
  assert.equal(requestId()(() => reply.empty()).bodyMode, undefined);
});
