import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { measure } from '../../simulate/measures.ts';
import type { Run } from '../../simulate/run.ts';
import * as balancing from '../../simulate/studies/balancing.ts';
import * as breaker from '../../simulate/studies/breaker.ts';
import * as discovery from '../../simulate/studies/discovery.ts';
import * as health from '../../simulate/studies/health.ts';
import * as hedging from '../../simulate/studies/hedging.ts';
import * as outliers from '../../simulate/studies/outliers.ts';
import * as retries from '../../simulate/studies/retries.ts';
import * as slowStart from '../../simulate/studies/slow-start.ts';
import { STUDIES } from '../../simulate/studies/studies.ts';
import { HEALTH_DEFAULTS } from '../../src/policy/health.ts';
import { OUTLIER_DEFAULTS } from '../../src/policy/outlier.ts';
import { SLOW_START_DEFAULTS } from '../../src/policy/slow-start.ts';
import { found } from './found.ts';

const balanced = await found(balancing.balancingStudy);
const broken = await found(breaker.breakerStudy);
const discovered = await found(discovery.discoveryStudy);
const probed = await found(health.healthStudy);
const hedged = await found(hedging.hedgingStudy);
const ejected = await found(outliers.outliersStudy);
const retried = await found(retries.retriesStudy);
const started = await found(slowStart.slowStartStudy);

test('each policy has a page, and each page but that of the simulation a study', () => {
  const pages = readdirSync(join(import.meta.dirname, '../../docs/policies')).filter((name) => name.endsWith('.md'));
  const names = pages.map((name) => name.replace('.md', '')).filter((name) => !['README', 'simulation'].includes(name));
  assert.deepEqual(STUDIES.map(({ name }) => name).toSorted(), names.toSorted());
});

test('when the last client has gone nothing is left, whatever was studied', () => {
  const runs: Run[] = [...balanced.runs, ...ejected, ...hedged, ...retried, ...started, discovered.run];
  for (const { run } of [...broken, ...probed]) runs.push(run);
  for (const { leftovers, policy } of runs) {
    for (const [what, count] of Object.entries(leftovers)) assert.equal(count, 0, `${policy.title}: ${what}`);
  }
});

test('balancing: what heeds weights shares by them, and what heeds load or latency spares the slow server', () => {
  const due = balancing.WEIGHTS.map((weight) => weight / 5);
  const shares = new Map(balanced.runs.map((run) => [run.policy.name, balancing.shareOut(run)]));
  const near = (policy: string, wanted: readonly number[], within: number): void => {
    for (const [server, share] of (shares.get(policy) ?? []).entries()) {
      const wantedShare = wanted[server] ?? 0;
      assert.ok(Math.abs(share - wantedShare) <= within, `${policy}, #${server + 1}: ${share} for ${wantedShare}`);
    }
  };
  near('round-robin', [0.25, 0.25, 0.25, 0.25], 0.005);
  near('weighted-round-robin', due, 0.005);
  near('random', due, 0.03);
  near('hash', due, 0.04);
  for (const policy of ['least-loaded', 'weighted-least-loaded', 'power-of-two']) {
    assert.ok((shares.get(policy)?.[3] ?? 1) < 0.15, policy);
  }
});

test('balancing: a ring moves no key of a server that stays; maglev few, and is more even', () => {
  const [ring, maglev] = balanced.moves.map(balancing.counted);
  assert.ok(ring !== undefined && maglev !== undefined);
  assert.equal(ring.needlessCount, 0);
  assert.ok(maglev.needlessCount < balancing.KEY_COUNT / 200);
  const spread = ({ had }: { readonly had: readonly number[] }): number => Math.max(...had) - Math.min(...had);
  assert.ok(spread(maglev) < spread(ring));
});

test('breaker: while it is open a server gets trials and nothing else, each after a longer wait', () => {
  const [without, withBreaker] = broken;
  assert.ok(without !== undefined && withBreaker !== undefined);
  const { changes } = withBreaker.run.recording;
  const openedMs = changes.find(({ server, state }) => server === 0 && state === 'open')?.atMs ?? 0;
  const closedMs = changes.find(({ atMs, server, state }) => server === 0 && state === 'well' && atMs > openedMs)?.atMs;
  assert.ok(openedMs > breaker.FAULT_MS && closedMs !== undefined && closedMs > breaker.WELL_MS);
  const { sentMs, trialsMs } = withBreaker;
  const lastMs = trialsMs.at(-1) ?? 0;
  assert.ok(lastMs > breaker.WELL_MS && lastMs < closedMs);
  assert.deepEqual(
    sentMs.filter((ms) => ms > openedMs && ms <= lastMs),
    trialsMs,
  );
  const waitsMs = trialsMs.map((ms, trial) => ms - (trialsMs[trial - 1] ?? openedMs));
  for (const [trial, waitMs] of waitsMs.entries()) {
    // A fifth is jitter, and the trial is the next request that comes.
    const openMs = Math.min(breaker.OPEN_MAX_MS, breaker.OPEN_MS * 2 ** trial);
    assert.ok(waitMs > openMs - breaker.LOOK_MS && waitMs < 1.25 * openMs + 200, `trial ${trial}: ${waitMs}`);
  }
  assert.ok(measure(withBreaker.run).errorCount < measure(without.run).errorCount / 3);
});

test('discovery: no request is lost whatever name servers say; a failure and an answer without addresses change nothing', () => {
  const { recording } = discovered.run;
  assert.deepEqual([...recording.errors], []);
  for (const [index, { atMs, servers }] of discovery.ANSWERS.entries()) {
    const untilMs = discovery.ANSWERS[index + 1]?.atMs ?? discovery.DURATION_MS;
    const isAnswer = servers !== 'failure' && servers.length > 0;
    const expected = isAnswer ? servers : discovery.ANSWERS[index - 1]?.servers;
    // From the next look-up on; the one after a failure may be as late as `refreshMs`.
    const bins = recording.bins.slice((atMs + 5500) / recording.binMs, untilMs / recording.binMs);
    const asked = [0, 1, 2, 3].filter((server) => bins.some(({ shares }) => (shares[server] ?? 0) > 0));
    assert.deepEqual(asked, expected, `from ${atMs} ms`);
  }
});

test('health: a server that hangs gets no request after unhealthyCount probes, until healthyCount have passed', () => {
  const [without, withProbes] = probed;
  assert.ok(without !== undefined && withProbes !== undefined);
  const [badMs, wellMs] = health.noticedMs(withProbes);
  assert.ok(badMs !== null && wellMs !== null);
  const probes = (fromMs: number, untilMs: number): number =>
    withProbes.probedMs.filter((ms) => ms >= fromMs && ms < untilMs).length;
  assert.equal(probes(health.HUNG_MS, badMs - health.PROBES.timeoutMs / 2), HEALTH_DEFAULTS.unhealthyCount);
  assert.equal(probes(health.WELL_MS, wellMs), HEALTH_DEFAULTS.healthyCount);
  assert.equal(withProbes.sentMs.filter((ms) => ms > badMs && ms < wellMs - health.LOOK_MS).length, 0);
  assert.ok(without.sentMs.filter((ms) => ms > badMs && ms < wellMs).length > 300);
});

test('outliers: each ejection is longer than the one before, and half of the servers are left, whoever fails', () => {
  const [, withEjection] = ejected;
  assert.ok(withEjection !== undefined);
  const { changes } = withEjection.recording;
  const first = outliers.ejectionsMs(changes, 0).slice(0, 3);
  // Seen by looks, and ended by those of the upstream, of which there are four a second.
  for (const [index, ms] of first.entries()) {
    assert.ok(Math.abs(ms - outliers.EJECT_MS * (index + 1)) < 350, `ejection ${index}: ${ms}`);
  }
  assert.equal(first.length, 3);
  assert.equal(outliers.ejectedMaxCount(changes), outliers.SERVER_COUNT * OUTLIER_DEFAULTS.ejectedMaxRatio);
});

test('retries: what fails now and then nobody sees; what always fails gets no more attempts than the budget has', () => {
  const [nothing, unbounded, budgeted] = retried.map(({ recording }) => recording);
  assert.ok(nothing !== undefined && unbounded !== undefined && budgeted !== undefined);
  const some = budgeted.bins.slice(retries.SOME_MS / retries.BIN_MS, retries.SOME_UNTIL_MS / retries.BIN_MS);
  const [asked, good] = [some.map((bin) => bin.askedCount), some.map((bin) => bin.goodCount)];
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
  assert.ok(sum(good) / sum(asked) > 0.995);
  const each = [nothing, unbounded, budgeted].map((recording) =>
    retries.attemptsEach(recording, retries.ALL_MS, retries.ALL_UNTIL_MS),
  );
  assert.ok(each[0] === 1 && each[1] === 3 && (each[2] ?? 3) < 1.5, each.join(', '));
  // What was allowed when it was spent may be a little more than now.
  for (const { allowedCount, spentCount } of retries.budget(budgeted)) assert.ok(spentCount <= 1.05 * allowedCount);
});

test('slow-start: a cold server begins with a tenth of its share, and has all of it after the window; nobody sees an error', () => {
  const [without, withSlowStart] = started;
  assert.ok(without !== undefined && withSlowStart !== undefined);
  const joined = slowStart.JOIN_MS / withSlowStart.recording.binMs;
  const shares = slowStart.newShares(withSlowStart.recording).slice(joined);
  const windowCount = slowStart.WINDOW_MS / withSlowStart.recording.binMs;
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  // A tenth of its weight beside three whole ones.
  const least = SLOW_START_DEFAULTS.minRatio / (3 + SLOW_START_DEFAULTS.minRatio);
  assert.ok(Math.abs(mean(shares.slice(0, 2)) - least) < 0.02, `${mean(shares.slice(0, 2))}`);
  assert.ok(Math.abs(mean(shares.slice(windowCount)) - 0.25) < 0.005);
  assert.ok(mean(shares.slice(0, windowCount / 2)) < mean(shares.slice(windowCount / 2, windowCount)));
  assert.deepEqual([...withSlowStart.recording.errors], []);
  assert.ok(measure(without).errorCount > 100);
});

test('hedging: what a slow server would hold up is answered by others, for as many attempts as the budget has', () => {
  const [without, some, more] = hedged.map(hedging.slowTime);
  assert.ok(without !== undefined && some !== undefined && more !== undefined);
  assert.ok(without.errorCount > 300 && (without.p99Ms ?? 0) > 2000);
  assert.ok(some.errorCount < without.errorCount / 3);
  // Half of what a budget of a fifth has for 120/s, and half of its floor.
  assert.ok(some.attemptsEach <= 1 + 0.1 + 5 / 120 + 0.02, `${some.attemptsEach}`);
  assert.ok(more.errorCount === 0 && (more.p99Ms ?? Number.POSITIVE_INFINITY) < 300, `${more.p99Ms}`);
  assert.ok(more.attemptsEach < 1.3);
});
