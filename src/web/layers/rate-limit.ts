import type { Clock } from '../../core/clock.ts';
import { systemClock } from '../../core/clock.ts';
import { channel } from '../../core/events.ts';
import type { Failure } from '../../core/failure.ts';
import type { Handler, Layer } from '../../core/handler.ts';
import { bodyReady, withBodyMode } from '../../core/handler.ts';
import type { Measure, Measured } from '../../core/metrics.ts';
import { callable, matching, oneOf } from '../../core/option-kind.ts';
import { type OptionRelation, type OptionRules, withDefaults } from '../../core/options.ts';
import type { HttpRequest } from '../../core/request.ts';
import {
  RATE_ALGORITHM_DEFAULTS,
  RATE_ALGORITHM_NAMES,
  RATE_ALGORITHMS,
  type RateAlgorithm,
  type RateAlgorithmOptions,
} from '../../policy/rate/algorithms.ts';
import { rateLimitField, rateLimitLabel, rateLimitPolicyField } from '../../policy/rate/fields.ts';
import { KEYED_RATE_DEFAULTS, KEYED_RATE_KINDS, KeyedRate } from '../../policy/rate/keyed-rate.ts';
import type { RateDecision, RateLimit } from '../../policy/rate/limit.ts';
import { SLIDING_WINDOW_KINDS } from '../../policy/rate/sliding-window.ts';
import { type Answer, mapAnswer, withLines } from '../response.ts';
import { LimitCounts } from './limit-counts.ts';
import { rateRefusal } from './refusal.ts';
import {
  CLIENT_DEFAULTS,
  CLIENT_KINDS,
  ClientKeys,
  type ClientOptions,
  type KeySource,
  keyReader,
  keySource,
} from './request-key.ts';

/**
 * Where a rate limit keeps its counts. The usual one is the memory of this process; another one can share them between
 * processes: a limit's state is `limit.wordCount` numbers for each key, which `limit.admit` changes.
 */
export interface RateStore {
  /**
   * Decides about a request of this key. A promise holds the request back meanwhile and must give a decision of its own;
   * what is thrown is what the request ends with, so a store that shall fail open has to decide so itself.
   */
  admit(key: string, nowMs: number): Readonly<RateDecision> | Promise<Readonly<RateDecision>>;
}

/** How many requests of a key there may be in a time. Each algorithm has options of its own, and takes no others. */
export interface RateLimitOptions extends RateAlgorithmOptions, ClientOptions {
  algorithm: RateAlgorithm;
  /** The limit's name in response fields and events. */
  name: string;
  /** What requests are told apart by. */
  key: KeySource;
  /** Keys that are told apart at once; memory for them is taken at the start. */
  keyMaxCount: number;
  /** Tell clients in `ratelimit-policy` and `ratelimit` what they have left. */
  headers: boolean;
  /** Opens another store for the counts; `null` is this process's memory. */
  store: ((limit: RateLimit) => RateStore) | null;
  clock: Clock;
}

export const RATE_LIMIT_DEFAULTS: Readonly<RateLimitOptions> = {
  algorithm: 'token-bucket',
  ...RATE_ALGORITHM_DEFAULTS,
  name: 'default',
  key: 'client-ip',
  ...KEYED_RATE_DEFAULTS,
  ...CLIENT_DEFAULTS,
  headers: true,
  store: null,
  clock: systemClock,
};

const admits = channel('limit:admit');
const refuses = channel('limit:refuse');

const FIELD_NAMES = ['ratelimit-policy', 'ratelimit'] as const;

/** An option that belongs to some of the algorithms. */
const belongs = (name: keyof RateAlgorithmOptions): OptionRelation<RateLimitOptions> => ({
  of: ['algorithm', name],
  fault({ algorithm }, given) {
    const { options } = RATE_ALGORITHMS[algorithm];
    if (given[name] === undefined || options.includes(name)) return null;
    return `${name}: not an option of ${algorithm}, which has ${options.join(' and ')}`;
  },
});

const RULES: OptionRules<RateLimitOptions> = {
  kinds: {
    algorithm: oneOf(RATE_ALGORITHM_NAMES),
    ...SLIDING_WINDOW_KINDS,
    ...KEYED_RATE_KINDS,
    ...CLIENT_KINDS,
    name: matching('printable ASCII', /^[ -~]*$/),
    key: keySource,
    store: callable,
  },
  relations: [
    belongs('requestsPerSec'),
    belongs('burstCount'),
    belongs('queueMaxCount'),
    belongs('requestMaxCount'),
    belongs('windowMs'),
  ],
};

/** All options of a limit. Throws `TypeError` naming every wrong one, those of other algorithms among them. */
export const rateLimitOptions = (given?: Partial<RateLimitOptions>): RateLimitOptions =>
  withDefaults('rateLimit', RATE_LIMIT_DEFAULTS, given, RULES);

/** What a rate limit has decided. */
export interface RateLimitStatus {
  readonly admittedCount: number;
  /** Of these, those that had to wait for their turn. */
  readonly delayedCount: number;
  readonly refusedCount: number;
  /** Busy keys that were forgotten for others, for there were more than `keyMaxCount`. */
  readonly forgottenCount: number;
}

/** The layer, and what it has decided. */
export interface RateLimiting extends Layer, Measured {
  status(): RateLimitStatus;
}

/**
 * Limits how many requests of a key there are in a time. One too many is answered 429 (`rate-limited`) with
 * `retry-after`, or waits for its turn where the algorithm is a leaky bucket. Who leaves while it waits is not served, and its
 * turn is nobody else's.
 *
 * All handlers that one layer is put around share its counts. It reads the body itself, once the request is admitted,
 * for a handler that does not say `manual`. Throws `TypeError` for wrong options.
 */
export function rateLimit(given?: Partial<RateLimitOptions>): RateLimiting {
  const limiter = new RateLimiter(given);
  const layer: Layer = (handler) => {
    const inner = bodyReady(handler, 'auto');
    return withBodyMode((request) => limiter.answer(request, inner), 'manual');
  };
  return Object.assign(layer, {
    status: () => limiter.status(),
    measure: (take: Measure, place = '') => limiter.measure(take, place),
  });
}

class RateLimiter {
  private readonly options: RateLimitOptions;
  private readonly store: RateStore;
  private readonly counts = new LimitCounts();
  private readonly keyOf: (request: HttpRequest) => string | null;
  /** The lines of an answer up to what differs from one to the next. */
  private readonly linesBegin: string;
  private readonly label: string;

  constructor(given?: Partial<RateLimitOptions>) {
    this.options = rateLimitOptions(given);
    const { algorithm, key, name, keyMaxCount, store } = this.options;
    const limit = RATE_ALGORITHMS[algorithm].make(this.options);
    this.keyOf = keyReader(key, new ClientKeys(this.options));
    this.label = rateLimitLabel(name);
    this.linesBegin = `ratelimit-policy: ${rateLimitPolicyField(this.label, limit)}\r\nratelimit: `;
    this.store = store === null ? new KeyedRate(limit, Math.random, { keyMaxCount }) : store(limit);
  }

  answer(request: HttpRequest, inner: Handler): Answer {
    const key = this.keyOf(request);
    if (key === null) return inner(request);
    const decision = this.store.admit(key, this.options.clock.now());
    if (!(decision instanceof Promise)) return this.obey(decision, key, request, inner);
    return this.decided(decision, request).then((decided) => this.obey(decided, key, request, inner));
  }

  /** The decision is read before anything else runs: its store writes the next one over it. */
  private obey(decision: Readonly<RateDecision>, key: string, request: HttpRequest, inner: Handler): Answer {
    const { name, headers } = this.options;
    if (typeof decision.admitted !== 'boolean') throw new TypeError('rateLimit: store: it gave no decision');
    const { waitMs, retryAfterMs } = decision;
    const lines = headers ? `${this.linesBegin}${rateLimitField(this.label, decision)}\r\n` : '';
    if (!decision.admitted) {
      this.counts.refuse('rate');
      if (refuses.heard)
        refuses.publish({ layer: 'rateLimit', name, requestId: request.id, key, reason: 'rate', retryAfterMs });
      return rateRefusal(retryAfterMs, lines);
    }
    this.counts.admit(waitMs > 0);
    if (admits.heard) admits.publish({ layer: 'rateLimit', name, requestId: request.id, key, waitMs });
    const answer = waitMs > 0 ? this.wait(request, waitMs).then(() => inner(request)) : inner(request);
    return headers ? mapAnswer(answer, (response) => withLines(response, FIELD_NAMES, lines)) : answer;
  }

  status(): RateLimitStatus {
    const { counts, store } = this;
    const { admittedCount, delayedCount, refusedCount } = counts;
    const forgottenCount = store instanceof KeyedRate ? store.evictedCount : 0;
    return { admittedCount, delayedCount, refusedCount, forgottenCount };
  }

  measure(take: Measure, place: string): void {
    const at = { limit: this.options.name, place };
    this.counts.measure(take, 'rateLimit', at);
    take('sluice_rate_limit_forgotten_total', at, this.status().forgottenCount);
  }

  /** Waits for a store that takes its time. Rejects when the request has ended meanwhile. */
  private async decided(
    decision: Promise<Readonly<RateDecision>>,
    request: HttpRequest,
  ): Promise<Readonly<RateDecision>> {
    let ended: Failure | null = null;
    request.onAbort((failure) => {
      ended = failure;
    });
    const decided = await decision;
    if (ended !== null) throw ended;
    return decided;
  }

  /** Rejects when the request ends before its turn. */
  private wait(request: HttpRequest, waitMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.options.clock.after(waitMs, resolve);
      request.onAbort((failure) => {
        timer.cancel();
        reject(failure);
      });
    });
  }
}
