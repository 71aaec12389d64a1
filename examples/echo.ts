// POST / echoes the body as it arrives; GET /headers answers the header lines that were received.
// One port for HTTP/1.1 and HTTP/2: curl --http2-prior-knowledge -d hello http://127.0.0.1:8080/
import { reply, router, serve } from '../src/index.ts'; // in your project: from 'sluice'

const server = await serve({
  listeners: [{ bind: `127.0.0.1:${process.env.PORT ?? 8080}`, protocols: ['h2', 'http1'], body: 'manual' }],
  handler: router({ body: 'manual' })
    .get('/', () => reply.text('POST something, and it comes back.\n'))
    .post('/', (request) => ({
      status: 200,
      headers: { 'content-type': request.headers.get('content-type') ?? 'application/octet-stream' },
      body: request.incoming,
    }))
    .get('/headers', (request) => reply.text(request.headers.text)),
});

console.log(`listening on http://127.0.0.1:${server.listeners[0]?.address.port}`);
process.once('SIGTERM', () => server.beginDrain());
