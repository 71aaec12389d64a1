import { type Clock, systemClock } from '../core/clock.ts';
import { isToken } from '../core/headers.ts';
import { withDefaults } from '../core/options.ts';
import type { BalanceName } from '../policy/balance/balancer.ts';
import { BREAKER_DEFAULTS, type BreakerOptions } from '../policy/breaker.ts';
import { OUTLIER_DEFAULTS, OUTLIER_OFFABLE, type OutlierOptions } from '../policy/outlier.ts';
import { SLOW_START_DEFAULTS, type SlowStartOptions } from '../policy/slow-start.ts';
import { SPILL_DEFAULTS, type SpillOptions } from '../policy/tiers.ts';
import { TLS_VERSIONS } from '../transport/tls/options.ts';
import { UPSTREAM_TLS_DEFAULTS, type UpstreamTlsOptions } from '../transport/upstream-tls.ts';
import { type BalanceOptions, type BalanceSettings, balanceSettings, WEIGHTED, WEIGHTS_NEEDED } from './balance.ts';
import { type Discovery, isDiscovery } from './discover.ts';
import { type DiscoverOptions, discoverSettings } from './discover-options.ts';
import type { EndpointTraits } from './endpoint.ts';
import { type ProbeOptions, probeSettings } from './probe-options.ts';
import { JITTERS, RETRY_CAUSES, RETRY_DEFAULTS, type RetryOptions } from './retry.ts';

/** How many connections an upstream keeps and how long requests wait for one. */
export interface PoolOptions {
  /** To one endpoint. */
  connectionMaxCount: number;
  /** To all endpoints together; `null` for no limit of its own. */
  connectionTotalMaxCount: number | null;
  /** Requests at once on an HTTP/2 connection; fewer where its server allows fewer. More open another connection. */
  streamMaxCount: number;
  /** An unused connection is closed after this long, or one second before the upstream has said it will close it. */
  idleTimeoutMs: number;
  /** To each endpoint, kept open even while nobody asks for them; `null`: none. */
  connectionMinCount: number | null;
  /** A connection that is older takes no new requests; `null`: it may grow old. */
  ageMaxMs: number | null;
  /** Requests that wait for a connection; more are 503. */
  queueMaxCount: number;
  /** How long a request waits for a connection while none may be opened; over it is 503. */
  queueTimeoutMs: number;
}

/** How long an upstream may take. `null` is off. */
export interface UpstreamTimeouts {
  /** For a request with all its attempts, to the end of the answer; over it is 504, or the answer breaks off. */
  totalMs: number | null;
  /** To accept a connection, and to finish its TLS handshake; over it another endpoint is tried, then 504. */
  connectMs: number;
  /** From the request's end to the head of the answer; over it is 504. */
  headMs: number | null;
  /** Between two bytes of an answer, or of a request it does not take; over it the answer breaks off. */
  idleMs: number | null;
  /**
   * The field that tells an upstream how many milliseconds are left of `totalMs`, such as `x-request-timeout-ms`;
   * `grpc-timeout` is written as gRPC does. `null`: it is not told.
   */
  deadlineHeader: string | null;
  /** What clients say in that field is heeded: where it is less, it is the deadline. */
  deadlineTrusted: boolean;
}

/** An endpoint: its URL (`http://host:port`, `https://host:port`, or `unix:/path`), and what is said of it. */
export type EndpointSource = string | EndpointOptions;

export interface EndpointOptions extends Partial<EndpointTraits> {
  readonly url: string;
  /** What it is called, where the URL has its address: for the `host` of requests, and the name in its certificate. */
  readonly host?: string;
}

export const TRAIT_DEFAULTS: Readonly<EndpointTraits> = { weight: 1, zone: '', priority: 0 };

/**
 * What an upstream may be said to speak. `h2` on `http://` and `unix:` is spoken without asking (RFC 9113 §3.3); on
 * `https://` the server must agree. `auto` is what a server prefers on `https://`, and elsewhere HTTP/1.1.
 */
export const UPSTREAM_PROTOCOLS = ['auto', 'http1', 'h2'] as const;
export type UpstreamProtocol = (typeof UPSTREAM_PROTOCOLS)[number];

/** Probes, and what requests tell. Without either an endpoint is always taken to be well. */
export interface HealthSettings {
  active?: Partial<ProbeOptions>;
  passive?: Partial<OutlierOptions>;
}

export interface UpstreamOptions {
  /** For logs, metrics and events; the first endpoint, or what is discovered, when not given. */
  name?: string;
  /** Where its servers are; may be left out when they are discovered. */
  endpoints?: readonly EndpointSource[];
  /** Where more of them are looked for: in DNS, or by whatever else finds them. */
  discover?: Partial<DiscoverOptions> | Discovery;
  /** How an endpoint is chosen; default `round-robin`. */
  balance?: BalanceName | BalanceOptions;
  /** Default `auto`. */
  protocol?: UpstreamProtocol;
  /** For endpoints that are `https://`. */
  tls?: Partial<UpstreamTlsOptions>;
  pool?: Partial<PoolOptions>;
  timeouts?: Partial<UpstreamTimeouts>;
  health?: HealthSettings;
  breaker?: Partial<BreakerOptions>;
  retry?: Partial<RetryOptions>;
  /** How new and recovered endpoints come up to their share. */
  slowStart?: Partial<SlowStartOptions>;
  /** When traffic spills over between tiers and zones. */
  spill?: Partial<SpillOptions>;
  /** The zone that we are in; default: none. */
  zone?: string;
  clock?: Clock;
  /** Numbers in [0, 1), for tests and simulations. */
  random?: () => number;
}

export const POOL_DEFAULTS: Readonly<PoolOptions> = {
  connectionMaxCount: 256,
  connectionTotalMaxCount: null,
  streamMaxCount: 100,
  idleTimeoutMs: 55_000,
  connectionMinCount: null,
  ageMaxMs: null,
  queueMaxCount: 1000,
  queueTimeoutMs: 5000,
};

const TIMEOUTS_OFFABLE = ['totalMs', 'headMs', 'idleMs'] as const;

export const TIMEOUT_DEFAULTS: Readonly<UpstreamTimeouts> = {
  totalMs: null,
  connectMs: 2000,
  headMs: 60_000,
  idleMs: 60_000,
  deadlineHeader: null,
  deadlineTrusted: false,
};

/** Everything an upstream needs, checked and filled up. `null` is off. */
export interface UpstreamSettings {
  readonly name: string;
  readonly endpoints: readonly EndpointSource[];
  readonly discover: DiscoverOptions | Discovery | null;
  readonly balance: BalanceSettings;
  readonly protocol: UpstreamProtocol;
  readonly tls: UpstreamTlsOptions;
  readonly pool: PoolOptions;
  readonly timeouts: UpstreamTimeouts;
  readonly active: ProbeOptions | null;
  readonly passive: OutlierOptions | null;
  readonly breaker: BreakerOptions | null;
  readonly retry: RetryOptions | null;
  readonly slowStart: SlowStartOptions | null;
  readonly spill: SpillOptions;
  readonly zone: string;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Throws a `TypeError` that names every wrong field of one group at once. */
export function upstreamSettings(given: UpstreamOptions): UpstreamSettings {
  const { discover, pool, timeouts, tls, balance, health, breaker, retry, slowStart, spill, ...rest } = given;
  const defaults = {
    name: '',
    endpoints: [] as readonly EndpointSource[],
    protocol: 'auto' as UpstreamProtocol,
    zone: '',
    clock: systemClock,
    random: Math.random,
  };
  const { active, passive } = withDefaults('upstream: health', NO_HEALTH, health);
  const settings: UpstreamSettings = {
    ...withDefaults('upstream', defaults, rest),
    discover: discover === undefined ? null : isDiscovery(discover) ? discover : discoverSettings(discover),
    balance: balanceSettings(balance),
    tls: withDefaults('upstream: tls', UPSTREAM_TLS_DEFAULTS, tls),
    pool: withDefaults('upstream: pool', POOL_DEFAULTS, pool, [
      'connectionTotalMaxCount',
      'connectionMinCount',
      'ageMaxMs',
    ]),
    timeouts: withDefaults('upstream: timeouts', TIMEOUT_DEFAULTS, timeouts, TIMEOUTS_OFFABLE),
    active: active === undefined ? null : probeSettings(active),
    passive: optional('upstream: health: passive', OUTLIER_DEFAULTS, passive, OUTLIER_OFFABLE),
    breaker: optional('upstream: breaker', BREAKER_DEFAULTS, breaker, ['slowCallMs']),
    retry: optional('upstream: retry', RETRY_DEFAULTS, retry, ['perTryTimeoutMs', 'hedgeAfterMs', 'budgetMinPerSec']),
    slowStart: optional('upstream: slowStart', SLOW_START_DEFAULTS, slowStart),
    spill: withDefaults('upstream: spill', SPILL_DEFAULTS, spill, ['panicRatio']),
  };
  if (settings.endpoints.length === 0 && settings.discover === null) {
    throw new TypeError('upstream: endpoints: at least one is needed, or discover');
  }
  checkPool(settings.pool);
  if (settings.breaker !== null) checkBreaker(settings.breaker);
  checkName('protocol', settings.protocol, UPSTREAM_PROTOCOLS);
  checkName('tls: minVersion', settings.tls.minVersion, TLS_VERSIONS);
  if (settings.retry !== null) checkRetry(settings.retry);
  if (settings.slowStart !== null) checkSlowStart(settings.slowStart, settings.balance.policy);
  checkDeadlineHeader(settings.timeouts);
  return settings;
}

const NO_HEALTH: { active: Partial<ProbeOptions> | undefined; passive: Partial<OutlierOptions> | undefined } = {
  active: undefined,
  passive: undefined,
};

/** A policy that is off unless something is said of it. */
function optional<Options extends object>(
  what: string,
  defaults: Readonly<Options>,
  given: Partial<Options> | undefined,
  offable: readonly (keyof Options & string)[] = [],
): Options | null {
  return given === undefined ? null : withDefaults(what, defaults, given, offable);
}

function checkSlowStart({ aggression }: SlowStartOptions, policy: BalanceName): void {
  if (!WEIGHTED.has(policy)) throw new TypeError(`upstream: slowStart: ${WEIGHTS_NEEDED}`);
  if (Number.isFinite(aggression) && aggression > 0) return;
  throw new TypeError(`upstream: slowStart: aggression: ${aggression} is not a number above 0`);
}

/** Throws `TypeError` on what cannot work. */
export function checkDeadlineHeader({ deadlineHeader, deadlineTrusted }: Partial<UpstreamTimeouts>): void {
  const name = deadlineHeader ?? null;
  if (name === null && deadlineTrusted === true) {
    throw new TypeError('upstream.timeouts: deadlineTrusted: there is no deadlineHeader');
  }
  if (name !== null && !isToken(name)) {
    throw new TypeError(`upstream.timeouts: deadlineHeader: ${JSON.stringify(name)} is no field name`);
  }
}

/** Throws `TypeError` on numbers that do not fit together. */
export function checkPool({ connectionMaxCount, connectionMinCount }: PoolOptions): void {
  if (connectionMinCount === null || connectionMinCount <= connectionMaxCount) return;
  throw new TypeError(
    `upstream.pool: connectionMinCount: ${connectionMinCount} is above connectionMaxCount, ${connectionMaxCount}`,
  );
}

/** Throws `TypeError` on numbers that do not fit together. */
export function checkBreaker({ volumeEnoughCount, volumeMinCount, windowMinMs, windowMs }: BreakerOptions): void {
  const wrong = [
    ...(windowMinMs <= windowMs ? [] : [`windowMinMs: ${windowMinMs} is above windowMs, ${windowMs}`]),
    ...(volumeEnoughCount >= volumeMinCount
      ? []
      : [`volumeEnoughCount: ${volumeEnoughCount} is below volumeMinCount, ${volumeMinCount}`]),
  ];
  if (wrong.length > 0) throw new TypeError(`upstream.breaker: ${wrong.join('; ')}`);
}

function checkRetry({ on, jitter }: RetryOptions): void {
  const unknown = on.find((cause) => !RETRY_CAUSES.includes(cause));
  if (unknown !== undefined) {
    throw new TypeError(`upstream: retry: on: ${JSON.stringify(unknown)} is not one of ${RETRY_CAUSES.join(', ')}`);
  }
  checkName('retry: jitter', jitter, JITTERS);
}

/** Throws `TypeError` when it is none of these. */
function checkName(option: string, value: string, known: readonly string[]): void {
  if (known.includes(value)) return;
  throw new TypeError(`upstream: ${option}: ${JSON.stringify(value)} is not one of ${known.join(', ')}`);
}
