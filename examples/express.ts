// An Express app, unchanged, under Sluice's listener: its limits, its status and its drain.
import express from 'express';
import { nodeRunner, reply, serve } from '../src/index.ts'; // in your project: from 'sluice'

const app = express();
app.get('/', (_request, response) => {
  response.send('hello from Express\n');
});

const server = await serve({
  listeners: [{ bind: `127.0.0.1:${process.env.PORT ?? 8080}`, runner: nodeRunner(app) }],
  handler: () => reply.empty(404), // for listeners without a runner of their own
});

console.log(`listening on http://127.0.0.1:${server.listeners[0]?.address.port}`);
process.once('SIGTERM', () => server.beginDrain());
