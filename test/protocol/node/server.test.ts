import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import express from 'express';
import fastify from 'fastify';
import { nodeRunner } from '../../../src/protocol/node/server.ts';
import { type Server, serve } from '../../../src/server/serve.ts';

const notUsed = (): never => assert.fail('the server handler must not be called');

async function serveApp(app: Parameters<typeof nodeRunner>[0], limits = {}): Promise<{ server: Server; port: number }> {
  const server = await serve({
    listeners: [{ bind: '127.0.0.1:0', runner: nodeRunner(app), limits }],
    handler: notUsed,
    drain: { quietMs: 400 },
  });
  return { server, port: server.listeners[0]?.address.port ?? 0 };
}

/** Reads text until it contains `end`, or the socket ends. */
async function readUntil(socket: Socket, end: string): Promise<string> {
  let text = '';
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (text.includes(end)) break;
  }
  return text;
}

test('an Express app runs unchanged under the listener', async () => {
  const app = express();
  app.use(express.json());
  app.post('/sum', (request, response) => {
    response.json({ sum: request.body.a + request.body.b });
  });
  const { server, port } = await serveApp(app);
  const response = await fetch(`http://127.0.0.1:${port}/sum`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ a: 2, b: 3 }),
  });
  assert.deepEqual(await response.json(), { sum: 5 });
  assert.equal(server.status().requests.served, 1);
  assert.equal((await server.shutdown()).outcome, 'clean');
});

test('a Fastify app runs unchanged under the listener', async () => {
  const app = fastify();
  app.get('/hello/:name', async (request) => ({ hello: request.params }));
  await app.ready();
  const { server, port } = await serveApp((request, response) => app.routing(request, response));
  const response = await fetch(`http://127.0.0.1:${port}/hello/ada`);
  assert.deepEqual(await response.json(), { hello: { name: 'ada' } });
  assert.equal((await server.shutdown()).outcome, 'clean');
  await app.close();
});

test('a request that runs when the drain begins is finished by the app, with connection: close', async () => {
  let answer = (): void => undefined;
  const called = Promise.withResolvers<void>();
  const app = express();
  app.get('/slow', (_request, response) => {
    answer = () => response.send('done');
    called.resolve();
  });
  const { server, port } = await serveApp(app);
  const socket = connect(port, '127.0.0.1');
  socket.write('GET /slow HTTP/1.1\r\nhost: a\r\n\r\n');
  await called.promise;
  assert.equal(server.status().connections['in-flight'], 1);
  const report = server.drain();
  while (server.status().drain !== 'finish') await new Promise((resolve) => setImmediate(resolve));
  answer();
  const text = await readUntil(socket, 'done');
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(text, /\r\nconnection: close\r\n/i);
  const { outcome, finishedCount, closed } = await report;
  assert.deepEqual(
    { outcome, finishedCount, closed },
    { outcome: 'clean', finishedCount: 1, closed: { 'drained-answered': 1 } },
  );
  socket.destroy();
});

test('an idle keep-alive connection of an app may use its quiet window, and is closed when it does not', async () => {
  const { server, port } = await serveApp((_request, response) => void response.end('ok'));
  const [quiet, late] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  for (const socket of [quiet, late]) {
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await readUntil(socket, 'ok');
  }
  const report = server.drain();
  while (server.status().drain !== 'finish') await new Promise((resolve) => setImmediate(resolve));
  late.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.match(await readUntil(late, 'ok'), /connection: close/i);
  late.destroy();
  quiet.resume();
  await once(quiet, 'end');
  quiet.destroy();
  assert.deepEqual((await report).closed, { 'drained-answered': 1, 'drained-idle': 1 });
});

test('an app that does not answer is cut off at the end of the grace and reported', async () => {
  const called = Promise.withResolvers<void>();
  const { server, port } = await serveApp(() => called.resolve());
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  socket.write('GET /never HTTP/1.1\r\nhost: a\r\n\r\n');
  await called.promise;
  const report = await server.drain({ graceMs: 1 });
  assert.equal(report.outcome, 'forced');
  assert.equal(report.forced[0]?.target, '/never');
  assert.equal(server.status().requests.inFlight, 0);
});

test('over the budget of requests in flight an app is not asked and the client gets 503', async () => {
  const held = Promise.withResolvers<http.ServerResponse>();
  let askedCount = 0;
  const app = (_request: http.IncomingMessage, response: http.ServerResponse): void => {
    askedCount += 1;
    held.resolve(response);
  };
  const { server, port } = await serveApp(app, { requestMaxCount: 1 });
  const first = fetch(`http://127.0.0.1:${port}/`);
  const response = await held.promise;
  const second = await fetch(`http://127.0.0.1:${port}/`);
  assert.equal(second.status, 503);
  assert.equal(second.headers.get('retry-after'), '1');
  assert.equal(askedCount, 1);
  response.end('first');
  assert.equal(await (await first).text(), 'first');
  await server.shutdown();
});

test('an upgraded connection of an http.Server counts as a stream', async () => {
  const app = http.createServer();
  app.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
    socket.pipe(socket);
  });
  const { server, port } = await serveApp(app);
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
  await readUntil(socket, '\r\n\r\n');
  socket.write('ping');
  assert.equal(await readUntil(socket, 'ping'), 'ping');
  assert.equal(server.status().connections.stream, 1);
  socket.end();
  await server.close();
});
