// A Fetch handler, here Hono's, is a handler.
import { Hono } from 'hono';
import { serve } from '../src/index.ts'; // in your project: from 'sluice'

const app = new Hono();
app.get('/', (context) => context.text('hello from Hono\n'));
app.post('/sum', async (context) => {
  const { a, b } = await context.req.json();
  return context.json({ sum: a + b });
});

const server = await serve({
  listeners: [{ bind: `127.0.0.1:${process.env.PORT ?? 8080}` }],
  handler: app.fetch,
});

console.log(`listening on http://127.0.0.1:${server.listeners[0]?.address.port}`);
process.once('SIGTERM', () => server.beginDrain());
