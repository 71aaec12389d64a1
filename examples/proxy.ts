// A reverse proxy in front of two servers, which are started here too so that there is something to see.
import { proxy, reply, router, serve, upstream } from '../src/index.ts'; // in your project: from 'sluice'

const backends = await Promise.all(
  ['red', 'green'].map((name) =>
    serve({ listeners: [{ bind: '127.0.0.1:0' }], handler: () => reply.text(`answered by ${name}\n`) }),
  ),
);
const api = upstream({
  endpoints: backends.map((backend) => `http://127.0.0.1:${backend.listeners[0]?.address.port}`),
});

const server = await serve({
  listeners: [{ bind: `127.0.0.1:${process.env.PORT ?? 8080}` }],
  handler: router().all('/api/*', proxy(api)),
});

console.log(`listening on http://127.0.0.1:${server.listeners[0]?.address.port}`);
async function stop(): Promise<void> {
  await server.drain();
  await Promise.all([api.drain(), ...backends.map((backend) => backend.shutdown())]);
}
process.once('SIGTERM', () => void stop());
