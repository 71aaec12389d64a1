import { WindowCounts } from './window.ts';

/** How many retries an upstream may see for its requests. */
export interface RetryBudgetOptions {
  /** Retries for each request, first attempts only. */
  budgetRatio: number;
  /** Retries that are allowed besides, so that one works when there is little traffic; `null` for none. */
  floorPerSec: number | null;
  /** For how long a request, and a retry, is remembered. */
  windowMs: number;
}

export const RETRY_BUDGET_DEFAULTS: Readonly<RetryBudgetOptions> = {
  budgetRatio: 0.2,
  floorPerSec: 10,
  windowMs: 10_000,
};

const BUCKET_COUNT = 20;

/**
 * A budget of retries as in Finagle: requests deposit, retries withdraw, and both are forgotten after the window.
 *
 * At each retry, the new one counted: retries of the last `windowMs` ≤ budgetRatio × requests of the last `windowMs` +
 * floorPerSec × windowMs / 1000. That is exact, for where a bucket is partly in the window its requests are left out
 * and its retries counted. So in any span of time at all there are no more retries than budgetRatio × the requests in
 * it and in one window before it, + the floor for the windows that have begun in it.
 */
export class RetryBudget {
  private readonly options: Readonly<RetryBudgetOptions>;
  private requests: WindowCounts;
  private retries: WindowCounts;
  private readonly reserveCount: number;

  constructor(options: Readonly<RetryBudgetOptions> = RETRY_BUDGET_DEFAULTS) {
    this.options = options;
    const bucketMs = options.windowMs / BUCKET_COUNT;
    this.requests = new WindowCounts(bucketMs, BUCKET_COUNT, 1);
    this.retries = new WindowCounts(bucketMs, BUCKET_COUNT + 1, 1);
    this.reserveCount = ((options.floorPerSec ?? 0) * options.windowMs) / 1000;
  }

  /** Goes on with what another one remembers, which ends with that. Both have the same window. */
  adopt(previous: RetryBudget): void {
    this.requests = previous.requests;
    this.retries = previous.retries;
  }

  /** A request has come; its first attempt. */
  deposit(nowMs: number): void {
    this.requests.add(0, nowMs);
  }

  /**
   * Takes one retry from the budget. Returns false, and takes none, when there is none. `partRatio`: as if only this part
   * of the budget were there, the rest is for others.
   */
  withdraw(nowMs: number, partRatio = 1): boolean {
    if (this.balance(nowMs, partRatio) < 1) return false;
    this.retries.add(0, nowMs);
    return true;
  }

  /** How many retries there may be now, of this part of the budget; a part of one is none. */
  balance(nowMs: number, partRatio = 1): number {
    const allowedCount = this.options.budgetRatio * this.requests.sum(0, nowMs) + this.reserveCount;
    return partRatio * allowedCount - this.retries.sum(0, nowMs);
  }
}
