import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { measure } from '../../simulate/measures.ts';
import { DEFAULT_SEED } from '../../simulate/options.ts';
import { scenarioFigure } from '../../simulate/picture/scenario.ts';
import { POLICIES, type Policy } from '../../simulate/policies.ts';
import { type Run, run } from '../../simulate/run.ts';
import { SCENARIOS, type Scenario } from '../../simulate/scenarios.ts';
import type { WorldParts } from '../../simulate/world.ts';
import { BREAKER_DEFAULTS } from '../../src/policy/breaker.ts';
import { RETRY_BUDGET_DEFAULTS } from '../../src/policy/retry-budget.ts';
import { RETRY_DEFAULTS } from '../../src/upstream/retry.ts';
import { chaos } from './chaos.ts';
import { assertDrawn } from './found.ts';
import { Witness } from './witness.ts';

/** A seed, and how many requests a connection carries at once: as in HTTP/1.1, and as in HTTP/2. */
const WORLDS = [
  { seed: DEFAULT_SEED, streamMaxCount: 1 },
  { seed: 2, streamMaxCount: 20 },
];

/** In these there is always a server that is well, and those that are well can carry the load. */
const SURVIVABLE = ['outage-of-one', 'brown-out', 'flapping', 'partition', 'restart'];

/** Of these retries the servers notice little or nothing: the request was not taken, or not even delivered. */
const CHEAP = new Set([
  'upstream-stale',
  'upstream-refused',
  'upstream-connect',
  'upstream-connect-timeout',
  'upstream-tls',
]);

/** A run, and who has seen it. */
interface Watched {
  readonly name: string;
  readonly run: Run;
  readonly witness: Witness;
}

async function watch(
  scenario: Scenario,
  policy: Policy,
  world: WorldParts & { readonly seed: number },
): Promise<Watched> {
  const watcher = new Witness();
  const { seed, streamMaxCount } = world;
  const name = `${scenario.name}, ${policy.name}, seed ${seed}, ${streamMaxCount} at once`;
  return { name, run: await run(scenario, policy, seed, { ...world, watcher }), witness: watcher };
}

/** Every scenario under every policy. The tests look at the same runs. */
const everything: Watched[] = [];
for (const scenario of SCENARIOS) {
  for (const policy of POLICIES) {
    for (const world of WORLDS) everything.push(await watch(scenario, policy, world));
  }
}

const retrying = everything.filter(({ run }) => run.policy.options.retry !== undefined);
const breaking = everything.filter(({ run }) => run.policy.options.breaker !== undefined);

test('no retry storm: in any window servers are sent no more requests again than the budget has for those that came', () => {
  const { windowMs } = RETRY_BUDGET_DEFAULTS;
  const { budgetRatio, budgetMinPerSec } = RETRY_DEFAULTS;
  let judgedCount = 0;
  for (const { name, run } of retrying) {
    const { askedMs } = run.recording;
    const againMs = run.recording.retries.filter(({ code }) => !CHEAP.has(code)).map(({ atMs }) => atMs);
    judgedCount += againMs.length;
    const asked = { from: 0, until: 0 };
    let from = 0;
    for (const [index, atMs] of againMs.entries()) {
      while ((askedMs[asked.until] ?? Number.POSITIVE_INFINITY) <= atMs) asked.until += 1;
      while ((askedMs[asked.from] ?? 0) <= atMs - windowMs) asked.from += 1;
      while ((againMs[from] ?? 0) <= atMs - windowMs) from += 1;
      const allowedCount = budgetRatio * (asked.until - asked.from) + ((budgetMinPerSec ?? 0) * windowMs) / 1000;
      assert.ok(
        index + 1 - from <= allowedCount + 1e-6,
        `${name}: ${index + 1 - from} of ${allowedCount} at ${atMs} ms`,
      );
    }
  }
  assert.ok(judgedCount > 1000);
});

test('no storm of attempts either: a request is tried attemptMaxCount times at most, delivered or not', () => {
  for (const { name, run } of retrying) {
    const { attemptMaxCount = 0 } = run.policy.options.retry ?? {};
    assert.ok(measure(run).attemptsPerRequest <= attemptMaxCount, name);
  }
});

test('what one server does wrong, or a restart of all, no client sees, with the budgets that everybody has', () => {
  for (const { name, run } of retrying) {
    if (SURVIVABLE.includes(run.scenario.name)) assert.deepEqual([...run.recording.errors], [], name);
  }
});

test('a half-open breaker lets no more than trialCount requests through at a time, an open one none but those on their way', () => {
  for (const { name, witness } of breaking) {
    assert.ok(witness.trialMaxCount <= BREAKER_DEFAULTS.trialCount, `${name}: ${witness.trialMaxCount} trials`);
    assert.equal(witness.leakCount, 0, name);
  }
  assert.ok(breaking.some(({ witness }) => witness.trialMaxCount > 0));
});

test('no server is starved: after its fault it has its share again before the run is over', () => {
  for (const { name, run } of everything) {
    const { shareRecoverMs } = measure(run);
    if (SURVIVABLE.includes(run.scenario.name)) assert.notEqual(shareRecoverMs, null, name);
  }
});

test('after an outage of all servers the breakers come back within one open time and the jitter, and all together', () => {
  const { jitterRatio, openMs } = BREAKER_DEFAULTS;
  const outages = breaking.filter(({ run }) => run.scenario.name === 'outage-of-all');
  assert.ok(outages.length > 0);
  for (const { name, run } of outages) {
    const { recoverMs, shareRecoverMs } = measure(run);
    // What is measured is rounded up to a bin.
    const withinMs = openMs * (1 + 2 * jitterRatio) + run.recording.binMs;
    assert.ok(recoverMs !== null && recoverMs <= withinMs, `${name}: answers after ${recoverMs} ms`);
    assert.ok(shareRecoverMs !== null && shareRecoverMs <= withinMs, `${name}: even shares after ${shareRecoverMs} ms`);
  }
});

test('no request is at two servers at a time', () => {
  for (const { name, witness } of everything) assert.equal(witness.atOnceMaxCount, 1, name);
});

test('when the last client has gone nothing is left: no request, no connection, no timer', () => {
  for (const { name, run } of everything) {
    for (const [what, count] of Object.entries(run.leftovers)) assert.equal(count, 0, `${name}: ${what}`);
  }
});

test('no request is lost while a server can serve it, where as many retries are allowed as that takes', async () => {
  const retry: NonNullable<Policy['options']['retry']> = {
    attemptMaxCount: 6,
    budgetRatio: 1,
    budgetMinPerSec: 200,
    perTryTimeoutMs: 1000,
    on: ['connect', 'refused', 'reset', 'timeout', 502, 503, 504],
  };
  for (const policy of POLICIES) {
    for (let seed = 1; seed <= 8; seed += 1) {
      // As many requests come as one server alone can carry.
      const world = { seed, streamMaxCount: seed % 2 === 0 ? 20 : 1, requestsPerSec: 40, patienceMs: 20_000 };
      const { name, run } = await watch(
        chaos(seed, 30_000),
        { ...policy, options: { ...policy.options, retry } },
        world,
      );
      assert.deepEqual([...run.recording.errors], [], name);
    }
  }
});

test('several trials: a half-open breaker lets trialCount requests through, and no more', async () => {
  const [scenario, policy] = [SCENARIOS.find(({ name }) => name === 'outage-of-all'), POLICIES.at(-1)];
  assert.ok(scenario !== undefined && policy !== undefined);
  const options = { ...policy.options, breaker: { ...policy.options.breaker, trialCount: 3 } };
  const { witness } = await watch(scenario, { ...policy, options }, { seed: 1 });
  assert.equal(witness.trialMaxCount, 3);
});

test('the same seed gives the same run to the last number, another one gives another', async () => {
  const [scenario, policy] = [SCENARIOS.find(({ name }) => name === 'brown-out'), POLICIES.at(-1)];
  assert.ok(scenario !== undefined && policy !== undefined);
  const [one, again, other] = await Promise.all([7, 7, 8].map((seed) => run(scenario, policy, seed)));
  assert.ok(isDeepStrictEqual(one?.recording, again?.recording));
  assert.ok(!isDeepStrictEqual(one?.recording.askedMs, other?.recording.askedMs));
});

test('the pictures in docs/policies show the code as it is', () => {
  for (const scenario of SCENARIOS) {
    const runs = everything
      .map(({ run }) => run)
      .filter((run) => run.scenario === scenario && run.seed === DEFAULT_SEED);
    assertDrawn(scenarioFigure(scenario, runs));
  }
});
