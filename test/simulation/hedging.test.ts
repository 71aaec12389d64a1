import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Measures, measure } from '../../simulate/measures.ts';
import { run } from '../../simulate/run.ts';
import { SCENARIOS } from '../../simulate/scenarios.ts';
import type { UpstreamOptions } from '../../src/upstream/options.ts';
import { chaos } from './chaos.ts';
import { Witness } from './witness.ts';

const HEDGE_AFTER_MS = 200;
/** As in HTTP/1.1, and as in HTTP/2. */
const WORLDS = [
  { seed: 1, streamMaxCount: 1 },
  { seed: 2, streamMaxCount: 20 },
];

interface Played {
  readonly measures: Measures;
  readonly witness: Witness;
}

/** What becomes of requests in a scenario, with these rules of retrying. */
async function play(name: string, world: (typeof WORLDS)[number], retry: UpstreamOptions['retry']): Promise<Played> {
  const scenario = name === 'chaos' ? chaos(world.seed, 30_000) : SCENARIOS.find((one) => one.name === name);
  assert.ok(scenario !== undefined);
  const witness = new Witness();
  const policy = { name: 'hedging', title: 'hedging', options: { retry: { ...retry } } };
  const played = await run(scenario, policy, world.seed, { ...world, watcher: witness });
  for (const [what, count] of Object.entries(played.leftovers)) assert.equal(count, 0, `${name}: ${what}`);
  return { measures: measure(played), witness };
}

test('with one slow server in four, hedges take the long waits away, and the budget pays for each of them', async () => {
  for (const world of WORLDS) {
    const budgetRatio = 0.5;
    const without = await play('slow-server', world, { budgetRatio });
    const { measures, witness } = await play('slow-server', world, { budgetRatio, hedgeAfterMs: HEDGE_AFTER_MS });
    const [beforeMs, afterMs] = [without.measures.faultP99Ms ?? 0, measures.faultP99Ms ?? 0];
    assert.ok(beforeMs > 1200 && afterMs < 2 * HEDGE_AFTER_MS, `p99 was ${beforeMs} ms and is ${afterMs} ms`);
    assert.ok(measures.errorCount < without.measures.errorCount / 2, `${measures.errorCount} failed`);
    assert.deepEqual([without.witness.atOnceMaxCount, witness.atOnceMaxCount], [1, 2]);
    // 10 attempts a second are allowed besides.
    assert.ok(measures.attemptsPerRequest <= 1 + budgetRatio + 10 / 120);
  }
});

test('hedges leave retries what these need: two of four servers fail and are slow, and no more requests fail for it', async () => {
  for (const world of WORLDS) {
    const without = await play('brown-out', world, {});
    const hedging = await play('brown-out', world, { hedgeAfterMs: HEDGE_AFTER_MS });
    assert.ok(hedging.witness.atOnceMaxCount === 2);
    const more = hedging.measures.errorCount - without.measures.errorCount;
    assert.ok(more <= without.measures.askedCount / 1000, `${more} more requests fail`);
  }
});

test('when everything is overloaded hedges make it no worse than the budget allows', async () => {
  for (const world of WORLDS) {
    const { measures, witness } = await play('overload', world, { hedgeAfterMs: HEDGE_AFTER_MS });
    assert.ok(witness.atOnceMaxCount <= 2);
    assert.ok(measures.attemptsPerRequest <= 1.2 + 10 / 120, `${measures.attemptsPerRequest}`);
  }
});

test('whatever becomes of the servers, no request is at more than two of them at a time, and nothing is left behind', async () => {
  for (let seed = 1; seed <= 6; seed += 1) {
    const retry = { hedgeAfterMs: 50, budgetRatio: 1, budgetMinPerSec: 100, attemptMaxCount: 6 };
    const { witness } = await play('chaos', { seed, streamMaxCount: seed % 2 === 0 ? 20 : 1 }, retry);
    assert.equal(witness.atOnceMaxCount, 2);
  }
});
