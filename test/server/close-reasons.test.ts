import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Handler } from '../../src/core/handler.ts';
import { CLOSE_REASONS } from '../../src/core/runner.ts';
import type { Limits, ProtocolName } from '../../src/server/options.ts';
import { frame, PREFACE, ping, settings } from '../support/http2-frames.ts';
import { eventually, turns, type Wire } from '../support/wire.ts';
import { get, type Opened, opened } from './opened.ts';

/** How a connection comes to its end; `act` gets it after it was accepted. */
interface End {
  readonly reason: keyof typeof CLOSE_REASONS;
  readonly limits?: Partial<Limits>;
  readonly handler?: Handler;
  readonly protocols?: readonly ProtocolName[];
  readonly act: (wire: Wire, on: Opened) => Promise<unknown>;
}

async function* broken(): AsyncGenerator<string> {
  yield 'some';
  await turns(1);
  throw new Error('on purpose');
}

const upgrade: Handler = () => ({
  status: 101,
  headers: { upgrade: 'test' },
  takeover: (socket) => socket.on('error', () => undefined).end('bye'),
});

/** Lets time go on in steps, as the sweep sees it, until the server has closed the connection. */
async function wait(wire: Wire, { clock, server }: Opened): Promise<void> {
  for (let step = 0; step < 20 && server.status().connections.total > 0 && wire.ended === null; step += 1) {
    clock.advance(250);
    await turns(3);
  }
}

const ends: End[] = [
  { reason: 'client-closed', act: (wire) => wire.write(get('/')).response() },
  { reason: 'client-closed', act: async () => undefined },
  { reason: 'client-reset', act: async (wire) => wire.socket.resetAndDestroy() },
  { reason: 'keep-alive-off', act: (wire) => wire.write(get('/', 'connection: close\r\n')).response() },
  { reason: 'idle-timeout', limits: { idleTimeoutMs: 1000 }, act: wait },
  {
    reason: 'requests-exhausted',
    limits: { requestsPerConnectionMaxCount: 1 },
    act: (wire) => wire.write(get('/')).response(),
  },
  { reason: 'bad-request', act: (wire) => wire.write('nonsense\r\n\r\n').response() },
  {
    reason: 'request-timeout',
    limits: { headTimeoutMs: 500 },
    act: async (wire, on) => {
      await wire.segment('GET / HT');
      await eventually(() => on.server.status().connections.reading === 1);
      await turns(3);
      await wait(wire, on);
    },
  },
  {
    reason: 'write-stall',
    limits: { writeStallTimeoutMs: 1000 },
    handler: () => ({ status: 200, body: Buffer.alloc(16 * 1024 * 1024) }),
    act: async (wire, on) => {
      wire.socket.pause();
      wire.write(get('/'));
      await eventually(() => on.server.status().requests.served === 1);
      await wait(wire, on);
      wire.socket.resume();
    },
  },
  {
    reason: 'response-broken',
    handler: () => ({ status: 200, body: broken() }),
    act: (wire) => wire.write(get('/')).closed(),
  },
  {
    reason: 'protocol-error',
    protocols: ['h2'],
    act: (wire) => wire.write(Buffer.concat([PREFACE, settings(), frame(0, 0, 0)])).closed(),
  },
  {
    reason: 'enhance-your-calm',
    protocols: ['h2'],
    act: (wire) =>
      wire.write(Buffer.concat([PREFACE, settings(), ...Array.from({ length: 100 }, () => ping())])).closed(),
  },
  {
    reason: 'taken-over',
    handler: upgrade,
    act: (wire) => wire.write(get('/', 'connection: upgrade\r\nupgrade: test\r\n')).closed(),
  },
];

for (const { reason, limits = {}, protocols, handler = () => ({ status: 200 }), act } of ends) {
  test(`a connection ends with the reason ${reason}`, async (t) => {
    const on = await opened(t, handler, { listener: { limits, protocols } });
    const wire = await on.wire();
    await eventually(() => on.server.status().connections.total === 1);
    await act(wire, on);
    if (!wire.socket.destroyed) wire.socket.end();
    await eventually(() => on.server.status().connections.total === 0);
    assert.deepEqual(on.server.status().listeners[0]?.closed, { [reason]: 1 });
  });
}

test('a socket that fails in another way than by a reset ends with the reason socket-error', async (t) => {
  const error = Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' });
  const runner = {
    name: 'failing',
    run: ({ socket }: { socket: { destroy(error: Error): unknown } }) => void socket.destroy(error),
    refuse: () => undefined,
  };
  const { server, wire: open } = await opened(t, () => ({ status: 200 }), { listener: { runner } });
  await (await open()).closed();
  await eventually(() => server.status().connections.total === 0);
  assert.deepEqual(server.status().listeners[0]?.closed, { 'socket-error': 1 });
});

test('every reason is met by a test of the server', () => {
  const elsewhere = [
    'handshake-failed',
    'handshake-timeout',
    'handshake-refused',
    'drained-idle',
    'drained-raced',
    'drained-answered',
    'drain-forced',
    'server-closed',
    'socket-error',
    'reconciled',
  ];
  const met = new Set<string>([...ends.map(({ reason }) => reason), ...elsewhere]);
  assert.deepEqual(
    Object.keys(CLOSE_REASONS).filter((reason) => !met.has(reason)),
    [],
  );
});
