import { BALANCE_NAMES, createBalancer } from '../src/policy/balance/balancer.ts';
import { HASH_DEFAULTS } from '../src/policy/balance/hash.ts';
import { BREAKER_DEFAULTS } from '../src/policy/breaker.ts';
import { BreakerGroup } from '../src/policy/breaker-group.ts';
import { codel, deadlineCodel } from '../src/policy/codel.ts';
import { fixedLimit } from '../src/policy/concurrency/algorithm.ts';
import { gradient } from '../src/policy/concurrency/gradient.ts';
import { ConcurrencyLimiter } from '../src/policy/concurrency/limiter.ts';
import { vegas } from '../src/policy/concurrency/vegas.ts';
import { FairQueue } from '../src/policy/fair-queue.ts';
import { OUTLIER_DEFAULTS, OutlierGroup } from '../src/policy/outlier.ts';
import { leakyBucket, tokenBucket } from '../src/policy/rate/bucket.ts';
import { KeyedRate } from '../src/policy/rate/keyed-rate.ts';
import { slidingWindow } from '../src/policy/rate/sliding-window.ts';
import { RetryBudget } from '../src/policy/retry-budget.ts';
import { LoopPressure, SHED_CLASSES, shed } from '../src/policy/shedding.ts';

/** What a decision of each policy costs, in this process's own processor time: other programs slow it down, but do not count. */
const KEY_COUNT = 1_000_000;
const DECISION_COUNT = 1_000_000;
const ROUND_COUNT = 5;

/** The least of some rounds, in ns of processor time. */
function decisionNs(decide: (index: number) => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUND_COUNT; round += 1) {
    const begun = process.cpuUsage();
    for (let index = 0; index < DECISION_COUNT; index += 1) decide(index);
    const used = process.cpuUsage(begun);
    best = Math.min(best, ((used.user + used.system) * 1000) / DECISION_COUNT);
  }
  return best;
}

function report(name: string, ns: number, note = ''): void {
  console.log(`${name.padEnd(36)} ${ns.toFixed(0).padStart(6)} ns  ${note}`.trimEnd());
}

/** A prime, so that keys are asked for out of the order of their numbers. */
const STRIDE = 7919;

// As an engine makes them: from bytes, flat. They lie in memory in the order of use, for a server has just read its key.
const keys = Array.from({ length: KEY_COUNT }, (_, turn) => {
  const index = (turn * STRIDE) % KEY_COUNT;
  return Buffer.from(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`).toString('latin1');
});

for (const [name, limit] of [
  ['token bucket', tokenBucket({ requestsPerSec: 1, burstCount: 1000 })],
  ['leaky bucket', leakyBucket({ requestsPerSec: 1, queueMaxCount: 1000 })],
  ['sliding window', slidingWindow({ requestMaxCount: 1000, windowMs: 60_000 })],
] as const) {
  const keyed = new KeyedRate(limit, Math.random, { keyMaxCount: KEY_COUNT });
  const bytesNote = `${keyed.sizeBytes / KEY_COUNT} bytes a key`;
  let nowMs = 0;
  const admit = (index: number): void => {
    nowMs += 0.01;
    keyed.admit(keys[index] ?? '', nowMs);
  };
  report(
    `${name}, 1 000 keys`,
    decisionNs((index) => admit(index % 1000)),
  );
  report(
    `${name}, 1 000 000 keys`,
    decisionNs((index) => admit(index % KEY_COUNT)),
    bytesNote,
  );
}

for (const [name, limiter] of [
  ['fixed', new ConcurrencyLimiter(fixedLimit(20))],
  ['vegas', new ConcurrencyLimiter(vegas())],
  ['gradient', new ConcurrencyLimiter(gradient())],
] as const) {
  let nowMs = 0;
  const run = (): void => {
    nowMs += 0.01;
    if (limiter.acquire()) limiter.release(5, 'success', nowMs);
  };
  report(`concurrency, ${name}`, decisionNs(run), 'acquire and release');
}

for (const [name, control] of [
  ['by RFC 8289', codel()],
  ['with deadlines', deadlineCodel()],
] as const)
  report(
    `codel, ${name}`,
    decisionNs((index) => void control.refuse(index % 20, index * 0.01, 5)),
  );

for (const tenantCount of [10, 1000]) {
  const queue = new FairQueue<number>({ queueMaxCount: 10_000 });
  const names = Array.from({ length: tenantCount }, (_, index) => `tenant ${index}`);
  const turn = (index: number): void => {
    queue.offer(names[index % tenantCount] ?? '', 1 + (index % 3), index);
    if (queue.count >= tenantCount) queue.take();
  };
  report(`fair queue, ${tenantCount} tenants`, decisionNs(turn), 'offer and take');
}

let shedCount = 0;
const shedOne = (index: number): void => {
  if (shed(0.5, SHED_CLASSES[index % 3] ?? null, (index % 100) / 100)) shedCount += 1;
};
report('shedding', decisionNs(shedOne), `${shedCount > 0 ? '' : 'nothing shed'}`);
const pressure = new LoopPressure();
report(
  'loop pressure',
  decisionNs((index) => pressure.observe(index % 600, index)),
  'a sample',
);

/** Some of a thousand are busy, so that there is something to choose by. */
for (const name of BALANCE_NAMES) {
  const costs = [1, 10, 100, 1000].map((endpointCount) => {
    const balancer = createBalancer<Candidate>(name, HASH_DEFAULTS);
    const candidates = Array.from({ length: endpointCount }, (_, index) => ({
      id: `http://10.0.0.${index}:80`,
      weight: 1 + (index % 3),
      loadCount: index % 7,
      latencyMs: 5 + (index % 11),
    }));
    for (const candidate of candidates) balancer.add(candidate);
    const choose = (index: number): void => {
      const chosen = balancer.pick(() => true, (index * STRIDE) >>> 0, Math.random);
      // A request begins there, and one ends elsewhere.
      if (chosen !== null) settle(balancer, chosen, 1);
      const other = candidates[index % endpointCount];
      if (other !== undefined && other.loadCount > 0) settle(balancer, other, -1);
    };
    return decisionNs(choose);
  });
  report(
    `balance, ${name}`,
    costs[0] ?? 0,
    `one endpoint; 10, 100, 1 000: ${costs.slice(1).map(Math.round).join(', ')} ns`,
  );
}

interface Candidate {
  readonly id: string;
  readonly weight: number;
  loadCount: number;
  readonly latencyMs: number;
}

function settle(balancer: { update(item: Candidate): void }, candidate: Candidate, deltaCount: number): void {
  candidate.loadCount += deltaCount;
  balancer.update(candidate);
}

const breaker = new BreakerGroup(BREAKER_DEFAULTS, Math.random).join();
report(
  'breaker',
  decisionNs((index) => breaker.observe(breaker.admit(index * 0.01), 'success', 5, index * 0.01)),
  'a call that succeeds',
);
const outlier = new OutlierGroup(OUTLIER_DEFAULTS).join();
report(
  'outliers',
  decisionNs((index) => void outlier.observe('success', 5, index * 0.01)),
  'an answer',
);
const budget = new RetryBudget();
report(
  'retry budget',
  decisionNs((index) => budget.deposit(index * 0.01)),
  'a request',
);
