import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderFields } from '../../src/core/headers.ts';
import type { HttpResponse } from '../../src/core/message.ts';
import { PreparedReply } from '../../src/core/message.ts';
import { reply } from '../../src/web/reply.ts';

const header = ({ headers }: HttpResponse, name: string): string | null => HeaderFields.from(headers).get(name);

test('each kind of reply says what its body is', () => {
  const type = (response: HttpResponse): string | null => header(response, 'content-type');
  assert.equal(type(reply.text('hi')), 'text/plain; charset=utf-8');
  assert.equal(type(reply.html('<p>')), 'text/html; charset=utf-8');
  assert.equal(type(reply.json({})), 'application/json');
  assert.equal(type(reply.bytes(new Uint8Array(1))), 'application/octet-stream');
  assert.equal(type(reply.stream(new ReadableStream())), 'application/octet-stream');
  assert.deepEqual(reply.json({ a: [1] }).body, '{"a":[1]}');
});

test('status and headers may be given, and a content-type among them wins', () => {
  const response = reply.text('a,b', { status: 201, headers: { 'Content-Type': 'text/csv', 'x-a': '1' } });
  assert.equal(response.status, 201);
  assert.deepEqual(
    [...HeaderFields.from(response.headers)],
    [
      ['content-type', 'text/csv'],
      ['x-a', '1'],
    ],
  );
  assert.equal(header(reply.html('', { headers: { 'x-a': '1' } }), 'content-type'), 'text/html; charset=utf-8');
});

test('a header that could inject a line throws at once', () => {
  for (const value of ['a\r\nb: c', 'a\nb', 'a\0b', 'a\u010ab'])
    assert.throws(() => reply.text('', { headers: { 'x-a': value } }), TypeError);
  assert.throws(() => reply.empty(204, { headers: { 'x a': '1' } }), TypeError);
  assert.throws(() => reply.fixed({ status: 200, headers: { 'x-a': 'a\r\nb' } }), TypeError);
});

test('a status that cannot be sent throws, and so does a body where none is allowed', () => {
  for (const status of [0, 101, 199, 600, 200.5, Number.NaN]) assert.throws(() => reply.empty(status), TypeError);
  assert.throws(() => reply.text('x', { status: 204 }), /has no body/);
  assert.throws(() => reply.json(undefined), /no JSON form/);
});

test('a redirect encodes what a URI may not contain, and nothing twice', () => {
  const to = (location: string): string | null => header(reply.redirect(location), 'location');
  assert.equal(to('/a b/é?q=%20&r=[1]#x'), '/a%20b/%C3%A9?q=%20&r=[1]#x');
  assert.equal(to('/\\evil.example'), '/%5Cevil.example');
  assert.equal(to('https://example.com/"<>'), 'https://example.com/%22%3C%3E');
  assert.equal(to('/\ud800'), '/%EF%BF%BD');
  assert.equal(reply.redirect('/a').status, 302);
  assert.equal(reply.redirect('/a', 308).status, 308);
});

test('a redirect with a control character, no location or another status throws', () => {
  assert.throws(() => reply.redirect('/a\r\nset-cookie: x=1'), TypeError);
  assert.throws(() => reply.redirect('/a\0'), TypeError);
  assert.throws(() => reply.redirect(''), TypeError);
  assert.throws(() => reply.redirect('/a', 200), TypeError);
});

test('an empty reply is 204 unless told otherwise', () => {
  assert.equal(reply.empty().status, 204);
  assert.equal(reply.empty(304).status, 304);
  assert.equal(reply.empty().body, null);
});

test('a fixed reply is frozen, keeps its wire form, and does not share bytes with its maker', () => {
  const bytes = new Uint8Array([1, 2]);
  const response = reply.fixed({ status: 200, headers: { 'x-a': '1' }, body: bytes });
  bytes[0] = 9;
  assert.ok(Object.isFrozen(response));
  assert.ok(response.prepared instanceof PreparedReply);
  assert.deepEqual(response.body, new Uint8Array([1, 2]));
  assert.equal(header(response, 'x-a'), '1');
});

test('what can be used once only cannot be fixed', () => {
  const streamed: object = { body: new ReadableStream() };
  assert.throws(() => reply.fixed({ status: 200, ...streamed }), /string, bytes or null/);
  assert.throws(() => reply.fixed({ status: 200, takeover: () => {} }), /takeover/);
  assert.throws(() => reply.fixed({ status: 200, trailers: () => null }), /trailers/);
});
