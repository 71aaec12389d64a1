import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hono } from 'hono';
import { stream } from 'hono/streaming';
import type { Handler } from '../../src/core/handler.ts';
import { HeaderFields } from '../../src/core/headers.ts';
import type { HttpResponse } from '../../src/core/message.ts';
import { router } from '../../src/web/router.ts';
import type { RequestParts } from '../support/request.ts';
import { arrivingBody, makeRequest } from '../support/request.ts';

// `app.fetch` takes a Fetch `Request`; that these lines compile is part of the test.
const serves = (app: Hono): Handler => app.fetch;

async function bodyText({ body }: HttpResponse): Promise<string> {
  assert.ok(body instanceof ReadableStream);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function ask(app: Hono, method: string, target: string, parts?: RequestParts): Promise<[number, string]> {
  const response = await serves(app)(makeRequest(method, target, parts));
  return [response.status, await bodyText(response)];
}

test('Hono reads path, query and headers, and its headers come back', async () => {
  const app = new Hono().get('/hello/:name', (c) => {
    c.header('x-answer', '42');
    return c.text(`${c.req.param('name')} ${c.req.query('q')} ${c.req.header('X-Ask')} ${new URL(c.req.url).host}`);
  });
  const request = makeRequest('GET', '/hello/w%C3%B6rld?q=a%20b', {
    headers: { 'x-ask': 'yes' },
    authority: 'example.com:8080',
  });
  const response = await serves(app)(request);
  assert.equal(await bodyText(response), 'wörld a b yes example.com:8080');
  assert.equal(HeaderFields.from(response.headers).get('x-answer'), '42');
});

test('Hono reads a JSON body that is still arriving', async () => {
  const app = new Hono().post('/echo', async (c) => c.json(await c.req.json(), 201));
  const body = arrivingBody();
  const answer = ask(app, 'POST', '/echo', { body, headers: { 'content-type': 'application/json' } });
  body.push(Buffer.from('{"a":'));
  body.push(Buffer.from('[1]}'));
  body.finish(null);
  assert.deepEqual(await answer, [201, '{"a":[1]}']);
});

test('Hono reads forms, urlencoded and multipart', async () => {
  const app = new Hono().post('/form', async (c) => {
    const { name, file } = await c.req.parseBody();
    return c.json([name, file instanceof File ? `${file.name} ${await file.text()}` : null]);
  });
  const urlencoded = { 'content-type': 'application/x-www-form-urlencoded' };
  assert.deepEqual(await ask(app, 'POST', '/form', { headers: urlencoded, body: 'name=a+b' }), [200, '["a b",null]']);
  const boundary = '----a-boundary-as-long-as-browsers-make-it';
  const body = [
    `--${boundary}\r\ncontent-disposition: form-data; name="name"\r\n\r\nn\r\n`,
    `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="f.txt"\r\n\r\ntext\r\n`,
    `--${boundary}--\r\n`,
  ].join('');
  const multipart = { 'content-type': `multipart/form-data; boundary=${boundary}` };
  assert.deepEqual(await ask(app, 'POST', '/form', { headers: multipart, body }), [200, '["n","f.txt text"]']);
});

test('Hono streams an answer, and streams a body through', async () => {
  const app = new Hono()
    .get('/stream', (c) =>
      stream(c, async (out) => {
        await out.write('one ');
        await out.write('two');
      }),
    )
    .post('/through', (c) => new Response(c.req.raw.body));
  assert.deepEqual(await ask(app, 'GET', '/stream'), [200, 'one two']);
  assert.deepEqual(await ask(app, 'POST', '/through', { body: 'passed on' }), [200, 'passed on']);
});

test('Hono mounts another Fetch handler, which gets a true Request', async () => {
  const app = new Hono().mount('/sub', async (request: Request) => {
    assert.ok(request instanceof Request);
    return new Response(`${new URL(request.url).pathname} ${request.headers.get('x-a')} ${await request.text()}`);
  });
  assert.deepEqual(await ask(app, 'POST', '/sub/x', { body: 'hi', headers: { 'x-a': '1' } }), [200, '/x 1 hi']);
});

test('a clone and its request may both read the body', async () => {
  const app = new Hono().post('/', async (c) => {
    const clone = c.req.raw.clone();
    return c.text(`${await clone.text()} ${await c.req.text()}`);
  });
  assert.deepEqual(await ask(app, 'POST', '/', { body: 'twice' }), [200, 'twice twice']);
});

test("Hono's own 404 and errors are answers like others", async () => {
  const app = new Hono()
    .get('/broken', () => {
      throw new Error('broken');
    })
    .onError((error, c) => c.text(error.message, 500));
  assert.deepEqual(await ask(app, 'GET', '/none'), [404, '404 Not Found']);
  assert.deepEqual(await ask(app, 'GET', '/broken'), [500, 'broken']);
});

test('a Fetch handler may be a route', async () => {
  const app = new Hono().basePath('/app').get('/:x', (c) => c.text(c.req.param('x')));
  const routes = router().mount('/app', app.fetch);
  const response = await routes(makeRequest('GET', '/app/1'));
  assert.equal(await bodyText(response), '1');
});

test('text may be read as it arrives, whole characters at a time', async () => {
  const body = arrivingBody();
  const reading = Array.fromAsync(makeRequest('POST', '/', { body }).textStream());
  for (const chunk of [[0x61, 0xc3], [0xa9], [0x62]]) body.push(Uint8Array.from(chunk));
  body.finish(null);
  assert.equal((await reading).join(''), 'aéb');
});

test('received headers do not change', () => {
  const headers: Headers = makeRequest('GET', '/', { headers: { a: '1' } }).headers;
  assert.throws(() => headers.set('a', '2'), TypeError);
  assert.throws(() => headers.delete('a'), TypeError);
});
