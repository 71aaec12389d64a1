// New routes without a restart: requests in flight keep the routes they began with. POST /next swaps them.
import { reply, router, serve } from '../src/index.ts'; // in your project: from 'sluice'

const version = (n: number): ReturnType<typeof router> =>
  router()
    .get('/', () => reply.text(`version ${n}\n`))
    .post('/next', () => {
      server.reload(version(n + 1));
      return reply.text(`version ${n + 1} from now on\n`);
    });

const server = await serve({
  listeners: [{ bind: `127.0.0.1:${process.env.PORT ?? 8080}` }],
  handler: version(1),
});

console.log(`listening on http://127.0.0.1:${server.listeners[0]?.address.port}`);
process.once('SIGTERM', () => server.beginDrain());
