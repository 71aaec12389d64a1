import { withDefaults } from '../../core/options.ts';
import { blankDecision, type RateDecision, type RateLimit } from './limit.ts';

export interface TokenBucketOptions {
  /** Tokens that come back in a second; a fraction is one in many seconds. */
  requestsPerSec: number;
  /** Tokens that the bucket holds: what may come at once. */
  burstCount: number;
}

export const TOKEN_BUCKET_DEFAULTS: Readonly<TokenBucketOptions> = { requestsPerSec: 100, burstCount: 50 };

export interface LeakyBucketOptions {
  /** The even pace at which requests are let through. */
  requestsPerSec: number;
  /** Requests that may wait for their turn; one more is refused. */
  queueMaxCount: number;
}

export const LEAKY_BUCKET_DEFAULTS: Readonly<LeakyBucketOptions> = { requestsPerSec: 100, queueMaxCount: 50 };

/**
 * A bucket of tokens that fills up evenly. Over any time T it admits at most burst + rate × T, and it admits as soon as
 * that allows. It is GCRA too (ITU-T I.371) with emission interval T = 1 / rate and limit τ = (burst − 1) × T, which admits
 * exactly the same and needs one number for it, so that is how it is done. Throws `TypeError` for wrong options.
 */
export function tokenBucket(given?: Partial<TokenBucketOptions>): RateLimit {
  const options = withDefaults('token bucket', TOKEN_BUCKET_DEFAULTS, given);
  return new Bucket(options.requestsPerSec, options.burstCount, false);
}

/**
 * A leaky bucket that queues: what is admitted leaves evenly, 1 / rate apart, each after its `waitMs`. Throws
 * `TypeError` for wrong options.
 */
export function leakyBucket(given?: Partial<LeakyBucketOptions>): RateLimit {
  const options = withDefaults('leaky bucket', LEAKY_BUCKET_DEFAULTS, given);
  // The one that leaves now is in the bucket as well, but does not wait.
  return new Bucket(options.requestsPerSec, options.queueMaxCount + 1, true);
}

/** A clock that has run for less than this (8.7 years) is counted in whole ticks without loss. */
const HORIZON_MS = 2 ** 38;

/**
 * State: the instant at which the bucket is whole again ("theoretical arrival time" in GCRA). Only admissions move it,
 * by whole tokens, so fractions of a token are never lost, however often it is asked. It is counted in ticks, a power of
 * two to a token and none longer than 0.13 µs, so that sums of tokens are exact, which those of milliseconds are not.
 */
class Bucket implements RateLimit {
  readonly wordCount = 1;
  readonly quotaCount: number;
  readonly windowMs: number;
  private readonly ticksPerToken: number;
  private readonly ticksPerMs: number;
  private readonly capacityTicks: number;
  private readonly paced: boolean;
  private readonly decision: RateDecision = blankDecision();

  constructor(requestsPerSec: number, capacityCount: number, paced: boolean) {
    const tokensPerMs = requestsPerSec / 1000;
    this.ticksPerToken = 2 ** Math.max(0, 52 - Math.ceil(Math.log2(HORIZON_MS * tokensPerMs)));
    this.ticksPerMs = tokensPerMs * this.ticksPerToken;
    this.capacityTicks = capacityCount * this.ticksPerToken;
    this.quotaCount = capacityCount;
    this.windowMs = capacityCount / tokensPerMs;
    this.paced = paced;
  }

  admit(words: Float64Array, at: number, nowMs: number, cost: number): RateDecision {
    const { decision, ticksPerToken, ticksPerMs, capacityTicks } = this;
    const nowTicks = Math.floor(nowMs * ticksPerMs);
    const debtTicks = Math.max(0, (words[at] ?? 0) - nowTicks);
    const nextTicks = debtTicks + cost * ticksPerToken;
    const admitted = nextTicks <= capacityTicks;
    if (admitted) words[at] = nowTicks + nextTicks;
    const leftTicks = admitted ? nextTicks : debtTicks;
    decision.admitted = admitted;
    decision.waitMs = admitted && this.paced ? debtTicks / ticksPerMs : 0;
    if (admitted) decision.retryAfterMs = 0;
    else if (cost > this.quotaCount) decision.retryAfterMs = Number.POSITIVE_INFINITY;
    else decision.retryAfterMs = (nextTicks - capacityTicks) / ticksPerMs;
    decision.remainingCount = Math.floor((capacityTicks - leftTicks) / ticksPerToken);
    decision.resetMs = leftTicks / ticksPerMs;
    return decision;
  }

  idle(words: Float64Array, at: number, nowMs: number): boolean {
    return (words[at] ?? 0) <= nowMs * this.ticksPerMs;
  }
}
