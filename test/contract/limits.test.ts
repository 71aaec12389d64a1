import assert from 'node:assert/strict';
import { stack } from '../../src/core/handler.ts';
import type { HttpResponse } from '../../src/core/message.ts';
import { concurrencyLimit } from '../../src/web/layers/concurrency-limit.ts';
import { rateLimit } from '../../src/web/layers/rate-limit.ts';
import { timeout } from '../../src/web/layers/timeout.ts';
import { reply } from '../../src/web/reply.ts';
import { eventually } from '../support/wire.ts';
import { contract } from './served.ts';

/** A body that goes on for as long as somebody takes it. */
async function* endless(): AsyncGenerator<Uint8Array, void, undefined> {
  const piece = Buffer.alloc(65_536);
  for (;;) yield piece;
}

contract('whatever ends a request, its place is free again', async (served) => {
  const limit = concurrencyLimit({
    requestMaxCount: 1,
    queueMaxCount: 10,
    queueTimeoutMs: 60_000,
    clock: served.clock,
  });
  const idle = (): Promise<void> => eventually(() => limit.status().inFlightCount === 0, 'the place is free');
  const stopping = (request: { onAbort(listener: (error: Error) => void): void }): Promise<HttpResponse> =>
    new Promise((_, reject) => request.onAbort(reject));
  const slow = stack(timeout({ totalMs: 500, clock: served.clock }), limit)(stopping);
  const others = limit((request) => {
    if (request.path === '/whole') return reply.text('whole');
    if (request.path === '/later') return Promise.resolve(reply.text('later'));
    if (request.path === '/endless') return reply.stream(endless());
    if (request.path === '/throws') throw new Error('broken');
    return stopping(request);
  });
  await served.serve((request) => (request.path === '/slow' ? slow(request) : others(request)));

  assert.deepEqual(await served.answer({ path: '/whole' }), [200, 'whole']);
  assert.deepEqual(await served.answer({ path: '/later' }), [200, 'later']);
  assert.equal((await served.answer({ path: '/throws' }))[0], 500);
  await idle();

  const leaves = served.ask({ path: '/hangs' });
  await eventually(() => limit.status().inFlightCount === 1);
  const [waits, gives] = [served.ask({ path: '/whole' }), served.ask({ path: '/whole' })];
  await eventually(() => limit.status().waitingCount === 2);
  gives.abort();
  await assert.rejects(gives.head());
  await eventually(() => limit.status().waitingCount === 1);
  leaves.abort();
  await assert.rejects(leaves.head());
  assert.equal(await waits.text(), 'whole');
  await idle();

  const endlessly = served.ask({ path: '/endless' });
  await endlessly.head();
  assert.equal(limit.status().inFlightCount, 1);
  endlessly.abort();
  await idle();

  const late = served.ask({ path: '/slow' });
  await eventually(() => limit.status().inFlightCount === 1);
  served.clock.advance(500);
  assert.equal((await late.head()).status, 504);
  await idle();
});

contract(
  'the end of a drain’s grace frees the places of those who run, and ends the wait of the others',
  async (served) => {
    const limit = concurrencyLimit({
      requestMaxCount: 1,
      queueTimeoutMs: 600_000,
      abandonMs: 1000,
      clock: served.clock,
    });
    const handler = limit(() => new Promise<HttpResponse>(() => {}));
    await served.serve(handler, { drain: { graceMs: 3000 } });
    const all = [served.ask(), served.ask()];
    await eventually(() => limit.status().waitingCount === 1);
    const heads = Promise.allSettled(all.map((asked) => asked.head()));
    const report = await served.drained(served.server.drain());
    assert.equal(report.outcome, 'forced');
    await heads;
    assert.equal(limit.status().waitingCount, 0);
    served.clock.advance(1000);
    assert.equal(limit.status().inFlightCount, 0);
  },
);

contract('who is over a rate is told so without his body having been read, and may go on', async (served) => {
  const handler = rateLimit({ requestsPerSec: 1, burstCount: 1, clock: served.clock })(async (request) =>
    reply.text(await request.text()),
  );
  await served.serve(handler);
  assert.deepEqual(await served.answer({ method: 'POST', body: 'hello' }), [200, 'hello']);
  const refused = served.ask({ method: 'POST', body: 'again' });
  const { status, headers } = await refused.head();
  assert.equal(status, 429);
  assert.equal(headers['retry-after'], '1');
  assert.equal(headers.ratelimit, '"default";r=0;t=1');
  assert.equal(await refused.text(), 'Too many requests (RFC 6585 §4).\n'.replace('§', '\u00c2\u00a7'));
  served.clock.advance(1000);
  assert.deepEqual(await served.answer({ method: 'POST', body: 'hello' }), [200, 'hello']);
});
