import type { Clock } from '../core/clock.ts';
import { channel } from '../core/events.ts';
import type { Failure } from '../core/failure.ts';
import type { HeaderFields } from '../core/headers.ts';
import { decorrelatedJitterMs, fullJitterMs } from '../policy/backoff.ts';
import { hasTimeFor } from '../policy/deadline.ts';
import { RETRY_BUDGET_DEFAULTS, RetryBudget } from '../policy/retry-budget.ts';
import type { UpstreamCounts } from './counts.ts';
import {
  type Attempted,
  hedgedByRule,
  isRetried,
  type RetryOptions,
  retriedAnyway,
  retriedByRule,
  retriedFreely,
  retryAfterMs,
} from './retry.ts';

const spent = channel('upstream:spent');

/** A hedge saves time, a retry an answer: only this part of the budget is for both, so that hedges cost no answer. */
const HEDGE_PART_RATIO = 0.5;

/** An attempt that has come to nothing. */
export interface FailedAttempt extends Attempted {
  readonly deadlineMs: number | null;
  /** How long it has waited before its last attempt; `null`: not yet. */
  readonly pausedMs: number | null;
}

/** Decides for all requests of an upstream whether one is sent again, and when. */
export class Retrier {
  private readonly upstream: string;
  private readonly options: RetryOptions | null;
  /** `null`: it keeps no account. */
  readonly budget: RetryBudget | null;
  private readonly clock: Clock;
  private readonly random: () => number;
  private counts: UpstreamCounts;

  constructor(
    upstream: string,
    options: RetryOptions | null,
    clock: Clock,
    random: () => number,
    counts: UpstreamCounts,
  ) {
    this.upstream = upstream;
    this.options = options;
    this.counts = counts;
    this.clock = clock;
    this.random = random;
    const { windowMs } = RETRY_BUDGET_DEFAULTS;
    this.budget =
      options === null
        ? null
        : new RetryBudget({ budgetRatio: options.budgetRatio, floorPerSec: options.budgetMinPerSec, windowMs });
  }

  /** Counts there from now on, and has spent what another one has. */
  adopt(previous: Retrier, counts: UpstreamCounts): void {
    this.counts = counts;
    if (previous.budget !== null) this.budget?.adopt(previous.budget);
  }

  /** A request has come. */
  begin(nowMs: number): void {
    this.counts.requestCount += 1;
    this.budget?.deposit(nowMs);
  }

  /** After how long it is sent again; `null`: it is not. */
  afterFailure(failure: Failure, attempt: FailedAttempt): number | null {
    const { options } = this;
    if (options === null) return retriedAnyway(failure, attempt) ? 0 : null;
    if (retriedFreely(failure, attempt, options)) return 0;
    if (!retriedByRule(failure, attempt, options)) return null;
    return this.afford(attempt, this.pauseMs(attempt, options));
  }

  /** The same for an answer. What the upstream says in `retry-after` is heeded, when there is time for it. */
  afterStatus(status: number, headers: HeaderFields, attempt: FailedAttempt): number | null {
    const { options } = this;
    if (options === null || !retriedByRule(status, attempt, options)) return null;
    const askedMs = attempt.elsewhere ? null : retryAfterMs(headers, this.clock.wallMs());
    if (askedMs !== null && askedMs > options.retryAfterMaxMs) return null;
    return this.afford(attempt, Math.max(askedMs ?? 0, this.pauseMs(attempt, options)));
  }

  /** Whether another attempt may be sent beside the one under way, if the budget has it. */
  mayHedge(attempt: Attempted): boolean {
    return this.options !== null && hedgedByRule(attempt, this.options);
  }

  /** Takes it from the budget. Returns false, and takes nothing, when too little is left, or no time. */
  affordHedge(attempt: FailedAttempt): boolean {
    return this.afford(attempt, 0, 'hedge') !== null;
  }

  /** Whether the answer of another attempt is waited for rather than to pass this one on. */
  prefersOther(status: number): boolean {
    return this.options !== null && isRetried(status, this.options);
  }

  /** Another endpoint can be asked at once; the same ones are given time, more each time. */
  private pauseMs({ elsewhere, attemptCount, pausedMs }: FailedAttempt, options: RetryOptions): number {
    if (elsewhere) return 0;
    const { backoffMs: baseMs, backoffMaxMs: maxMs, jitter } = options;
    if (jitter === 'decorrelated') return decorrelatedJitterMs(pausedMs, { baseMs, maxMs }, this.random());
    return fullJitterMs(attemptCount - 1, { baseMs, maxMs }, this.random());
  }

  private afford({ deadlineMs }: FailedAttempt, delayMs: number, kind: 'retry' | 'hedge' = 'retry'): number | null {
    const nowMs = this.clock.now();
    if (!hasTimeFor(deadlineMs ?? Number.POSITIVE_INFINITY, delayMs, 0, nowMs)) return null;
    if (this.budget?.withdraw(nowMs, kind === 'hedge' ? HEDGE_PART_RATIO : 1) === true) return delayMs;
    if (kind === 'retry') this.counts.deniedRetryCount += 1;
    if (spent.heard) spent.publish({ upstream: this.upstream, kind });
    return null;
  }
}
