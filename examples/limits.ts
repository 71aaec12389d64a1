// Limits: each client has a rate, few reports run at once and the rest wait for their turn, and health is never refused.
import { concurrencyLimit, loadShedding, rateLimit, reply, router, serve } from '../src/index.ts'; // in your project: from 'sluice'

const reports = concurrencyLimit({ requestMaxCount: 2, queueMaxCount: 50, queueTimeoutMs: 2000, tenant: 'client-ip' });

const limited = router()
  .use(rateLimit({ requestsPerSec: 5, burstCount: 10 }), loadShedding({ class: 'normal' }))
  .get('/', () => reply.text('hello\n'))
  .get(
    '/report',
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return reply.text('a report\n');
    },
    { layers: [reports] },
  );

const server = await serve({
  listeners: [{ bind: `127.0.0.1:${process.env.PORT ?? 8080}` }],
  handler: router()
    .get('/health', () => reply.json(reports.status()))
    .mount('/api', limited),
});

console.log(`listening on http://127.0.0.1:${server.listeners[0]?.address.port}`);
process.once('SIGTERM', () => server.beginDrain());
