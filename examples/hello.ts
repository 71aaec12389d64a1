// A server with two routes. Run it, then: curl http://127.0.0.1:8080/hello/ada
import { reply, router, serve } from '../src/index.ts'; // in your project: from 'sluice'

const server = await serve({
  listeners: [{ bind: `127.0.0.1:${process.env.PORT ?? 8080}` }],
  handler: router()
    .get('/', () => reply.text('Try /hello/your-name\n'))
    .get('/hello/:name', (request) => reply.text(`hello ${request.params.name}\n`)),
});

console.log(`listening on http://127.0.0.1:${server.listeners[0]?.address.port}`);
process.once('SIGTERM', () => server.beginDrain());
