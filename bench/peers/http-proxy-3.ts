import { Agent, createServer } from 'node:http';
import { createProxyServer } from 'http-proxy-3';
import type { Job } from '../job.ts';

const { port, origin }: Job = JSON.parse(process.argv[2] ?? '');

const proxy = createProxyServer({
  target: `http://127.0.0.1:${origin.port}`,
  agent: new Agent({ keepAlive: true, maxSockets: 64 }),
});
proxy.on('error', (_error, request) => request.destroy());

const server = createServer((request, response) => proxy.web(request, response));
server.keepAliveTimeout = 300_000;
server.listen({ host: '127.0.0.1', port, backlog: 4096 });
