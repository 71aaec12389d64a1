import type { Clock } from '../../core/clock.ts';
import { systemClock } from '../../core/clock.ts';
import { oneOf, oneOrMore, recordOf } from '../../core/option-kind.ts';
import { needs, notAbove, type OptionRules, part, withDefaults } from '../../core/options.ts';
import { CODEL_DEFAULTS, type CodelOptions, codel, deadlineCodel, type QueueControl } from '../../policy/codel.ts';
import { ADAPTIVE_DEFAULTS } from '../../policy/concurrency/adaptive.ts';
import { fixedLimit } from '../../policy/concurrency/algorithm.ts';
import { gradient } from '../../policy/concurrency/gradient.ts';
import { ConcurrencyLimiter } from '../../policy/concurrency/limiter.ts';
import { vegas } from '../../policy/concurrency/vegas.ts';
import { CLIENT_DEFAULTS, CLIENT_KINDS, type ClientOptions, type KeySource, keySource } from './request-key.ts';
import { CLASS_KINDS, type ClassOptions } from './shed-class.ts';

/** Algorithms that find the limit themselves. */
export const ADAPTIVE_LIMITS = ['vegas', 'gradient'] as const;
/** Ways to refuse who has waited too long in a queue that stands. */
export const CODEL_MODES = ['deadline', 'paced'] as const;

/** When requests that waited are refused because the queue stands, though there would be room and time. */
export interface QueueCodelOptions extends CodelOptions {
  /**
   * `deadline`: while no wait of an interval was below the target, everybody who has waited for twice the target.
   * `paced`: RFC 8289, one at a time and then more often, for clients that slow down when they are refused.
   */
  mode: (typeof CODEL_MODES)[number];
}

export const QUEUE_CODEL_DEFAULTS: Readonly<QueueCodelOptions> = { ...CODEL_DEFAULTS, mode: 'deadline' };

/** How many requests there may be at once, and who waits. */
export interface ConcurrencyLimitOptions extends ClassOptions, ClientOptions {
  /** The limit's name in events. */
  name: string;
  /** Requests at once; with `adaptive` the most that it may find. */
  requestMaxCount: number;
  /** Find the limit from how long answers take; `null` is a fixed limit. */
  adaptive: (typeof ADAPTIVE_LIMITS)[number] | null;
  /** Adaptive: the limit at the start, within the other two. */
  requestStartCount: number;
  /** Adaptive: the limit never goes below. */
  requestMinCount: number;
  /** Adaptive: how long a round trip without a queue is trusted before few requests are let through to measure it anew. */
  probeIntervalMs: number;
  /** Requests that wait for their turn; `null` refuses them at once. The class `normal` may fill 2/3 of it, `low` 1/3. */
  queueMaxCount: number | null;
  /** How long a request waits. */
  queueTimeoutMs: number;
  /** Keep waits short while there is too much to do; `null` refuses only who has waited for `queueTimeoutMs`. */
  codel: Partial<QueueCodelOptions> | null;
  /** Who shares the queue fairly, by turns; `null` is first come, first served. A header counts only from a trusted proxy. */
  tenant: KeySource | null;
  /** Turns in a round, by the tenant's name (value of the header, or principal); 1 or more, and 1 for all others. */
  tenantWeights: Readonly<Record<string, number>>;
  /** Requests of one tenant that may wait; `null` is a fair share. */
  tenantQueueMaxCount: number | null;
  /** How long a handler that goes on after its request was ended early keeps its place; `null` is until it has ended. */
  abandonMs: number | null;
  /** What `retry-after` says to who is refused. */
  retryAfterMs: number;
  clock: Clock;
}

export const CONCURRENCY_LIMIT_DEFAULTS: Readonly<ConcurrencyLimitOptions> = {
  name: 'default',
  requestMaxCount: 1000,
  adaptive: null,
  requestStartCount: ADAPTIVE_DEFAULTS.limitStartCount,
  requestMinCount: ADAPTIVE_DEFAULTS.limitMinCount,
  probeIntervalMs: ADAPTIVE_DEFAULTS.probeIntervalMs,
  queueMaxCount: 1000,
  queueTimeoutMs: 1000,
  codel: null,
  tenant: null,
  tenantWeights: {},
  tenantQueueMaxCount: null,
  class: 'high',
  classHeader: null,
  ...CLIENT_DEFAULTS,
  abandonMs: 30_000,
  retryAfterMs: 1000,
  clock: systemClock,
};

/** Fills options up. Throws `TypeError` naming every wrong field. */
const queueCodelOptions = (given: Partial<QueueCodelOptions>): QueueCodelOptions =>
  withDefaults('codel', QUEUE_CODEL_DEFAULTS, given, { kinds: { mode: oneOf(CODEL_MODES) } });

const RULES: OptionRules<ConcurrencyLimitOptions> = {
  offable: ['queueMaxCount', 'abandonMs', 'class'],
  kinds: {
    ...CLASS_KINDS,
    ...CLIENT_KINDS,
    adaptive: oneOf(ADAPTIVE_LIMITS),
    codel: part(queueCodelOptions),
    tenant: keySource,
    tenantWeights: recordOf(oneOrMore),
  },
  relations: [
    needs('requestStartCount', 'adaptive'),
    needs('requestMinCount', 'adaptive'),
    needs('probeIntervalMs', 'adaptive'),
    notAbove('requestMinCount', 'requestMaxCount'),
    notAbove('requestStartCount', 'requestMaxCount'),
    needs('queueTimeoutMs', 'queueMaxCount'),
    needs('codel', 'queueMaxCount'),
    needs('tenant', 'queueMaxCount'),
    needs('tenantWeights', 'tenant'),
    needs('tenantQueueMaxCount', 'tenant'),
    needs('classHeader', 'trustedProxies'),
    {
      of: ['tenant', 'trustedProxies'],
      fault: ({ tenant, trustedProxies }) =>
        tenant !== null && typeof tenant === 'object' && trustedProxies.length === 0
          ? 'tenant: a header means nothing without trustedProxies'
          : null,
    },
  ],
  ordered: [['requestMinCount', 'requestStartCount']],
};

/** All options of a limit. Throws `TypeError` naming every wrong one. */
export const concurrencyOptions = (given?: Partial<ConcurrencyLimitOptions>): ConcurrencyLimitOptions =>
  withDefaults('concurrencyLimit', CONCURRENCY_LIMIT_DEFAULTS, given, RULES);

/** What counts requests, whatever its algorithm. */
export type AnyLimiter = Pick<
  ConcurrencyLimiter<{ limit: number }>,
  'acquire' | 'release' | 'inFlightCount' | 'limitCount'
>;

/** The limiter of these options. */
export function makeLimiter(options: ConcurrencyLimitOptions): AnyLimiter {
  const { adaptive, requestMaxCount, requestStartCount, requestMinCount, probeIntervalMs } = options;
  if (adaptive === null) return new ConcurrencyLimiter(fixedLimit(requestMaxCount));
  const limitMinCount = Math.min(requestMinCount, requestMaxCount);
  const limitStartCount = Math.min(Math.max(requestStartCount, limitMinCount), requestMaxCount);
  const bounds = { limitStartCount, limitMinCount, limitMaxCount: requestMaxCount, probeIntervalMs };
  return new ConcurrencyLimiter(adaptive === 'vegas' ? vegas(bounds) : gradient(bounds));
}

/** The control of the queue, where there is one. */
export function makeQueueControl(given: ConcurrencyLimitOptions['codel']): QueueControl | null {
  if (given === null) return null;
  const { mode, targetMs, intervalMs } = queueCodelOptions(given);
  return mode === 'paced' ? codel({ targetMs, intervalMs }) : deadlineCodel({ targetMs, intervalMs });
}
