import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocket as Client } from 'ws';
import { serve } from '../../src/server/serve.ts';
import { reply } from '../../src/web/reply.ts';
import { router } from '../../src/web/router.ts';

test('a WebSocket route is a route like others: parameters, state, layers, 404 and 405', async (t) => {
  const seen: string[] = [];
  const handler = router()
    .get('/', () => reply.text('home'))
    .websocket(
      '/rooms/:room',
      (socket, request) => {
        seen.push(`${request.params.room} ${String(request.state)}`);
        socket.onMessage((message) => void socket.send(`${request.params.room}: ${String(message)}`));
      },
      {
        state: 'state',
        layers: [
          (inner) => (request) => {
            seen.push(request.path);
            return inner(request);
          },
        ],
        messageMaxBytes: 10,
      },
    );
  const server = await serve({ listeners: [{ bind: '127.0.0.1:0' }], handler });
  t.after(() => server.close());
  const base = `127.0.0.1:${server.listeners[0]?.address.port}`;

  const client = new Client(`ws://${base}/rooms/blue%20one`);
  await once(client, 'open');
  client.send('hi');
  assert.equal(String((await once(client, 'message'))[0]), 'blue one: hi');
  assert.deepEqual(seen, ['/rooms/blue%20one', 'blue one state']);
  client.send('more than ten');
  assert.equal((await once(client, 'close'))[0], 1009);

  assert.equal((await fetch(`http://${base}/rooms/a`)).status, 426);
  assert.equal((await fetch(`http://${base}/rooms/a`, { method: 'POST' })).status, 405);
  const other = new Client(`ws://${base}/elsewhere`);
  assert.match(String((await once(other, 'error'))[0]), /404/);
});

test('wrong options of a WebSocket route are told when it is added', () => {
  assert.throws(() => router().websocket('/', () => undefined, { pingIntervalMs: -1 }), /pingIntervalMs/);
});
