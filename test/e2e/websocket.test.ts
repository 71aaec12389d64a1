import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { type TestContext, test } from 'node:test';
import { WebSocket as WsClient } from 'ws';
import { proxy, router, type Server, serve, upstream } from '../../src/index.ts';
import { frame, parseFrame, TEXT } from '../protocol/websocket/frames.ts';

const LARGE = 1_500_000;

const portOf = (server: Server): number => server.listeners[0]?.address.port ?? 0;

/** An endpoint that echoes, and a proxy before it; both speak HTTP/1.1 and HTTP/2 on their port. */
async function served(context: TestContext): Promise<{ direct: number; proxied: number; servers: Server[] }> {
  const listeners = [{ bind: '127.0.0.1:0', protocols: ['h2', 'http1'] as const }];
  const backend = await serve({
    listeners,
    handler: router().websocket(
      '/echo',
      async (socket) => {
        for await (const message of socket) if (!socket.send(message)) await socket.ready();
      },
      { protocols: ['echo'], deflate: true, messageMaxBytes: 2_000_000 },
    ),
  });
  const group = upstream({ endpoints: [`http://127.0.0.1:${portOf(backend)}`] });
  const handler = proxy(group, { upgrade: ['websocket'], drainClose: true });
  const server = await serve({ listeners, handler });
  context.after(async () => {
    await server.close();
    group.close();
    await backend.close();
  });
  return { direct: portOf(backend), proxied: portOf(server), servers: [server, backend] };
}

test('the ws client talks to an endpoint, directly and through the proxy, with compression and without', async (context) => {
  const { direct, proxied } = await served(context);
  for (const port of [direct, proxied]) {
    for (const perMessageDeflate of [false, true]) {
      const client = new WsClient(`ws://127.0.0.1:${port}/echo`, ['other', 'echo'], { perMessageDeflate });
      await once(client, 'open');
      assert.equal(client.protocol, 'echo');
      assert.equal(client.extensions.startsWith('permessage-deflate'), perMessageDeflate);
      client.send('täxt');
      assert.equal(String((await once(client, 'message'))[0]), 'täxt');
      client.send(Buffer.alloc(LARGE, 'ab'));
      const [bytes] = await once(client, 'message');
      assert.ok(bytes instanceof Buffer && bytes.equals(Buffer.alloc(LARGE, 'ab')));
      client.ping('are you there');
      assert.equal(String((await once(client, 'pong'))[0]), 'are you there');
      client.close(4000, 'enough');
      assert.deepEqual((await once(client, 'close')).map(String), ['4000', 'enough']);
    }
  }
});

test('Node’s own WebSocket talks to an endpoint, directly and through the proxy', async (context) => {
  const { direct, proxied } = await served(context);
  for (const port of [direct, proxied]) {
    const client = new WebSocket(`ws://127.0.0.1:${port}/echo`, 'echo');
    await new Promise((resolve) => client.addEventListener('open', resolve, { once: true }));
    const answer = new Promise<MessageEvent>((resolve) => client.addEventListener('message', resolve, { once: true }));
    client.send('x'.repeat(LARGE));
    assert.equal((await answer).data.length, LARGE);
    const closed = new Promise<CloseEvent>((resolve) => client.addEventListener('close', resolve, { once: true }));
    client.close(1000, 'bye');
    const { code, reason, wasClean } = await closed;
    assert.deepEqual([code, reason, wasClean], [1000, 'bye', true]);
  }
});

test('a WebSocket opens over HTTP/2, directly and through the proxy to HTTP/1.1 (RFC 8441)', async (context) => {
  const { direct, proxied } = await served(context);
  for (const port of [direct, proxied]) {
    const session = connect(`http://127.0.0.1:${port}`);
    await once(session, 'remoteSettings');
    assert.equal(session.remoteSettings.enableConnectProtocol, true);
    const stream = session.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': '/echo',
      ':authority': 'server.example.com',
      ':scheme': 'http',
      'sec-websocket-version': '13',
      'sec-websocket-protocol': 'echo',
      origin: 'http://server.example.com',
    });
    const [headers] = await once(stream, 'response');
    assert.equal(headers[':status'], 200);
    assert.equal(headers['sec-websocket-protocol'], 'echo');
    assert.equal(headers['sec-websocket-accept'], undefined);
    assert.equal(headers.upgrade, undefined);
    stream.write(frame(TEXT, 'x'.repeat(70_000)));
    let received = Buffer.alloc(0);
    for await (const chunk of stream) {
      received = Buffer.concat([received, chunk]);
      if (parseFrame(received) !== null) break;
    }
    assert.equal(parseFrame(received)?.frame.payload.toString(), 'x'.repeat(70_000));
    session.destroy();
  }
});

test('a drain of the proxy, and one of the endpoint behind it, reach the client as 1001', async (context) => {
  for (const which of [0, 1]) {
    const { proxied, servers } = await served(context);
    const client = new WsClient(`ws://127.0.0.1:${proxied}/echo`);
    await once(client, 'open');
    client.send('before');
    await once(client, 'message');
    const drained = servers[which]?.drain({ quietMs: 0 });
    assert.equal((await once(client, 'close'))[0], 1001);
    assert.equal((await drained)?.outcome, 'clean');
  }
});
