import type { UpstreamOptions } from '../src/upstream/options.ts';

/** What an upstream does about faults. */
export interface Policy {
  readonly name: string;
  readonly title: string;
  readonly options: Omit<UpstreamOptions, 'endpoints'>;
}

const RETRY: NonNullable<UpstreamOptions['retry']> = {
  attemptMaxCount: 3,
  perTryTimeoutMs: 1000,
  on: ['connect', 'refused', 'reset', 'timeout', 502, 503, 504],
};
const BREAKER: NonNullable<UpstreamOptions['breaker']> = { slowCallMs: 500 };
const HEALTH: NonNullable<UpstreamOptions['health']> = {
  passive: { ejectMs: 5000, failureRatio: 0.25, latencyRatio: 0.25 },
};
const ALL = { retry: RETRY, breaker: BREAKER, health: HEALTH };

/** From nothing to everything, and then everything with other ways to choose a server. */
export const POLICIES: readonly Policy[] = [
  { name: 'nothing', title: 'nothing', options: {} },
  { name: 'retries', title: 'retries', options: { retry: RETRY } },
  { name: 'breaker', title: 'retries + breaker', options: { retry: RETRY, breaker: BREAKER } },
  { name: 'outliers', title: 'retries + breaker + outliers', options: ALL },
  { name: 'least-loaded', title: 'all, least-loaded', options: { ...ALL, balance: 'least-loaded' } },
  { name: 'power-of-two', title: 'all, power-of-two', options: { ...ALL, balance: 'power-of-two' } },
];
