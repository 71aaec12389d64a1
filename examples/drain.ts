// Start a request that takes two seconds, press Ctrl-C while it runs, and see that it is still answered:
//   curl http://127.0.0.1:8080/slow
import { setTimeout as wait } from 'node:timers/promises';
import { onEvent, reply, router, serve } from '../src/index.ts'; // in your project: from 'sluice'

onEvent('drain:stage', ({ stage, liveCount }) => console.log(`drain: ${stage}, ${liveCount} alive`));

const server = await serve({
  listeners: [{ bind: `127.0.0.1:${process.env.PORT ?? 8080}` }],
  handler: router().get('/slow', async (request) => {
    await wait(2000, undefined, { signal: request.signal });
    return reply.text('done\n');
  }),
  drain: { quietMs: 500, graceMs: 10_000 },
});

console.log(`listening on http://127.0.0.1:${server.listeners[0]?.address.port}`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void server.drain().then((report) => console.log(JSON.stringify(report))));
}
