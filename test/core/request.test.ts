import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../src/core/failure.ts';
import { arrivingBody, FakeExchange, makeRequest } from '../support/request.ts';

test('path and query are parts of the target; the URL is absolute, as Fetch has it', () => {
  const request = makeRequest('GET', '/a%20b?x=1&x=2&y', { authority: 'example.com:81', peer: { secure: true } });
  assert.deepEqual([request.path, request.query.getAll('x'), request.query.get('y')], ['/a%20b', ['1', '2'], '']);
  assert.equal(request.query, request.query);
  assert.equal(request.url, 'https://example.com:81/a%20b?x=1&x=2&y');
  assert.equal(makeRequest('GET', '/x', { authority: '' }).url, 'http://localhost/x');
  assert.equal(makeRequest('OPTIONS', '*', { authority: 'a' }).url, 'http://a/');
  assert.equal([...makeRequest('GET', '/x').query].length, 0);
  assert.equal(new URL(makeRequest('GET', '//evil/x', { authority: 'a' }).url).host, 'a');
});

test('an id is the exchange’s until a layer sets one', () => {
  const request = makeRequest('GET', '/');
  assert.equal(request.id, 'request-1');
  request.id = 'given';
  assert.equal(request.id, 'given');
});

test('bytes are a copy that owns its memory: who changes them changes nothing else', async () => {
  const request = makeRequest('POST', '/', { body: 'hello' });
  const bytes = await request.bytes();
  bytes.fill(0);
  assert.equal(await request.text(), 'hello');
  const buffer = await request.arrayBuffer();
  assert.equal(buffer.byteLength, 5);
});

test('JSON and forms that are none reject with body-invalid', async () => {
  const invalid = (error: unknown): boolean => error instanceof Failure && error.code === 'body-invalid';
  await assert.rejects(makeRequest('POST', '/', { body: '{' }).json(), invalid);
  await assert.rejects(makeRequest('POST', '/', { body: 'x' }).formData(), invalid);
  await assert.rejects(makeRequest('POST', '/').json(), invalid);
  const multipart = { 'content-type': 'multipart/form-data; boundary=x' };
  await assert.rejects(makeRequest('POST', '/', { body: '--x\r\nbroken', headers: multipart }).formData(), invalid);
});

test('an aborted request tells its signal, its listeners and its readers', async () => {
  const body = arrivingBody();
  const exchange = new FakeExchange(body);
  const request = makeRequest('POST', '/', { body, exchange });
  const heard: string[] = [];
  request.onAbort((failure) => heard.push(failure.code));
  const text = request.text();
  request.abort(new Failure('handler-timeout'));
  await assert.rejects(text, /too long/);
  assert.ok(request.signal.aborted);
  assert.deepEqual(heard, ['handler-timeout']);
});

test('the body is a stream of what arrives, and a failure breaks it', async () => {
  const body = arrivingBody();
  const request = makeRequest('POST', '/', { body });
  const reader = request.body?.getReader();
  body.push(Buffer.from('a'));
  assert.equal(Buffer.from((await reader?.read())?.value ?? []).toString(), 'a');
  assert.ok(request.bodyUsed);
  body.fail(new Failure('body-truncated'));
  await assert.rejects(async () => reader?.read(), /ended before/);
  assert.equal(makeRequest('GET', '/').body, null);
});

test('body is the same stream however often it is asked for, as Fetch has it', () => {
  const request = makeRequest('POST', '/', { body: 'hello' });
  assert.equal(request.body, request.body);
  request.body?.getReader();
  assert.equal(request.body?.locked, true);
});
