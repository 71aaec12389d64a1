import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../../src/core/failure.ts';
import type { ConcurrencyLimitOptions } from '../../../src/web/layers/concurrency-options.ts';
import { reply } from '../../../src/web/reply.ts';
import { Limited, type Sent, turn } from './places.ts';

async function* drip(): AsyncGenerator<string, void, undefined> {
  yield 'x';
}

/** What can happen to a request, and how time passes meanwhile. */
const MOVES = [
  'send',
  'send',
  'send',
  'whole',
  'stream',
  'sent',
  'long',
  'fail',
  'leave',
  'ignore',
  'timeout',
  'wait',
] as const;

const move = fc.record({ kind: fc.constantFrom(...MOVES), at: fc.nat(1000), client: fc.nat(3) });

const options: fc.Arbitrary<Partial<ConcurrencyLimitOptions>> = fc.record({
  requestMaxCount: fc.integer({ min: 1, max: 4 }),
  queueMaxCount: fc.constantFrom(3, 10),
  queueTimeoutMs: fc.constant(50),
  abandonMs: fc.constant(200),
  adaptive: fc.constantFrom(null, 'vegas', 'gradient'),
  tenant: fc.constantFrom(null, 'client-ip'),
  codel: fc.constantFrom(null, { targetMs: 5, intervalMs: 20 }),
});

async function make(sent: Sent | undefined, kind: (typeof MOVES)[number]): Promise<void> {
  if (kind === 'whole') await sent?.end();
  else if (kind === 'long') await sent?.end({ status: 101, takeover: () => undefined });
  else if (kind === 'stream') sent?.answer?.(reply.stream(drip()));
  else if (kind === 'sent') sent?.exchange.conclude();
  else if (kind === 'fail') sent?.fail?.(new Error('broken'));
  else if (kind === 'leave') await sent?.leave();
  else if (kind === 'ignore') await sent?.leave(false);
  else if (kind === 'timeout') sent?.exchange.abort(new Failure('handler-timeout'));
}

test('whatever happens, never more run than may, everybody is told, and in the end nothing is in flight, waits or ticks', async () => {
  await fc.assert(
    fc.asyncProperty(options, fc.array(move, { maxLength: 80 }), async (given, moves) => {
      const limited = new Limited(given);
      const all: Sent[] = [];
      for (const { kind, at, client } of moves) {
        if (kind === 'send') all.push(limited.send({ peer: { address: `192.0.2.${client}` } }));
        else if (kind === 'wait') limited.clock.advance(at % 60);
        else await make(all[at % Math.max(1, all.length)], kind);
        await turn();
        const { inFlightCount, limitCount, waitingCount } = limited.limit.status();
        assert.ok(inFlightCount <= (given.requestMaxCount ?? 0));
        assert.ok(waitingCount <= (given.queueMaxCount ?? 0));
        assert.ok(waitingCount === 0 || inFlightCount >= limitCount, 'nobody waits while there is room');
      }
      // Those who wait are out of time, and those who hang out of patience; the others end as they should.
      for (let round = 0; round < 2; round += 1)
        for (const sent of all) {
          await sent.end();
          await sent.leave();
        }
      limited.clock.advance(1000);
      await Promise.all(
        all.filter(({ outcome, answer }) => outcome !== null || answer === null).map((sent) => sent.settled),
      );
      assert.deepEqual([limited.counts, limited.clock.timerCount], [[0, 0], 0]);
    }),
    { numRuns: 60 },
  );
});
