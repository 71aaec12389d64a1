import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HEALTH_DEFAULTS, Health, type HealthOptions, type ProbeResult } from '../../src/policy/health.ts';

const OPTIONS: HealthOptions = {
  intervalMs: 5000,
  unhealthyIntervalMs: 1000,
  jitterRatio: 0,
  healthyCount: 2,
  unhealthyCount: 3,
  degradedLatencyMs: 200,
};

const health = (given: Partial<HealthOptions> = {}, random = 0.5): Health =>
  new Health({ ...OPTIONS, ...given }, () => random, 0);

/** The states after each of these probes, in a word each. */
const states = (it: Health, results: readonly ProbeResult[], latencyMs = 1): string =>
  results
    .map((result) => {
      it.observe(result, latencyMs, 0);
      return it.state;
    })
    .join(' ');

test('it is unknown until its first probe, and that decides', () => {
  assert.equal(health().state, 'unknown');
  assert.equal(states(health(), ['pass']), 'healthy');
  assert.equal(states(health(), ['fail']), 'unhealthy');
  assert.equal(states(health(), ['degraded']), 'degraded');
});

test('three failures in a row take it out, and two passes in a row bring it back', () => {
  const it = health();
  assert.equal(
    states(it, ['pass', 'fail', 'fail', 'pass', 'fail', 'fail', 'fail']),
    'healthy healthy healthy healthy healthy healthy unhealthy',
  );
  assert.equal(states(it, ['pass', 'fail', 'pass', 'pass']), 'unhealthy unhealthy unhealthy healthy');
});

test('it is degraded while it says so or takes too long, and fails from there as from healthy', () => {
  const it = health();
  assert.equal(states(it, ['pass', 'degraded', 'pass']), 'healthy degraded healthy');
  assert.equal(states(it, ['pass'], 200), 'degraded');
  assert.equal(states(it, ['fail', 'fail', 'fail']), 'degraded degraded unhealthy');
  assert.equal(states(it, ['degraded', 'degraded']), 'unhealthy degraded');
  assert.equal(states(health({ degradedLatencyMs: null }), ['pass'], 1e9), 'healthy');
});

test('observe says whether the state is another', () => {
  const it = health({ unhealthyCount: 1 });
  const changes = (['pass', 'pass', 'fail', 'fail', 'pass', 'pass'] as const).map((result) => it.observe(result, 1, 0));
  assert.deepEqual(changes, [true, false, true, false, false, true]);
});

test('the next probe is soon while it is unhealthy or about to change, and after the interval when all is well', () => {
  const it = health();
  assert.equal(it.nextProbeMs, 0);
  const next = (result: ProbeResult, nowMs: number): number => {
    it.observe(result, 1, nowMs);
    return it.nextProbeMs - nowMs;
  };
  assert.equal(next('pass', 10), 5000);
  assert.equal(next('fail', 5010), 1000);
  assert.equal(next('pass', 6010), 5000);
  for (const nowMs of [1e4, 2e4, 3e4]) assert.equal(next('fail', nowMs), 1000);
  assert.equal(next('pass', 3.6e7), 1000);
  assert.equal(next('pass', 3.6e7), 5000);
});

test('a faster interval that is longer than the other is that', () => {
  const it = health({ intervalMs: 500 });
  it.observe('fail', 1, 0);
  assert.equal(it.nextProbeMs, 500);
});

test('jitter makes an interval shorter by up to its share, never longer', () => {
  assert.equal(health({ jitterRatio: 0.2 }, 0.5).nextProbeMs, 100);
  const it = health({ jitterRatio: 0.2 }, 0.5);
  it.observe('pass', 1, 0);
  assert.equal(it.nextProbeMs, 4500);
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.boolean(), (random, passes) => {
      const probed = new Health(HEALTH_DEFAULTS, () => random, 0);
      probed.observe(passes ? 'pass' : 'fail', 1, 0);
      const intervalMs = passes ? HEALTH_DEFAULTS.intervalMs : HEALTH_DEFAULTS.unhealthyIntervalMs;
      assert.ok(probed.nextProbeMs <= intervalMs && probed.nextProbeMs > intervalMs * 0.8 - 1e-9);
    }),
  );
});

test('it is up exactly if the last change that enough probes in a row asked for was up', () => {
  const counts = fc.integer({ min: 1, max: 4 });
  fc.assert(
    fc.property(counts, counts, fc.array(fc.boolean(), { minLength: 1 }), (healthyCount, unhealthyCount, probes) => {
      const it = health({ healthyCount, unhealthyCount });
      let up = probes[0] ?? false;
      for (const [index, passed] of probes.entries()) {
        it.observe(passed ? 'pass' : 'fail', 1, 0);
        const needed = passed ? healthyCount : unhealthyCount;
        const row = probes.slice(0, index + 1).slice(-needed);
        if (row.length === needed && row.every((one) => one === passed)) up = passed;
        assert.equal(it.state, up ? 'healthy' : 'unhealthy');
      }
    }),
  );
});
