// Server-sent events. In a browser: new EventSource('http://127.0.0.1:8080/ticks').onmessage = ({ data }) => …
// A client that comes again goes on after the last event it has seen. Try: curl -N http://127.0.0.1:8080/ticks
import { setTimeout as wait } from 'node:timers/promises';
import { lastEventId, reply, router, type ServerSentEvent, serve } from '../src/index.ts'; // in your project: 'sluice'

async function* ticks(from: number): AsyncGenerator<ServerSentEvent> {
  for (let n = from; ; n += 1) {
    yield { id: String(n), data: { tick: n } };
    await wait(1000);
  }
}

const server = await serve({
  listeners: [{ bind: `127.0.0.1:${process.env.PORT ?? 8080}` }],
  handler: router().get('/ticks', (request) =>
    reply.events(ticks(Number(lastEventId(request) ?? 0) + 1), {
      retryMs: 500,
      onDrain: (drain) => {
        drain.send({ event: 'goodbye', data: 'come again' });
        drain.end();
      },
    }),
  ),
});

console.log(`listening on http://127.0.0.1:${server.listeners[0]?.address.port}`);
process.once('SIGTERM', () => server.beginDrain());
