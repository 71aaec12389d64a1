// Layers wrap handlers, outermost first: every request gets an id, 5 seconds, and a line in the access log.
import { accessLog, bodyLimit, reply, requestId, router, serve, timeout } from '../src/index.ts'; // in your project: from 'sluice'

const server = await serve({
  listeners: [{ bind: `127.0.0.1:${process.env.PORT ?? 8080}` }],
  handler: router()
    .use(accessLog({ write: (record) => console.log(JSON.stringify(record)) }), requestId(), timeout({ totalMs: 5000 }))
    .get('/', (request) => reply.text(`you are request ${request.id}\n`))
    .post('/notes', async (request) => reply.json({ received: await request.json() }, { status: 201 }), {
      layers: [bodyLimit({ maxBytes: 1024 })],
    }),
});

console.log(`listening on http://127.0.0.1:${server.listeners[0]?.address.port}`);
process.once('SIGTERM', () => server.beginDrain());
