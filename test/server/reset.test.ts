import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { reply, type Server, serve } from '../../src/index.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { eventually, turns } from '../support/wire.ts';

/** Reads once and never again. */
const deaf = { buffer: new Uint8Array(16), callback: () => false };

/** Says something, then goes on when told to. */
function halting(): { handler: () => ReturnType<typeof reply.stream>; goOn: (error?: Error) => void } {
  const gate = Promise.withResolvers<void>();
  async function* pieces(): AsyncGenerator<string> {
    yield 'begun';
    await gate.promise;
  }
  const goOn = (error?: Error): void => (error === undefined ? gate.resolve() : gate.reject(error));
  return { handler: () => reply.stream(pieces()), goOn };
}

async function begun(context: TestContext, server: Server, to: { path: string } | { port: number }): Promise<Socket> {
  context.after(() => server.close());
  const socket = createConnection(to);
  context.after(() => socket.destroy());
  // Delimited by the end of the connection: only a reset tells that it is not complete.
  socket.write('GET / HTTP/1.0\r\n\r\n');
  let text = '';
  while (!text.endsWith('begun')) text += String((await once(socket, 'data'))[0]);
  return socket;
}

test('a streamed answer that the end of a drain cuts off ends in a reset, not in what looks like its end', async (t) => {
  const { handler, goOn } = halting();
  const server = await serve({ listeners: [{ bind: '127.0.0.1:0' }], handler });
  const socket = await begun(t, server, { port: server.listeners[0]?.address.port ?? 0 });
  const error = once(socket, 'error');
  const report = await server.drain({ graceMs: 1 });
  const [{ code }] = await error;
  assert.equal(code, 'ECONNRESET');
  assert.deepEqual([report.outcome, report.closed], ['forced', { 'drain-forced': 1 }]);
  goOn();
});

test('a streamed answer that fails on a unix socket, which knows no reset, closes it and nothing else', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-reset-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'a.sock');
  const { handler, goOn } = halting();
  const server = await serve({ listeners: [{ bind: `unix:${path}` }], handler });
  const socket = await begun(t, server, { path });
  goOn(new Error('the source broke'));
  await once(socket.resume(), 'close');
  assert.deepEqual(server.status().listeners[0]?.closed, { 'response-broken': 1 });
});

test('a connection that is cut off while its end is under way, behind bytes that the client does not take, is closed', async (t) => {
  const clock = new ManualClock();
  const limits = { writeStallTimeoutMs: 1000 };
  const handler = () => reply.bytes(Buffer.alloc(20_000_000));
  const server = await serve({ listeners: [{ bind: '127.0.0.1:0', limits }], handler, clock });
  t.after(() => server.close());
  const socket = createConnection({ port: server.listeners[0]?.address.port ?? 0, onread: deaf });
  t.after(() => socket.destroy());
  socket.on('error', () => undefined);
  socket.write('GET / HTTP/1.0\r\n\r\n');
  await eventually(() => server.status().requests.served === 1);
  for (let passedMs = 0; passedMs < 3000; passedMs += 250) {
    clock.advance(250);
    await turns(3);
  }
  await eventually(() => server.status().connections.total === 0);
  assert.deepEqual(server.status().listeners[0]?.closed, { 'write-stall': 1 });
});
