import {
  LEAKY_BUCKET_DEFAULTS,
  type LeakyBucketOptions,
  leakyBucket,
  TOKEN_BUCKET_DEFAULTS,
  type TokenBucketOptions,
  tokenBucket,
} from './bucket.ts';
import type { RateLimit } from './limit.ts';
import { SLIDING_WINDOW_DEFAULTS, type SlidingWindowOptions, slidingWindow } from './sliding-window.ts';

/** The options of all algorithms together; each takes its own and leaves the others alone. */
export type RateAlgorithmOptions = TokenBucketOptions & LeakyBucketOptions & SlidingWindowOptions;

/** The default of every algorithm's options. */
export const RATE_ALGORITHM_DEFAULTS: Readonly<RateAlgorithmOptions> = {
  ...TOKEN_BUCKET_DEFAULTS,
  ...LEAKY_BUCKET_DEFAULTS,
  ...SLIDING_WINDOW_DEFAULTS,
};

export const RATE_ALGORITHM_NAMES = ['token-bucket', 'gcra', 'leaky-bucket', 'sliding-window'] as const;
export type RateAlgorithm = (typeof RATE_ALGORITHM_NAMES)[number];

/** An algorithm, and the options that mean something to it. */
interface RateAlgorithmEntry {
  readonly options: readonly string[];
  readonly make: (options: Readonly<RateAlgorithmOptions>) => RateLimit;
}

const TOKENS: RateAlgorithmEntry = {
  options: Object.keys(TOKEN_BUCKET_DEFAULTS),
  make: ({ requestsPerSec, burstCount }) => tokenBucket({ requestsPerSec, burstCount }),
};

/** The algorithms that limit a rate, by their names in the configuration. */
export const RATE_ALGORITHMS: Readonly<Record<RateAlgorithm, RateAlgorithmEntry>> = {
  'token-bucket': TOKENS,
  gcra: TOKENS,
  'leaky-bucket': {
    options: Object.keys(LEAKY_BUCKET_DEFAULTS),
    make: ({ requestsPerSec, queueMaxCount }) => leakyBucket({ requestsPerSec, queueMaxCount }),
  },
  'sliding-window': {
    options: Object.keys(SLIDING_WINDOW_DEFAULTS),
    make: ({ requestMaxCount, windowMs }) => slidingWindow({ requestMaxCount, windowMs }),
  },
};
