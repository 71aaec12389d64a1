import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Handler } from '../../src/core/handler.ts';
import { type Server, serve } from '../../src/server/serve.ts';
import { proxy } from '../../src/upstream/forward.ts';
import { upstream } from '../../src/upstream/group.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { eventually, Wire } from '../support/wire.ts';

const IMPORTANT = 'POST /important HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n';

/** A server of HTTP/2, and a proxy in front of it that sends it everything on one connection. */
interface Fronted {
  readonly clock: ManualClock;
  readonly origin: Server;
  /** Answers the important request, which runs meanwhile, and returns the status its client gets. */
  readonly finish: () => Promise<number>;
  readonly client: () => Promise<Wire>;
}

async function fronted(context: TestContext, handler: Handler): Promise<Fronted> {
  const clock = new ManualClock();
  const important = Promise.withResolvers<void>();
  const whole: Handler = async (request) => {
    if (request.path !== '/important') return handler(request);
    await important.promise;
    return { status: 200 };
  };
  const origin = await serve({
    listeners: [{ bind: '127.0.0.1:0', protocols: ['h2'] }],
    handler: Object.assign(whole, { bodyMode: 'manual' as const }),
    clock,
  });
  const group = upstream({
    endpoints: [`http://127.0.0.1:${origin.listeners[0]?.address.port}`],
    protocol: 'h2',
  });
  const front = await serve({ listeners: [{ bind: '127.0.0.1:0' }], handler: proxy(group) });
  const port = front.listeners[0]?.address.port ?? 0;
  context.after(async () => {
    await front.close();
    group.close();
    await origin.close();
  });
  const waiting = (await Wire.open(port)).write(IMPORTANT);
  await eventually(() => origin.status().requests.inFlight === 1);
  return {
    clock,
    origin,
    client: () => Wire.open(port),
    finish: async () => {
      important.resolve();
      const { status } = await waiting.response();
      waiting.socket.destroy();
      return status;
    },
  };
}

test('clients of a proxy that go away do no harm to those that stay, though all share one connection', async (context) => {
  const { clock, origin, client, finish } = await fronted(
    context,
    ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve({ status: 503 }))),
  );
  for (let round = 0; round < 8; round += 1) {
    const wires = await Promise.all(Array.from({ length: 60 }, () => client()));
    for (const wire of wires) wire.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await eventually(() => origin.status().requests.inFlight === 61);
    clock.advance(60);
    for (const { socket } of wires) socket.resetAndDestroy();
    await eventually(() => origin.status().requests.inFlight === 1);
  }
  assert.equal(await finish(), 200);
  assert.equal(origin.status().connections.total, 1);
  assert.deepEqual(origin.status().listeners[0]?.closed, {});
});

test('uploads that are answered before their end do no harm to what shares their connection', async (context) => {
  const { origin, client, finish } = await fronted(context, () => ({ status: 401 }));
  for (let round = 0; round < 8; round += 1) {
    const wires = await Promise.all(Array.from({ length: 60 }, () => client()));
    const statuses = await Promise.all(
      wires.map(async (wire) => {
        const text = 'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\na\r\nfirst part\r\n';
        const { status } = await wire.write(text).response();
        wire.socket.destroy();
        return status;
      }),
    );
    assert.deepEqual(new Set(statuses), new Set([401]));
  }
  assert.equal(await finish(), 200);
  assert.deepEqual(origin.status().listeners[0]?.closed, {});
});
