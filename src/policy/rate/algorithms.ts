import { leakyBucket, tokenBucket } from './bucket.ts';
import { slidingWindow } from './sliding-window.ts';

/** The algorithms that limit a rate, by their names in the configuration; each takes its own options. */
export const RATE_ALGORITHMS = {
  'token-bucket': tokenBucket,
  gcra: tokenBucket,
  'leaky-bucket': leakyBucket,
  'sliding-window': slidingWindow,
} as const;
