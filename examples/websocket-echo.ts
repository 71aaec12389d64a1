// A WebSocket that sends every message back as it came, text or binary, and holds back a client that does not read.
import { router, serve } from '../src/index.ts'; // in your project: from 'sluice'

const handler = router().websocket(
  '/*',
  (socket) => socket.onMessage((message) => (socket.send(message) ? undefined : socket.ready())),
  { messageMaxBytes: 32 * 1024 * 1024, deflate: true, origins: null },
);

const server = await serve({
  listeners: [{ bind: `127.0.0.1:${process.env.PORT ?? 8080}`, protocols: ['h2', 'http1'] }],
  handler,
});

console.log(`listening on http://127.0.0.1:${server.listeners[0]?.address.port}`);
process.once('SIGTERM', () => server.beginDrain());
