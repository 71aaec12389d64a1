import type { FaultCode } from '../core/failure.ts';
import { Failure } from '../core/failure.ts';
import type { HeaderFields } from '../core/headers.ts';
import { listOf, oneOf } from '../core/option-kind.ts';
import { type OptionRules, withDefaults } from '../core/options.ts';

/** What may be tried again: a way to fail, or a status of the upstream's. */
export const RETRY_CAUSES = ['connect', 'refused', 'reset', 'timeout', 500, 502, 503, 504] as const;
export type RetryCause = (typeof RETRY_CAUSES)[number];

/** How the wait before another attempt is drawn. `full`: anything up to its limit. `decorrelated`: at least `backoffMs`. */
export const JITTERS = ['full', 'decorrelated'] as const;
export type Jitter = (typeof JITTERS)[number];

/** How requests that fail are sent again. */
export interface RetryOptions {
  /** Attempts for one request, the first counted. */
  attemptMaxCount: number;
  /**
   * What is tried again. `connect`: it could not be reached. `refused`: it has refused the request unseen. `reset`: the
   * connection ended before an answer. `timeout`: no answer came in time; `504` means that too. Statuses: the upstream
   * has answered so.
   */
  on: readonly RetryCause[];
  /** For each attempt, from the end of the request to the head of its answer; `null`: only `timeouts.headMs` holds. */
  perTryTimeoutMs: number | null;
  /**
   * How long an attempt may take to the head of its answer before another endpoint is asked, too: the first answer goes to
   * the client, and the other attempt is given up. `null`: one attempt at a time.
   */
  hedgeAfterMs: number | null;
  /** Attempts beyond the first, as a share of the requests of the last while. */
  budgetRatio: number;
  /** So many of them in a second are always allowed; `null`: none. */
  budgetMinPerSec: number | null;
  /** So much of a body that is sent as it arrives is kept, so that it can be sent again. */
  replayMaxBytes: number;
  /** The first wait before the same endpoints are asked once more is up to this; each further one up to twice as long. */
  backoffMs: number;
  backoffMaxMs: number;
  jitter: Jitter;
  /** A longer `retry-after` is not waited for: the answer goes to the client. */
  retryAfterMaxMs: number;
}

export const RETRY_DEFAULTS: Readonly<RetryOptions> = {
  attemptMaxCount: 3,
  on: ['connect', 'refused', 'reset', 'timeout', 502, 503, 504],
  perTryTimeoutMs: null,
  hedgeAfterMs: null,
  budgetRatio: 0.2,
  budgetMinPerSec: 10,
  replayMaxBytes: 65_536,
  backoffMs: 25,
  backoffMaxMs: 250,
  jitter: 'full',
  retryAfterMaxMs: 1000,
};

const RULES: OptionRules<RetryOptions> = {
  offable: ['budgetMinPerSec'],
  kinds: { on: listOf(oneOf(RETRY_CAUSES)), jitter: oneOf(JITTERS) },
  ordered: [['backoffMs', 'backoffMaxMs']],
};

/** Fills options up. Throws `TypeError` naming every wrong field. */
export const retryOptions = (given: Partial<RetryOptions>): RetryOptions =>
  withDefaults('retry', RETRY_DEFAULTS, given, RULES);

/** Methods that may be sent twice and mean the same (RFC 9110 §9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

const CAUSES: Readonly<Partial<Record<FaultCode, RetryCause>>> = {
  'upstream-connect': 'connect',
  'upstream-connect-timeout': 'connect',
  'upstream-tls': 'connect',
  'upstream-refused': 'refused',
  'upstream-stale': 'reset',
  'upstream-reset': 'reset',
  // Of an attempt this is told only when it was cut off within the head of its answer.
  'upstream-truncated': 'reset',
  'upstream-head-timeout': 'timeout',
};

/** What must be known of a request to send it again. */
export interface Attempted {
  readonly method: string;
  readonly headers: HeaderFields;
  /** Attempts that were begun. */
  readonly attemptCount: number;
  /** All of its body could be sent once more. */
  readonly replayable: boolean;
  /** There is an endpoint that may be asked. */
  readonly anywhere: boolean;
  /** There is one that it has not been to in vain. */
  readonly elsewhere: boolean;
  /** One of these could be reached when that was tried last, for all we know. */
  readonly reachableElsewhere: boolean;
}

/** Whether sending it twice means no more than sending it once. */
function isIdempotent({ method, headers }: Attempted): boolean {
  return IDEMPOTENT.has(method) || headers.has('idempotency-key');
}

/**
 * Whether a failed request is sent again without a word from the operator, once: a reused connection that ended before
 * any byte of the answer is the ordinary race with the upstream's idle timeout, and the request was most likely never
 * seen; one that was refused surely was not; one that could not be delivered goes to the endpoints it has not been to.
 */
export function retriedAnyway(failure: Failure, attempted: Attempted): boolean {
  if (!attempted.replayable) return false;
  const cause = CAUSES[failure.code];
  if (cause === 'connect') return attempted.elsewhere;
  if (attempted.attemptCount > 1) return false;
  return cause === 'refused' || (failure.code === 'upstream-stale' && isIdempotent(attempted));
}

/** Whether the operator's rules let it be sent again; the budget is not asked. */
export function retriedByRule(result: Failure | number, attempted: Attempted, options: RetryOptions): boolean {
  if (attempted.attemptCount >= options.attemptMaxCount || !attempted.replayable) return false;
  if (!isRetried(result, options)) return false;
  const safe = result instanceof Failure && result.retry === 'safe';
  // Where nobody may be asked, what has come says more than that nobody may.
  return (safe || isIdempotent(attempted)) && attempted.anywhere;
}

/** Whether the operator's rules let another attempt be sent beside the one under way; the budget is not asked. */
export function hedgedByRule(attempted: Attempted, options: RetryOptions): boolean {
  return attempted.attemptCount < options.attemptMaxCount && attempted.replayable && isIdempotent(attempted);
}

/** Whether this is what the operator wants tried again. */
export function isRetried(result: Failure | number, { on }: RetryOptions): boolean {
  return isNamed(causeOf(result), on);
}

/**
 * Whether a failed request is sent again without asking the budget. What could not be delivered costs nothing that a
 * budget would have to spare, as long as somebody is there who can be reached; what was refused or lost to the idle
 * timeout of a connection costs little, and happens once to a request.
 */
export function retriedFreely(failure: Failure, attempted: Attempted, options: RetryOptions): boolean {
  if (!retriedAnyway(failure, attempted)) return false;
  if (CAUSES[failure.code] !== 'connect') return true;
  return attempted.reachableElsewhere && retriedByRule(failure, attempted, options);
}

function causeOf(result: Failure | number): RetryCause | undefined {
  return result instanceof Failure ? CAUSES[result.code] : RETRY_CAUSES.find((known) => known === result);
}

/** An attempt that took too long would be a 504 to the client, whoever says so. */
function isNamed(cause: RetryCause | undefined, on: readonly RetryCause[]): boolean {
  return cause !== undefined && (on.includes(cause) || (cause === 'timeout' && on.includes(504)));
}

/** `retry-after` in milliseconds (RFC 9110 §10.2.3); `null` when there is none or it cannot be read. */
export function retryAfterMs(headers: HeaderFields, wallMs: number): number | null {
  const value = headers.get('retry-after');
  if (value === null) return null;
  if (/^[0-9]{1,9}$/.test(value)) return Number(value) * 1000;
  const atMs = HTTP_DATE.test(value)
    ? Date.parse(value)
    : ASCTIME.test(value)
      ? Date.parse(`${value} GMT`)
      : Number.NaN;
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - wallMs);
}

/** The forms of a date that are used, and were used (RFC 9110 §5.6.7). All of them are in UTC; the last does not say so. */
const HTTP_DATE = /^[A-Z][a-z]+, [0-9]{2}[ -][A-Z][a-z]{2}[ -][0-9]{2,4} [0-9:]{8} GMT$/;
const ASCTIME = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} [0-9]{4}$/;
