import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants, createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { type TestContext, test } from 'node:test';
import type { Handler } from '../../src/core/handler.ts';
import type { ListenerOptions } from '../../src/server/options.ts';
import { type Server, serve } from '../../src/server/serve.ts';
import { proxy } from '../../src/upstream/forward.ts';
import { type UpstreamGroup, upstream } from '../../src/upstream/group.ts';
import type { UpstreamOptions, UpstreamProtocol } from '../../src/upstream/options.ts';
import { reply } from '../../src/web/reply.ts';
import { Http1Caller } from '../contract/http1-caller.ts';
import { Http2Caller } from '../contract/http2-caller.ts';
import { LOCALHOST, TEST_AUTHORITY } from '../support/certificates.ts';
import { eventually, turns } from '../support/wire.ts';
import { Asking } from './asking.ts';

const H2: Partial<ListenerOptions> = { protocols: ['h2'] };
const TLS = { certificates: [LOCALHOST] };
const TRUSTED = { ca: TEST_AUTHORITY.cert };

/** A server of ours; closed at the end of the test. */
async function origin(context: TestContext, listener: Partial<ListenerOptions>, handler: Handler): Promise<Server> {
  const server = await serve({ listeners: [{ bind: '127.0.0.1:0', ...listener }], handler });
  context.after(() => server.close());
  return server;
}

const urlOf = ({ listeners }: Server): string =>
  `${listeners[0]?.secure === true ? 'https' : 'http'}://127.0.0.1:${listeners[0]?.address.port}`;

/** Requests that go to an upstream; it is closed at the end of the test. */
function asking(context: TestContext, options: UpstreamOptions): Asking {
  const made = new Asking(options);
  context.after(() => made.group.close());
  return made;
}

/** An HTTP/2 server of Node's, which a test breaks; closed at the end of the test. */
async function nodeOrigin(context: TestContext): Promise<{ server: ReturnType<typeof createServer>; url: string }> {
  const server = createServer();
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session.on('error', () => undefined)));
  server.on('sessionError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.close();
    for (const session of sessions) session.destroy();
  });
  const address = server.address();
  return { server, url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}` };
}

const tellProtocol: Handler = ({ protocol, peer }) => reply.text(`${protocol} ${peer.secure ? 'secure' : 'plain'}`);

test('over TLS an upstream speaks what both sides know, HTTP/2 where it can (RFC 7301)', async (context) => {
  const both = await origin(context, { tls: TLS, protocols: ['h2', 'http1'] }, tellProtocol);
  const old = await origin(context, { tls: TLS, protocols: ['http1'] }, tellProtocol);
  const cases: readonly (readonly [Server, UpstreamProtocol, string])[] = [
    [both, 'auto', 'HTTP/2 secure'],
    [both, 'h2', 'HTTP/2 secure'],
    [both, 'http1', 'HTTP/1.1 secure'],
    [old, 'auto', 'HTTP/1.1 secure'],
    [old, 'http1', 'HTTP/1.1 secure'],
  ];
  for (const [server, protocol, spoken] of cases) {
    assert.equal(await asking(context, { endpoints: [urlOf(server)], protocol, tls: TRUSTED }).ask(), spoken);
  }
  const refused = asking(context, { endpoints: [urlOf(old)], protocol: 'h2', tls: TRUSTED });
  await assert.rejects(refused.ask(), { code: 'upstream-tls' });
});

test('in plaintext an upstream speaks HTTP/2 only where it is told to (RFC 9113 §3.3)', async (context) => {
  const server = await origin(context, { protocols: ['h2', 'http1'] }, tellProtocol);
  for (const [protocol, spoken] of [
    ['auto', 'HTTP/1.1 plain'],
    ['http1', 'HTTP/1.1 plain'],
    ['h2', 'HTTP/2 plain'],
  ] as const) {
    assert.equal(await asking(context, { endpoints: [urlOf(server)], protocol }).ask(), spoken);
  }
});

test('many requests share one connection, and more connections are opened where one is full', async (context) => {
  for (const [streamMaxCount, connectionCount] of [
    [100, 1],
    [10, 4],
  ] as const) {
    const gate = Promise.withResolvers<void>();
    const server = await origin(context, H2, async ({ path }) => {
      await gate.promise;
      return reply.text(path);
    });
    const it = asking(context, { endpoints: [urlOf(server)], protocol: 'h2', pool: { streamMaxCount } });
    const answers = Array.from({ length: 40 }, (_, i) => it.ask(`/${i}`));
    await eventually(() => server.status().requests.inFlight === 40);
    assert.equal(server.status().connections.total, connectionCount);
    gate.resolve();
    for (const [i, answer] of answers.entries()) assert.equal(await answer, `/${i}`);
  }
});

test('what one server refuses another one answers, whatever the method (RFC 9113 §8.7)', async (context) => {
  const refusing = await nodeOrigin(context);
  let refusedCount = 0;
  refusing.server.on('stream', (stream) => {
    refusedCount += 1;
    stream.on('error', () => undefined).close(constants.NGHTTP2_REFUSED_STREAM);
  });
  const server = await origin(context, H2, async (request) => reply.text(await request.text()));
  const it = asking(context, { endpoints: [refusing.url, urlOf(server)], protocol: 'h2' });
  const bodies = Array.from({ length: 20 }, (_, i) => Buffer.from(`body ${i}`));
  const answers = await Promise.all(bodies.map((body) => it.post(body)));
  assert.deepEqual(answers.map(String), bodies.map(String));
  assert.ok(refusedCount > 0);
});

test('a server that drains under load loses no request: what it has is answered, the rest goes elsewhere', async (context) => {
  const handler: Handler = async (request) => {
    const text = await request.text();
    await turns(text.length % 4);
    return reply.text(text);
  };
  const servers = [await origin(context, H2, handler), await origin(context, H2, handler)];
  const it = asking(context, { endpoints: servers.map(urlOf), protocol: 'h2' });
  let over = false;
  let answers = 0;
  const load = Array.from({ length: 20 }, async (_, i) => {
    while (!over) {
      const text = 'x'.repeat((answers + i) % 50);
      assert.equal(String(await it.post(Buffer.from(text))), text);
      answers += 1;
    }
  });
  await eventually(() => answers > 200);
  const report = await servers[0]?.drain();
  assert.deepEqual([report?.outcome, report?.mayHaveLostCount], ['clean', 0]);
  const before = answers;
  await eventually(() => answers > before + 100);
  over = true;
  await Promise.all(load);
  assert.ok((report?.finishedCount ?? 0) > 0);
});

test('a server that says GOAWAY again and again in the middle of its work loses no request', async (context) => {
  const { server, url } = await nodeOrigin(context);
  let streamCount = 0;
  let sessionCount = 0;
  server.on('session', () => {
    sessionCount += 1;
  });
  server.on('stream', (stream: ServerHttp2Stream) => {
    streamCount += 1;
    stream.on('error', () => undefined);
    if (streamCount % 20 === 0) stream.session?.close();
    stream.respond();
    stream.pipe(stream);
  });
  const it = asking(context, { endpoints: [url], protocol: 'h2' });
  await Promise.all(
    Array.from({ length: 10 }, async (_, i) => {
      for (let round = 0; round < 30; round += 1) {
        const body = Buffer.alloc(round * 100 + i, 'x');
        assert.ok((await it.post(body)).equals(body));
      }
    }),
  );
  assert.ok(sessionCount > 5, `${sessionCount} connections`);
});

test('a client that switches its protocol reaches a server over HTTP/2, from either protocol (RFC 8441)', async (context) => {
  const server = await origin(context, H2, ({ upgrade, path }) => ({
    status: 101,
    headers: { upgrade: upgrade ?? '', 'x-path': path },
    takeover: (socket) => void socket.pipe(socket),
  }));
  const group: UpstreamGroup = upstream({ endpoints: [urlOf(server)], protocol: 'h2' });
  context.after(() => group.close());
  const front = await origin(context, { protocols: ['h2', 'http1'] }, proxy(group, { upgrade: ['echo'] }));
  const port = front.listeners[0]?.address.port ?? 0;
  for (const caller of [new Http1Caller(port, false), new Http2Caller(port, false)]) {
    context.after(() => caller.close());
    const { headers, socket } = await caller.upgrade('echo', '/there');
    assert.equal(headers['x-path'], '/there');
    socket.write('hello');
    const [chunk]: Buffer[] = await once(socket, 'data');
    assert.equal(String(chunk), 'hello');
    socket.end();
    await once(socket, 'end');
  }
});
