import { BREAKER_DEFAULTS, Breaker, type BreakerOptions, type CallOutcome } from '../../src/policy/breaker.ts';
import { BreakerGroup } from '../../src/policy/breaker-group.ts';

export const OPTIONS: BreakerOptions = {
  ...BREAKER_DEFAULTS,
  windowMs: 10_000,
  windowMinMs: 1000,
  volumeMinCount: 10,
  openMs: 1000,
  openMaxMs: 8000,
  jitterRatio: 0,
};

export const groupOf = (options: Partial<BreakerOptions> = {}, random: () => number = () => 0.5): BreakerGroup =>
  new BreakerGroup({ ...OPTIONS, ...options }, random);

/** A breaker whose group has another one, which is closed and has nothing to do. */
export function breaker(given: Partial<BreakerOptions> = {}, group: BreakerGroup = groupOf(given)): Breaker {
  group.join();
  return new Breaker({ ...OPTIONS, ...given }, group, () => 0.5);
}

/** One call after the other, each over at once. */
export function call(it: Breaker, outcome: CallOutcome, nowMs: number, count = 1, durationMs = 1): void {
  for (let i = 0; i < count; i += 1) it.observe(it.admit(nowMs), outcome, durationMs, nowMs);
}
