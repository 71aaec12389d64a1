import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../src/core/failure.ts';
import { createBalancer } from '../../src/policy/balance/balancer.ts';
import { HEALTH_DEFAULTS } from '../../src/policy/health.ts';
import { OUTLIER_DEFAULTS } from '../../src/policy/outlier.ts';
import { SLOW_START_DEFAULTS } from '../../src/policy/slow-start.ts';
import { SPILL_DEFAULTS, type SpillOptions } from '../../src/policy/tiers.ts';
import { Endpoint, type EndpointTraits } from '../../src/upstream/endpoint.ts';
import { endpointAddress } from '../../src/upstream/endpoint-address.ts';
import { TRAIT_DEFAULTS } from '../../src/upstream/endpoint-source.ts';
import { Roster } from '../../src/upstream/roster.ts';
import { Judge, Standing } from '../../src/upstream/standing.ts';
import { Warmth } from '../../src/upstream/warmth.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { NO_JUDGEMENT } from './memory.ts';

/** A roster of endpoints `a`, `b`, `c`…, by what is said of them; none of them is ever connected to. */
class Called {
  readonly clock = new ManualClock();
  readonly roster: Roster;
  readonly endpoints: Endpoint[] = [];
  private readonly judge: Judge;
  private drawn = 0;

  constructor(
    said: readonly Partial<EndpointTraits>[],
    spill: Partial<SpillOptions> = {},
    zone = '',
    policy = 'round-robin' as 'round-robin' | 'hash' | 'weighted-round-robin',
  ) {
    const passive = { ...OUTLIER_DEFAULTS, failureCount: 1, ejectMs: 1e9, ejectMaxMs: 1e9, ejectedMaxRatio: 1 };
    const active = { ...HEALTH_DEFAULTS, healthyCount: 1, unhealthyCount: 1, unknownTakesRequests: true };
    this.judge = new Judge({ ...NO_JUDGEMENT, passive, active }, this.clock, () => 0);
    // Evenly over [0, 1), so that shares come out as they are.
    const random = (): number => {
      this.drawn += 1;
      return (this.drawn * 0.618_033_988_749_895) % 1;
    };
    const newBalancer = () => createBalancer<Endpoint>(policy);
    this.roster = new Roster({ newBalancer, spill: { ...SPILL_DEFAULTS, ...spill }, zone, random });
    for (const traits of said) this.add(traits);
  }

  add(traits: Partial<EndpointTraits> = {}): Endpoint {
    const address = endpointAddress(`http://${String.fromCharCode(97 + this.endpoints.length)}`);
    const observer = { onRank: () => this.roster.review(), onBreaker() {}, onEject() {} };
    const standing = new Standing(this.judge, observer);
    const endpoint = new Endpoint(address, null, false, { ...TRAIT_DEFAULTS, ...traits }, standing);
    this.endpoints.push(endpoint);
    this.roster.add(endpoint);
    return endpoint;
  }

  /** These fail, and are out. */
  fail(names: string): void {
    for (const name of names) this.named(name).standing.begin()?.answered(500);
  }

  named(name: string): Endpoint {
    const endpoint = this.endpoints[name.charCodeAt(0) - 97];
    if (endpoint === undefined) throw new Error(name);
    return endpoint;
  }

  /** How a hundred requests are shared, in per cent. */
  shares(key: number | null = null, usable: (endpoint: Endpoint) => boolean = () => true): Record<string, number> {
    const shares: Record<string, number> = {};
    for (let index = 0; index < 100; index += 1) {
      const endpoint = this.roster.pick(usable, key);
      const name = endpoint === null ? 'nobody' : endpoint.address.authority;
      shares[name] = (shares[name] ?? 0) + 1;
    }
    return shares;
  }
}

/** Within two per cent. */
function assertShares(actual: Readonly<Record<string, number>>, expected: Readonly<Record<string, number>>): void {
  assert.deepEqual(Object.keys(actual).toSorted(), Object.keys(expected).toSorted());
  for (const [name, share] of Object.entries(expected)) {
    assert.ok(Math.abs((actual[name] ?? 0) - share) <= 2, `${name}: ${actual[name]} instead of ${share}`);
  }
}

test('the first tier takes everything while it can, and what it cannot carry spills over to the next', () => {
  const it = new Called([{}, {}, {}, {}, { priority: 1 }, { priority: 1 }]);
  assertShares(it.shares(), { a: 25, b: 25, c: 25, d: 25 });
  it.fail('a');
  // Three quarters, with 40 % to spare, carry everything.
  assertShares(it.shares(), { b: 33, c: 33, d: 33 });
  it.fail('b');
  // One half carries 70 %.
  assertShares(it.shares(), { c: 35, d: 35, e: 15, f: 15 });
  it.fail('cd');
  assertShares(it.shares(), { e: 50, f: 50 });
});

test('who is asked again in a panic are all of a tier, not only the few that stand well', () => {
  const it = new Called([{}, {}, {}, {}]);
  it.fail('abc');
  assertShares(it.shares(), { a: 25, b: 25, c: 25, d: 25 });
  const calm = new Called([{}, {}, {}, {}], { panicRatio: null });
  calm.fail('abc');
  assertShares(calm.shares(), { d: 100 });
  // Passively never all are out.
  calm.named('d').standing.health?.observe('fail', 0, 0);
  calm.named('d').standing.review(0);
  assertShares(calm.shares(), { nobody: 100 });
});

test('requests stay in their zone while that can carry them', () => {
  const it = new Called([{ zone: 'x' }, { zone: 'x' }, { zone: 'y' }, { zone: 'y' }], {}, 'x');
  assertShares(it.shares(), { a: 50, b: 50 });
  it.fail('a');
  assertShares(it.shares(), { b: 70, c: 15, d: 15 });
  const stranger = new Called([{ zone: 'x' }, { zone: 'x' }, { zone: 'x' }, { zone: 'y' }], {}, 'z');
  assertShares(stranger.shares(), { a: 25, b: 25, c: 25, d: 25 });
});

test('where nobody of the drawn tier or zone is usable, another one is asked', () => {
  const it = new Called([{ zone: 'x' }, { zone: 'y' }, { priority: 1 }], {}, 'x');
  assertShares(
    it.shares(null, ({ id }) => id !== 'http://a'),
    { b: 100 },
  );
  assertShares(
    it.shares(null, ({ id }) => id === 'http://c'),
    { c: 100 },
  );
});

test('what is pinned by a key stays at one endpoint, also while traffic spills over', () => {
  const said = [{ zone: 'x' }, { zone: 'x' }, { zone: 'y' }, { priority: 1 }];
  const it = new Called(said, { spareRatio: 0 }, 'x', 'hash');
  it.fail('a');
  const homes = new Set<string>();
  for (let key = 1; key < 200; key += 1) {
    const [home = '', ...others] = Object.keys(it.shares(key * 2_654_435_761));
    assert.deepEqual(others, []);
    homes.add(home);
  }
  assert.deepEqual([...homes].toSorted(), ['b', 'c', 'd']);
});

test('who is degraded is asked when nobody of the zone stands well', () => {
  const it = new Called([{}, {}]);
  it.named('a').standing.health?.observe('degraded', 0, 0);
  it.named('a').standing.review(0);
  assertShares(it.shares(), { b: 100 });
  it.named('b').standing.begin()?.failed(new Failure('upstream-invalid'));
  assertShares(it.shares(), { a: 100 });
});

test('an endpoint that leaves takes no part, and one that has come does', () => {
  const it = new Called([{}, {}]);
  it.roster.leave(it.named('a'));
  assertShares(it.shares(), { b: 100 });
  it.add({ priority: 1 });
  it.add();
  assertShares(it.shares(), { b: 50, d: 50 });
  it.named('d').traits = { ...TRAIT_DEFAULTS, priority: 2 };
  it.roster.review();
  assertShares(it.shares(), { b: 100 });
});

test('an endpoint that warms up has its share step by step, and the timer stops with the last one', () => {
  const it = new Called([{}], {}, '', 'weighted-round-robin');
  const warmth = new Warmth(it.roster, { ...SLOW_START_DEFAULTS, windowMs: 10_000 }, it.clock);
  const late = it.add({ weight: 2 });
  warmth.begin(late);
  assert.equal(late.weight, 0.2);
  it.clock.advance(5000);
  assert.equal(late.weight, 1);
  assertShares(it.shares(), { a: 50, b: 50 });
  late.traits = { ...late.traits, weight: 4 };
  late.weight = 4;
  warmth.reweigh(late);
  assert.equal(late.weight, 2);
  it.clock.advance(5000);
  assert.equal(late.weight, 4);
  assertShares(it.shares(), { a: 20, b: 80 });
  assert.equal(it.clock.timerCount, 0);
  warmth.begin(late);
  warmth.leave(late);
  it.clock.advance(500);
  assert.equal(it.clock.timerCount, 0);
});
