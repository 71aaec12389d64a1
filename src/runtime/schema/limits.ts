import { z } from 'zod';
import { RATE_ALGORITHM_NAMES } from '../../policy/rate/algorithms.ts';
import { LEAKY_BUCKET_DEFAULTS, TOKEN_BUCKET_DEFAULTS } from '../../policy/rate/bucket.ts';
import { KEY_MAX_COUNT } from '../../policy/rate/keyed-rate.ts';
import { SLIDING_WINDOW_DEFAULTS } from '../../policy/rate/sliding-window.ts';
import { SHED_CLASSES } from '../../policy/shedding.ts';
import {
  ADAPTIVE_LIMITS,
  CODEL_MODES,
  CONCURRENCY_LIMIT_DEFAULTS,
  type ConcurrencyLimitOptions,
  concurrencyOptions,
  QUEUE_CODEL_DEFAULTS,
} from '../../web/layers/concurrency-options.ts';
import {
  LOAD_SHEDDING_DEFAULTS,
  type LoadSheddingOptions,
  loadSheddingOptions,
} from '../../web/layers/load-shedding.ts';
import { RATE_LIMIT_DEFAULTS, type RateLimitOptions, rateLimitOptions } from '../../web/layers/rate-limit.ts';
import { KEY_SOURCES } from '../../web/layers/request-key.ts';
import {
  consistent,
  count,
  fieldName,
  milliseconds,
  millisecondsOrNone,
  offable,
  perSec,
  ratio,
  required,
  setting,
  trustedProxy,
} from './unit.ts';

const NAME = 'a name in printable ASCII';

const name = (what: string) =>
  setting(z.string(NAME).regex(/^[ -~]+$/, NAME), `What ${what} call this limit.`, RATE_LIMIT_DEFAULTS.name);

const keySource = (header: string) =>
  z.union(
    [z.enum(KEY_SOURCES), z.strictObject({ header: required(fieldName, header) })],
    `one of ${KEY_SOURCES.join(', ')}, or a block with \`header\``,
  );

const trustedProxies = setting(
  z.array(trustedProxy),
  'Peers that are believed: addresses, CIDR ranges, or `unix`. Default: none.',
);

const ipv6PrefixLength = setting(
  z.int('a whole number from 0 to 128').min(0, 'a whole number from 0 to 128').max(128, 'a whole number from 0 to 128'),
  'How many leading bits of an IPv6 address are one client.',
  RATE_LIMIT_DEFAULTS.ipv6PrefixLength,
);

const KEYS = `a whole number from 1 to ${KEY_MAX_COUNT}`;
const keyCount = z.int(KEYS).min(1, KEYS).max(KEY_MAX_COUNT, KEYS);

const rate = {
  algorithm: setting(
    z.enum(RATE_ALGORITHM_NAMES),
    '`token-bucket` and `gcra`: bursts up to a size. `leaky-bucket`: an even pace, for which requests wait. `sliding-window`: so many in any window.',
    RATE_LIMIT_DEFAULTS.algorithm,
  ),
  requestsPerSec: setting(
    perSec,
    'Buckets: how many in the long run. Below 1 is one in many seconds.',
    TOKEN_BUCKET_DEFAULTS.requestsPerSec,
  ),
  burstCount: setting(count, 'Token bucket: how many at once.', TOKEN_BUCKET_DEFAULTS.burstCount),
  queueMaxCount: setting(
    count,
    'Leaky bucket: how many of a key wait for their turn. One more: 429.',
    LEAKY_BUCKET_DEFAULTS.queueMaxCount,
  ),
  requestMaxCount: setting(count, 'Sliding window: how many in a window.', SLIDING_WINDOW_DEFAULTS.requestMaxCount),
  windowMs: setting(milliseconds, 'Sliding window: its length.', SLIDING_WINDOW_DEFAULTS.windowMs),
  name: name('response fields and events'),
  key: setting(
    keySource('Requests are told apart by the value of this field, which clients can choose.'),
    'What requests are told apart by: the address, who has been authenticated, the path, nothing (`route`), or `{ header: name }`.',
    'client-ip',
  ),
  keyMaxCount: setting(
    keyCount,
    'Keys that are told apart at once. The memory is taken at the start: 24 bytes each, 40 for windows.',
    RATE_LIMIT_DEFAULTS.keyMaxCount,
  ),
  ipv6PrefixLength,
  trustedProxies,
  headers: setting(z.boolean(), 'Tell clients in `ratelimit` what they have left.', RATE_LIMIT_DEFAULTS.headers),
} satisfies Record<Exclude<keyof RateLimitOptions, 'store' | 'clock'>, z.ZodType>;

export const rateLimit = setting(
  consistent(z.strictObject(rate), rateLimitOptions),
  'So many requests of a client in a time. Over it: 429 with `retry-after`. See [rate-limit.md](policies/rate-limit.md).',
);

export const requestClass = setting(
  z.strictObject({
    class: required(
      z.nullable(z.enum(SHED_CLASSES)),
      'Goes before the `class` of the limits. `null`: they let it pass and take no notice.',
    ),
  }),
  'How important requests are to the limits after it, those of the upstream too: for health checks that an upstream answers.',
);

const shedClass = (fallback: string) => ({
  class: offable(
    z.enum(SHED_CLASSES),
    'How important requests are when not all can be served. `null`: never refused.',
    fallback,
  ),
  classHeader: offable(fieldName, 'A field in which a trusted proxy names another class.', null),
  trustedProxies,
});

const codel = {
  mode: setting(
    z.enum(CODEL_MODES),
    '`deadline`: everybody who has waited for twice the target. `paced`: RFC 8289, one after the other.',
    QUEUE_CODEL_DEFAULTS.mode,
  ),
  targetMs: setting(milliseconds, 'The wait that the queue may keep up.', QUEUE_CODEL_DEFAULTS.targetMs),
  intervalMs: setting(
    milliseconds,
    'Longer waits for less than this are a burst, which is served.',
    QUEUE_CODEL_DEFAULTS.intervalMs,
  ),
};

const concurrency = {
  name: name('events'),
  requestMaxCount: setting(
    count,
    'Requests at once; with `adaptive` the most that it may find.',
    CONCURRENCY_LIMIT_DEFAULTS.requestMaxCount,
  ),
  adaptive: offable(
    z.enum(ADAPTIVE_LIMITS),
    'Find the limit from how long answers take. `null`: a fixed limit.',
    CONCURRENCY_LIMIT_DEFAULTS.adaptive,
  ),
  requestStartCount: setting(count, 'Adaptive: the limit at the start.', CONCURRENCY_LIMIT_DEFAULTS.requestStartCount),
  requestMinCount: setting(count, 'Adaptive: the least limit.', CONCURRENCY_LIMIT_DEFAULTS.requestMinCount),
  probeIntervalMs: setting(
    milliseconds,
    'Adaptive: how long the time of an answer without a queue is trusted, before it is measured anew.',
    CONCURRENCY_LIMIT_DEFAULTS.probeIntervalMs,
  ),
  queueMaxCount: offable(count, 'Requests that wait. One more: 503.', CONCURRENCY_LIMIT_DEFAULTS.queueMaxCount),
  queueTimeoutMs: setting(
    milliseconds,
    'How long a request waits. Over it: 503.',
    CONCURRENCY_LIMIT_DEFAULTS.queueTimeoutMs,
  ),
  codel: offable(z.strictObject(codel), 'Refuse earlier while the queue stands, so that waits stay short.', null),
  tenant: offable(
    keySource('The tenant is named by a trusted proxy in this field.'),
    'Who shares the queue fairly: as `key` of `rateLimit`. `null`: first come, first served.',
    null,
  ),
  tenantWeights: setting(
    z.record(z.string(), z.number('a number, 1 or more').min(1, 'a number, 1 or more')),
    'Turns in a round for tenants by name, such as `{ gold: 4 }`; 1 for all others.',
  ),
  tenantQueueMaxCount: offable(count, 'Requests of one tenant that wait. `null`: a fair share.', null),
  ipv6PrefixLength,
  ...shedClass('high'),
  retryAfterMs: setting(millisecondsOrNone, 'What `retry-after` says.', CONCURRENCY_LIMIT_DEFAULTS.retryAfterMs),
  // `abandonMs` is for handlers of a program: what a configuration can run stops when its request ends.
} satisfies Record<Exclude<keyof ConcurrencyLimitOptions, 'clock' | 'abandonMs'>, z.ZodType>;

export const concurrencyLimit = setting(
  consistent(z.strictObject(concurrency), concurrencyOptions),
  'So many requests at once. Over it they wait, or: 503 with `retry-after`. See [concurrency-limit.md](policies/concurrency-limit.md).',
);

const shedding = {
  name: name('events'),
  ...shedClass('normal'),
  delayMinMs: setting(
    millisecondsOrNone,
    'Up to this delay of the event loop nothing is refused.',
    LOAD_SHEDDING_DEFAULTS.delayMinMs,
  ),
  delayMaxMs: setting(milliseconds, 'From this delay on everything is.', LOAD_SHEDDING_DEFAULTS.delayMaxMs),
  smoothingMs: setting(
    millisecondsOrNone,
    'Delays are averaged over about this long.',
    LOAD_SHEDDING_DEFAULTS.smoothingMs,
  ),
  hysteresisRatio: setting(
    ratio,
    'By how much of the range the delay has to fall before less is refused.',
    LOAD_SHEDDING_DEFAULTS.hysteresisRatio,
  ),
  periodMs: setting(
    milliseconds,
    'For so long it is the same clients that are refused.',
    LOAD_SHEDDING_DEFAULTS.periodMs,
  ),
  retryAfterMs: setting(millisecondsOrNone, 'What `retry-after` says.', LOAD_SHEDDING_DEFAULTS.retryAfterMs),
} satisfies Record<Exclude<keyof LoadSheddingOptions, 'clock' | 'ipv6PrefixLength'>, z.ZodType>;

export const loadShedding = setting(
  consistent(z.strictObject(shedding), loadSheddingOptions),
  'While the processor cannot keep up: 503 with `retry-after`, the less important requests first. See [load-shedding.md](policies/load-shedding.md).',
);
