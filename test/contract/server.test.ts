import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Failure } from '../../src/core/failure.ts';
import { HeaderFields } from '../../src/core/headers.ts';
import type { HttpRequest } from '../../src/core/request.ts';
import { reply } from '../../src/web/reply.ts';
import { eventually, turns } from '../support/wire.ts';
import { countOf } from './caller.ts';
import { contract, type ServedOptions } from './served.ts';

const MEBIBYTE = 1_048_576;
/** More than the kernel takes for somebody who does not read. */
const LARGE_BYTES = 16 * MEBIBYTE;
/** Handlers run before the body is there, which may be of any size. */
const UNREAD: ServedOptions = { limits: { bodyMaxBytes: null }, listener: { body: 'manual' } };

contract('a handler sees the method, the target, the authority and the fields as they were sent', async (served) => {
  let seen: HttpRequest | null = null;
  await served.serve((request) => {
    seen = request;
    return reply.text('ok');
  });
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY']) {
    const question = {
      method,
      path: '/a%2Fb?c=d&c=e',
      headers: { 'X-One': 'is ünusual'.replace('ü', 'u'), cookie: 'a=1; b=2' },
    };
    assert.deepEqual(await served.answer(question), [200, 'ok']);
    assert.ok(seen);
    const request: HttpRequest = seen;
    assert.deepEqual([request.method, request.target, request.path], [method, '/a%2Fb?c=d&c=e', '/a%2Fb']);
    assert.deepEqual(request.query.getAll('c'), ['d', 'e']);
    assert.match(request.authority, /^127\.0\.0\.1:[0-9]+$/);
    assert.equal(request.headers.get('host'), request.authority);
    assert.deepEqual([request.headers.get('x-one'), request.headers.get('cookie')], ['is unusual', 'a=1; b=2']);
    assert.equal(request.protocol, served.way.multiplexes ? 'HTTP/2' : 'HTTP/1.1');
    assert.equal(request.peer.address, '127.0.0.1');
  }
});

contract('bodies that are whole come back whole, with their length and a date', async (served) => {
  const bodies = ['', 'text', 'ünïcode ✓', 'x'.repeat(100_000), new Uint8Array(0), Buffer.alloc(70_000, 7)];
  await served.serve(({ path }) => ({ status: 200, body: bodies[Number(path.slice(1))] ?? null }));
  for (const [i, body] of bodies.entries()) {
    const asked = served.ask({ path: `/${i}` });
    const { headers } = await asked.head();
    const bytes = Buffer.from(body).toString('latin1');
    assert.equal(await asked.text(), bytes);
    assert.equal(headers['content-length'], String(bytes.length));
    assert.ok(!Number.isNaN(Date.parse(headers.date ?? '')));
  }
});

contract('a handler reads a body as text, as JSON or in pieces', async (served) => {
  await served.serve(async (request) => {
    if (request.path === '/json') return reply.json({ got: await request.json() });
    if (request.path === '/text') return reply.text((await request.text()).toUpperCase());
    let count = 0;
    for await (const chunk of request.incoming ?? []) count += chunk.length;
    return reply.text(String(count));
  });
  assert.equal((await served.answer({ method: 'POST', path: '/json', body: '{"a":1}' }))[1], '{"got":{"a":1}}');
  assert.equal((await served.answer({ method: 'POST', path: '/text', body: 'loud' }))[1], 'LOUD');
  assert.equal((await served.answer({ method: 'POST', path: '/x', body: 'x'.repeat(300_000) }))[1], '300000');
});

contract('an echo in pieces arrives byte for byte while it is still being sent', async (served) => {
  await served.serve(({ incoming }) => ({ status: 200, body: incoming }), UNREAD);
  const asked = served.ask({ method: 'POST', open: true });
  asked.write('first');
  const body = await asked.body();
  const [first]: Buffer[] = await once(body, 'data');
  assert.equal(String(first), 'first');
  body.pause();
  const sent = Buffer.alloc(4 * MEBIBYTE, 'some bytes that repeat at an odd length');
  asked.write(sent);
  asked.end('last');
  const received = await asked.text();
  assert.ok(received === `${sent.toString('latin1')}last`);
});

contract('a client that does not read holds the source of the answer back', async (served) => {
  let givenBytes = 0;
  async function* source(): AsyncGenerator<Uint8Array> {
    const piece = Buffer.alloc(65_536);
    for (; givenBytes < LARGE_BYTES; givenBytes += piece.length) yield piece;
  }
  await served.serve(() => ({ status: 200, body: source() }));
  const body = await served.ask().body();
  body.pause();
  let before = -1;
  while (before !== givenBytes) {
    before = givenBytes;
    await turns(100);
  }
  assert.ok(givenBytes < LARGE_BYTES - MEBIBYTE, `${givenBytes} bytes were taken for nobody`);
  assert.equal(await countOf(body), LARGE_BYTES);
});

contract('a handler that does not read holds the client back', async (served) => {
  const gate = Promise.withResolvers<void>();
  let incoming: HttpRequest['incoming'] = null;
  await served.serve(async (request) => {
    incoming = request.incoming;
    await gate.promise;
    return reply.text(String((await request.arrayBuffer()).byteLength));
  }, UNREAD);
  const asked = served.ask({ method: 'POST', body: Buffer.alloc(LARGE_BYTES) });
  await served.inFlight(1);
  await turns(100);
  assert.ok(incoming !== null);
  const body: NonNullable<HttpRequest['incoming']> = incoming;
  assert.ok(body.receivedBytes < MEBIBYTE, `${body.receivedBytes} bytes were read for nobody`);
  gate.resolve();
  assert.equal(await asked.text(), String(LARGE_BYTES));
});

contract('trailers go both ways (RFC 9110 §6.5)', async (served) => {
  let received: string | null = null;
  await served.serve(async (request) => {
    await request.text();
    received = request.incoming?.trailers?.get('x-sum') ?? null;
    const body = (async function* () {
      yield 'abc';
    })();
    return { status: 200, body, trailers: () => HeaderFields.from({ 'x-count': '3' }) };
  });
  const asked = served.ask({ method: 'POST', open: true, headers: { trailer: 'x-sum' } });
  asked.write('12');
  asked.end('3', { 'x-sum': '6' });
  assert.equal(await asked.text(), 'abc');
  assert.equal(received, '6');
  assert.deepEqual(asked.trailers(), { 'x-count': '3' });
});

contract(
  'informational answers come before the answer, and 100 when the body is wanted (RFC 9110 §15.2)',
  async (served) => {
    await served.serve(async (request) => {
      request.inform({ status: 103, headers: { link: '</style.css>' } });
      return reply.text(await request.text());
    });
    const asked = served.ask({
      method: 'POST',
      open: true,
      headers: { expect: '100-continue', 'content-length': '4' },
    });
    await eventually(() => asked.informed.some(({ status }) => status === 100), 'the 100');
    asked.end('body');
    assert.equal(await asked.text(), 'body');
    assert.deepEqual(new Set(asked.informed.map(({ status }) => status)), new Set([100, 103]));
    assert.equal(asked.informed.find(({ status }) => status === 103)?.headers.link, '</style.css>');
  },
);

contract('HEAD, 204 and 304 have no body (RFC 9110 §6.4.1)', async (served) => {
  await served.serve(({ path }) =>
    path === '/' ? reply.text('hello') : { status: Number(path.slice(1)), headers: { etag: '"1"' } },
  );
  const head = served.ask({ method: 'HEAD' });
  assert.equal((await head.head()).headers['content-length'], '5');
  assert.equal(await head.text(), '');
  for (const status of [204, 304]) assert.deepEqual(await served.answer({ path: `/${status}` }), [status, '']);
  assert.deepEqual(await served.answer(), [200, 'hello']);
});

contract('what a handler throws is a status, and the next request is answered', async (served) => {
  await served.serve(({ path }) => {
    if (path === '/throws') throw new Error('a bug');
    if (path === '/rejects') return Promise.reject(new Error('a bug'));
    if (path === '/fails') throw new Failure('upstream-head-timeout');
    if (path === '/nonsense') return { status: 7 };
    if (path === '/lies') return { status: 200, headers: { 'content-length': '9' }, body: 'short' };
    return reply.text('fine');
  });
  for (const [path, status] of [
    ['/throws', 500],
    ['/rejects', 500],
    ['/fails', 504],
    ['/nonsense', 500],
    ['/lies', 500],
    ['/', 200],
  ] as const) {
    assert.equal((await served.answer({ path }))[0], status, path);
  }
});

contract('a body that breaks off does not look complete', async (served) => {
  await served.serve(() => ({
    status: 200,
    body: (async function* () {
      yield 'half';
      await turns(5);
      throw new Error('a bug');
    })(),
  }));
  const asked = served.ask();
  assert.equal((await asked.head()).status, 200);
  await assert.rejects(asked.text());
});

contract('over a limit a request is refused before its handler runs', async (served) => {
  let handled = 0;
  await served.serve(
    async (request) => {
      handled += 1;
      return reply.text(await request.text());
    },
    {
      limits: { bodyMaxBytes: 1000, targetMaxBytes: 200, headerMaxCount: 20, headMaxBytes: 4000 },
      listener: { http2: { headerListMaxBytes: 4000 } },
    },
  );
  assert.equal((await served.answer({ path: `/${'x'.repeat(300)}` }))[0], 414);
  const many = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`x-${i}`, '1']));
  assert.equal((await served.answer({ headers: many }))[0], 431);
  assert.equal((await served.answer({ headers: { 'x-large': 'x'.repeat(5000) } }))[0], 431);
  assert.equal(handled, 0);
  assert.equal((await served.answer({ method: 'POST', body: 'x'.repeat(2000) }))[0], 413);
  assert.deepEqual(await served.answer({ method: 'POST', body: 'fits' }), [200, 'fits']);
});

contract('over the budget of requests in flight a request is answered 503', async (served) => {
  const gate = Promise.withResolvers<void>();
  await served.serve(
    async () => {
      await gate.promise;
      return reply.text('late');
    },
    { limits: { requestMaxCount: 1 } },
  );
  const first = served.ask();
  await served.inFlight(1);
  const second = served.ask();
  const { status, headers } = await second.head();
  assert.deepEqual([status, headers['retry-after']], [503, '1']);
  gate.resolve();
  assert.equal(await first.text(), 'late');
});

contract('a handler that takes too long is answered for: 504, and its signal aborts', async (served) => {
  const aborted = Promise.withResolvers<unknown>();
  await served.serve(
    ({ signal }) => {
      signal.addEventListener('abort', () => aborted.resolve(signal.reason));
      return new Promise(() => undefined);
    },
    { limits: { handlerTimeoutMs: 1000 } },
  );
  const asked = served.ask();
  await served.inFlight(1);
  await served.pass(1500);
  assert.equal((await asked.head()).status, 504);
  const reason = await aborted.promise;
  assert.ok(reason instanceof Failure && reason.code === 'handler-timeout');
});

contract('a body that comes too slowly is given up: 408', async (served) => {
  await served.serve(async (request) => reply.text(await request.text()));
  const asked = served.ask({ method: 'POST', open: true });
  asked.write('x');
  await eventually(
    () => served.server.status().connections['in-flight'] + served.server.status().connections.reading > 0,
  );
  await turns(20);
  await served.pass(8000);
  assert.equal((await asked.head()).status, 408);
});

contract('a client that leaves aborts the signal of its request, and its body fails', async (served) => {
  const seen = Promise.withResolvers<unknown[]>();
  await served.serve(async (request) => {
    const signal = once(request.signal, 'abort');
    const read = await request.text().catch((error: unknown) => error);
    await signal;
    seen.resolve([request.signal.reason, read]);
    return reply.text('to nobody');
  }, UNREAD);
  const asked = served.ask({ method: 'POST', open: true });
  asked.write('begun');
  await served.inFlight(1);
  await turns(20);
  asked.abort();
  for (const failure of await seen.promise) assert.ok(failure instanceof Failure && failure.code === 'client-gone');
  await served.inFlight(0);
});

contract('a client that leaves in the middle of an answer stops its source', async (served) => {
  const stopped = Promise.withResolvers<void>();
  await served.serve(() => ({
    status: 200,
    body: (async function* () {
      try {
        for (;;) {
          yield 'more';
          await turns(1);
        }
      } finally {
        stopped.resolve();
      }
    })(),
  }));
  const asked = served.ask();
  await once(await asked.body(), 'data');
  asked.abort();
  await stopped.promise;
});

contract('a request can switch to another protocol, and each side ends by itself', async (served) => {
  await served.serve((request) => {
    if (request.upgrade !== 'echo') return { status: 426 };
    return {
      status: 101,
      headers: { upgrade: 'echo', 'x-path': request.path },
      takeover: (socket, first) => {
        if (first.length > 0) socket.write(first);
        socket.on('data', (chunk: Buffer) => socket.write(chunk.toString().toUpperCase()));
        socket.on('end', () => socket.end(' and bye'));
      },
    };
  });
  const { headers, socket } = await served.caller.upgrade('echo', '/there');
  assert.equal(headers['x-path'], '/there');
  let received = '';
  socket.on('data', (chunk: Buffer) => {
    received += String(chunk);
  });
  socket.write('hello');
  await eventually(() => received === 'HELLO', 'the echo');
  assert.equal(served.server.status().connections.total, 1);
  const large = 'x'.repeat(2 * MEBIBYTE);
  socket.end(large);
  await once(socket, 'end');
  assert.ok(received === `HELLO${large.toUpperCase()} and bye`);
  assert.equal((await served.answer())[0], 426);
});

contract('a client that breaks its tunnel off breaks it for the server', async (served) => {
  const broken = Promise.withResolvers<void>();
  await served.serve(() => ({
    status: 101,
    headers: { upgrade: 'echo' },
    takeover: (socket) => socket.on('data', () => undefined).on('close', () => broken.resolve()),
  }));
  const { breakOff, socket } = await served.caller.upgrade('echo');
  socket.on('error', () => undefined);
  breakOff();
  await broken.promise;
});

contract('many requests one after another and at once are each answered with their own answer', async (served) => {
  await served.serve(async ({ path }) => {
    await turns(Number(path.slice(1)) % 7);
    return reply.text(path);
  });
  for (let i = 0; i < 20; i += 1) assert.deepEqual(await served.answer({ path: `/${i}` }), [200, `/${i}`]);
  const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => served.answer({ path: `/${i}` })));
  for (const [i, answer] of answers.entries()) assert.deepEqual(answer, [200, `/${i}`]);
  if (served.way.multiplexes) assert.equal(served.server.status().connections.total, 1);
});
