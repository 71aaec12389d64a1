import { balancingStudy } from './balancing.ts';
import { breakerStudy } from './breaker.ts';
import { codelStudy } from './codel.ts';
import { concurrencyLimitStudy } from './concurrency-limit.ts';
import { discoveryStudy } from './discovery.ts';
import { fairQueueStudy } from './fair-queue.ts';
import { healthStudy } from './health.ts';
import { hedgingStudy } from './hedging.ts';
import { loadSheddingStudy } from './load-shedding.ts';
import { outliersStudy } from './outliers.ts';
import { rateLimitStudy } from './rate-limit.ts';
import { retriesStudy } from './retries.ts';
import { slowStartStudy } from './slow-start.ts';
import type { Study } from './study.ts';

/** One for each policy, in the order in which its pages are listed. */
export const STUDIES: readonly Study[] = [
  balancingStudy,
  discoveryStudy,
  healthStudy,
  outliersStudy,
  breakerStudy,
  slowStartStudy,
  retriesStudy,
  hedgingStudy,
  rateLimitStudy,
  concurrencyLimitStudy,
  fairQueueStudy,
  codelStudy,
  loadSheddingStudy,
];
