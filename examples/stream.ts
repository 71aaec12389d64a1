// A body in pieces, written as fast as the client takes it, and stopped when the client goes away.
import { reply, router, serve } from '../src/index.ts'; // in your project: from 'sluice'

async function* lines(): AsyncGenerator<string> {
  for (let n = 1; n <= 1_000_000; n += 1) yield `line ${n}\n`;
}

const server = await serve({
  listeners: [{ bind: `127.0.0.1:${process.env.PORT ?? 8080}` }],
  handler: router().get('/lines', (request) => {
    request.inform({ status: 103, headers: { link: '</style.css>; rel=preload' } });
    return reply.stream(lines(), { headers: { 'content-type': 'text/plain' } });
  }),
});

console.log(`listening on http://127.0.0.1:${server.listeners[0]?.address.port}`);
process.once('SIGTERM', () => server.beginDrain());
