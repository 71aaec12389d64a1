import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantile } from '../../simulate/measures.ts';
import type { Pass, RouteRun } from '../../simulate/route.ts';
import * as codel from '../../simulate/studies/codel.ts';
import * as concurrency from '../../simulate/studies/concurrency-limit.ts';
import * as fair from '../../simulate/studies/fair-queue.ts';
import * as shedding from '../../simulate/studies/load-shedding.ts';
import * as rate from '../../simulate/studies/rate-limit.ts';
import { total } from '../../simulate/studies/series.ts';
import { CODEL_DEFAULTS } from '../../src/policy/codel.ts';
import { LOOP_PRESSURE_DEFAULTS } from '../../src/policy/shedding.ts';
import { found } from './found.ts';

const rates = await found(rate.rateLimitStudy);
const limits = await found(concurrency.concurrencyLimitStudy);
const codels = await found(codel.codelStudy);
const queues = await found(fair.fairQueueStudy);
const processes = await found(shedding.loadSheddingStudy);

/** Of all windows from one pass to another, the most that came through beyond what this allows. */
function worstExcess(passes: readonly Pass[], allowed: (windowMs: number) => number): number {
  let worst = Number.NEGATIVE_INFINITY;
  for (const [from, first] of passes.entries()) {
    for (let until = from; until < passes.length; until += 1) {
      const windowMs = (passes[until]?.atMs ?? 0) - first.atMs;
      worst = Math.max(worst, until + 1 - from - allowed(windowMs));
    }
  }
  return worst;
}

test('rate-limit: a token bucket lets burst + rate × T through in any time T, and no more', () => {
  const [bucket, leaky, sliding] = rates;
  assert.ok(bucket !== undefined && leaky !== undefined && sliding !== undefined);
  const perMs = rate.RATE_PER_SEC / 1000;
  const excess = worstExcess(bucket.passes, (windowMs) => rate.BURST_COUNT + perMs * windowMs);
  assert.ok(excess <= 1e-6 && excess > -2, `token bucket: ${excess}`);
  // Even: never two closer than the rate says, but waits that are as long as the queue.
  assert.ok(worstExcess(leaky.passes, (windowMs) => 1 + perMs * windowMs) <= 0.01);
  assert.ok(leaky.passes.every(({ waitMs }) => waitMs <= rate.BURST_COUNT / perMs + 1e-6));
  const windowCount = perMs * rate.WINDOW_MS;
  assert.ok(worstExcess(sliding.passes, (windowMs) => windowCount + perMs * windowMs) <= 1e-6);
});

test('concurrency-limit: with a limit the server goes on answering in time; without one it answers nobody', () => {
  const [unlimited, ...limited] = limits;
  assert.ok(unlimited !== undefined);
  const goodPerSec = ({ recordings }: RouteRun, fromMs: number, untilMs: number): number => {
    const [bins = []] = [...recordings.values()].map((recording) => recording.bins);
    const some = bins.slice(fromMs / concurrency.BIN_MS, untilMs / concurrency.BIN_MS);
    return total(some, (bin) => bin.goodCount) / some.length;
  };
  const [rushMs, slowMs] = [concurrency.RUSH_MS + 3000, concurrency.SLOW_MS];
  assert.equal(goodPerSec(unlimited, rushMs, slowMs), 0);
  for (const run of limited) {
    assert.ok(goodPerSec(run, rushMs, slowMs) > 180, `${run.title}: ${goodPerSec(run, rushMs, slowMs)} of 200`);
    const whileSlow = goodPerSec(run, slowMs, concurrency.LULL_MS);
    assert.ok(whileSlow > 65, `${run.title}: ${whileSlow} of 100`);
  }
});

test('concurrency-limit: a lull leaves an adaptive limit as it is, and what comes after it is served', () => {
  for (const { gauges, recordings, title } of limits.slice(2)) {
    const at = (ms: number): number => gauges[ms / concurrency.BIN_MS] ?? 0;
    // What was under way when it began has still been at the limit.
    assert.equal(at(concurrency.RETURN_MS - 1000), at(concurrency.LULL_MS + 2000), title);
    assert.ok(at(concurrency.RETURN_MS - 1000) >= at(concurrency.LULL_MS - 1000), title);
    const [bins = []] = [...recordings.values()].map((recording) => recording.bins);
    const after = bins.slice(concurrency.RETURN_MS / concurrency.BIN_MS);
    const ratio = total(after, (bin) => bin.goodCount) / total(after, (bin) => bin.askedCount);
    assert.ok(ratio > 0.95, `${title}: ${ratio}`);
  }
});

test('codel: a burst is served whole; a queue that stands is kept short', () => {
  const waitsMs = codels.map(({ passes, recordings, title }) => {
    const [bins = []] = [...recordings.values()].map((recording) => recording.bins);
    const before = bins.slice(0, codel.OVERLOAD_MS / codel.BIN_MS);
    assert.equal(
      total(before, (bin) => bin.errorCount),
      0,
      title,
    );
    return passes.filter(({ atMs }) => atMs >= codel.OVERLOAD_MS && atMs < codel.CALM_MS).map(({ waitMs }) => waitMs);
  });
  const medians = waitsMs.map((ms) => quantile(ms, 0.5) ?? 0);
  const [none = 0, paced = 0, deadline = 0] = medians;
  assert.ok(none > 900 && paced < none && deadline <= 2 * CODEL_DEFAULTS.targetMs + 5, medians.join(', '));
  assert.ok(Math.max(...(waitsMs[2] ?? [])) < 2 * CODEL_DEFAULTS.intervalMs);
});

test('fair-queue: while one tenant floods the others are served, and wait little', () => {
  const [first, tenants] = queues;
  assert.ok(first !== undefined && tenants !== undefined);
  for (const polite of ['a', 'b']) {
    assert.ok(fair.servedRatio(first, polite) < 0.5);
    assert.equal(fair.servedRatio(tenants, polite), 1);
    assert.ok(Math.max(...fair.floodWaitsMs(tenants, polite)) < 150);
  }
});

test('load-shedding: the delay of the loop stays below delayMaxMs, and what is important is served', () => {
  const [without, sheds] = processes;
  assert.ok(without !== undefined && sheds !== undefined);
  const [low = 0, normal = 0, high = 0] = (['low', 'normal', 'high'] as const).map((name) =>
    shedding.servedRatio(sheds, name),
  );
  assert.ok(high > 0.97 && normal < high && low < normal && low < 0.1, `${high}, ${normal}, ${low}`);
  assert.ok(shedding.servedRatio(without, 'high') < 0.3);
  assert.ok(Math.max(...sheds.delaysMs) < LOOP_PRESSURE_DEFAULTS.delayMaxMs);
  assert.ok(Math.max(...without.delaysMs) > 5000);
});
