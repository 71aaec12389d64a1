import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAULTS, Failure, type FaultCode } from '../../src/core/failure.ts';
import { BREAKER_DEFAULTS } from '../../src/policy/breaker.ts';
import { OUTLIER_DEFAULTS } from '../../src/policy/outlier.ts';
import { Endpoint } from '../../src/upstream/endpoint.ts';
import { endpointAddress } from '../../src/upstream/endpoint-address.ts';
import { TRAIT_DEFAULTS } from '../../src/upstream/endpoint-source.ts';
import { Judge, type JudgeOptions, Standing } from '../../src/upstream/standing.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { NO_JUDGEMENT, UNHEARD } from './memory.ts';

/** An endpoint that is judged, with what was told of it. */
function judged(options: Partial<JudgeOptions>): { standing: Standing; clock: ManualClock; told: string[] } {
  const clock = new ManualClock();
  const judge = new Judge({ ...NO_JUDGEMENT, ...options }, clock, () => 0);
  const told: string[] = [];
  const standing: Standing = new Standing(judge, {
    onRank: (before) => told.push(`${before} to ${standing.rank}`),
    onBreaker: (state, before) => told.push(`breaker ${before} to ${state}`),
    onEject: (reason, forMs) => told.push(`ejected for ${reason}, ${forMs} ms`),
  });
  // Somebody else, so that it can be spared.
  void new Standing(judge, UNHEARD);
  return { standing, clock, told };
}

const breaker = { ...BREAKER_DEFAULTS, volumeMinCount: 1, openMs: 1000 };
const passive = { ...OUTLIER_DEFAULTS, failureCount: 1, localFailureCount: 1, ejectMs: 1000 };

test('an endpoint is blamed for what it is to blame for: not for clients, us, idle connections and what it refuses', () => {
  const innocent = new Set<FaultCode>(['upstream-stale', 'upstream-refused']);
  for (const code of Object.keys(FAULTS) as FaultCode[]) {
    const { standing } = judged({ breaker });
    standing.begin()?.failed(new Failure(code));
    const blamed = FAULTS[code].blame === 'upstream' && !innocent.has(code);
    assert.equal(standing.breaker?.state, blamed ? 'open' : 'closed', code);
  }
});

test('a 5xx is a failure, but for 501 and 505, which are about the request (RFC 9110 §15.6)', () => {
  for (const [status, state] of [
    [500, 'open'],
    [503, 'open'],
    [501, 'closed'],
    [505, 'closed'],
    [404, 'closed'],
    [200, 'closed'],
  ] as const) {
    const { standing } = judged({ breaker });
    standing.begin()?.answered(status);
    assert.equal(standing.breaker?.state, state, String(status));
  }
});

test('each change of a breaker is told, whoever has caused it', () => {
  const { standing, clock, told } = judged({ breaker });
  standing.begin()?.answered(500);
  assert.equal(standing.mayCall(clock), false);
  clock.advance(1000);
  assert.equal(standing.mayCall(clock), true);
  const trial = standing.begin();
  assert.equal(standing.mayCall(clock), false, 'one at a time');
  trial?.answered(200);
  assert.equal(standing.forceBreaker('open'), true);
  assert.equal(standing.mayCall(clock), false);
  standing.forceBreaker(null);
  assert.deepEqual(told, [
    'breaker closed to open',
    'breaker open to half-open',
    'breaker half-open to closed',
    'breaker closed to open',
    'breaker open to closed',
  ]);
  assert.equal(judged({}).standing.forceBreaker('open'), false);
});

test('an ejection is told once with its reason, and so is the return', () => {
  const { standing, clock, told } = judged({ passive });
  const late = standing.begin();
  standing.begin()?.failed(new Failure('upstream-reset'));
  late?.answered(500);
  assert.deepEqual(told.splice(0), ['ejected for local-faults, 1000 ms', 'well to out']);
  assert.equal(standing.takesRequests, false);
  clock.advance(1000);
  standing.review(clock.now());
  assert.deepEqual(told, ['out to well']);
  assert.equal(standing.takesRequests, true);
});

test('a latency fades while nobody asks, so that one that was slow is tried again', () => {
  const { standing, clock } = judged({ measuresLatency: true });
  const call = standing.begin();
  clock.advance(400);
  call?.answered(200);
  assert.equal(standing.fadedLatencyMs, 400);
  clock.advance(10_000);
  assert.ok((standing.fadedLatencyMs ?? 400) < 200);
  const endpoint = new Endpoint(endpointAddress('http://a'), null, false, TRAIT_DEFAULTS, standing);
  assert.equal(endpoint.latencyMs, standing.fadedLatencyMs, 'what balancing goes by');
  assert.equal(standing.latencyMs, 400);
});

test('where nobody wants to know, a call costs nothing', () => {
  const { standing } = judged({});
  assert.equal(standing.begin(), null);
  assert.equal(standing.latencyMs, null);
});

test('the breakers of others are told who takes requests', () => {
  const { standing, clock } = judged({ breaker, passive });
  assert.equal(standing.breaker?.aside, false);
  standing.begin()?.answered(500);
  assert.deepEqual([standing.rank, standing.breaker?.aside], ['out', true]);
  const after = judged({ breaker, passive }).standing;
  after.adopt(standing);
  assert.equal(after.breaker?.aside, true);
  clock.advance(1000);
  standing.review(clock.now());
  assert.deepEqual([standing.rank, standing.breaker?.aside], ['well', false]);
});
