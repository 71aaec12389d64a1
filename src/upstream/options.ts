import { type Clock, systemClock } from '../core/clock.ts';
import { fieldName, oneOf } from '../core/option-kind.ts';
import { notAbove, type OptionRules, part, withDefaults } from '../core/options.ts';
import type { BalanceName } from '../policy/balance/balancer.ts';
import { type BreakerOptions, breakerOptions } from '../policy/breaker.ts';
import { type OutlierOptions, outlierOptions } from '../policy/outlier.ts';
import { type SlowStartOptions, slowStartOptions } from '../policy/slow-start.ts';
import { type SpillOptions, spillOptions } from '../policy/tiers.ts';
import { type UpstreamTlsOptions, upstreamTlsOptions } from '../transport/upstream-tls.ts';
import {
  type BalanceOptions,
  type BalanceSettings,
  balanceKind,
  balanceSettings,
  WEIGHTED,
  WEIGHTS_NEEDED,
} from './balance.ts';
import { type Discovery, isDiscovery } from './discover.ts';
import { type DiscoverOptions, discoverKind, discoverSettings } from './discover-options.ts';
import { type EndpointSource, endpointList } from './endpoint-source.ts';
import { type ProbeOptions, probeSettings } from './probe-options.ts';
import { type RetryOptions, retryOptions } from './retry.ts';

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

/**
 * What an upstream may be said to speak. `h2` on `http://` and `unix:` is spoken without asking (RFC 9113 §3.3); on
 * `https://` the server must agree. `auto` is what a server prefers on `https://`, and elsewhere HTTP/1.1.
 */
export const UPSTREAM_PROTOCOLS = ['auto', 'http1', 'h2'] as const;
export type UpstreamProtocol = (typeof UPSTREAM_PROTOCOLS)[number];

/** Probes, and what requests tell; `null`, the default, is off. Without either an endpoint is always taken to be well. */
export interface HealthSettings {
  active?: Partial<ProbeOptions> | null;
  passive?: Partial<OutlierOptions> | null;
}

/** What is not given has its default; for `discover`, `breaker`, `retry` and `slowStart` that is `null`, off. */
export interface UpstreamOptions {
  /** For logs, metrics and events; the first endpoint, or what is discovered, when not given. */
  name?: string;
  /** Where its servers are; may be left out when they are discovered. */
  endpoints?: readonly EndpointSource[];
  /** Where more of them are looked for: in DNS, or by whatever else finds them. */
  discover?: Partial<DiscoverOptions> | Discovery | null;
  /** How an endpoint is chosen; default `round-robin`. */
  balance?: BalanceName | BalanceOptions;
  /** Default `auto`. */
  protocol?: UpstreamProtocol;
  /** For endpoints that are `https://`. */
  tls?: Partial<UpstreamTlsOptions>;
  pool?: Partial<PoolOptions>;
  timeouts?: Partial<UpstreamTimeouts>;
  health?: HealthSettings;
  breaker?: Partial<BreakerOptions> | null;
  retry?: Partial<RetryOptions> | null;
  /** How new and recovered endpoints come up to their share. */
  slowStart?: Partial<SlowStartOptions> | null;
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

/** Fills it up. Throws `TypeError` naming every wrong field. */
export const poolOptions = (given?: Partial<PoolOptions>): PoolOptions =>
  withDefaults('pool', POOL_DEFAULTS, given, { relations: [notAbove('connectionMinCount', 'connectionMaxCount')] });

const TIMEOUT_RULES: OptionRules<UpstreamTimeouts> = {
  offable: ['headMs', 'idleMs'],
  kinds: { deadlineHeader: fieldName },
  relations: [
    {
      of: ['deadlineHeader', 'deadlineTrusted'],
      fault: ({ deadlineHeader, deadlineTrusted }) =>
        deadlineTrusted && deadlineHeader === null ? 'deadlineTrusted: there is no deadlineHeader' : null,
    },
  ],
};

/** Fills it up. Throws `TypeError` naming every wrong field. */
export const timeoutOptions = (given?: Partial<UpstreamTimeouts>): UpstreamTimeouts =>
  withDefaults('timeouts', TIMEOUT_DEFAULTS, given, TIMEOUT_RULES);

const healthOptions = (given?: HealthSettings): Required<HealthSettings> =>
  withDefaults<Required<HealthSettings>>('health', { active: null, passive: null }, given, {
    kinds: { active: part(probeSettings), passive: part(outlierOptions) },
  });

const DEFAULTS: Readonly<Required<UpstreamOptions>> = {
  name: '',
  endpoints: [],
  discover: null,
  balance: 'round-robin',
  protocol: 'auto',
  tls: {},
  pool: {},
  timeouts: {},
  health: {},
  breaker: null,
  retry: null,
  slowStart: null,
  spill: {},
  zone: '',
  clock: systemClock,
  random: () => Math.random(),
};

const RULES: OptionRules<Required<UpstreamOptions>> = {
  kinds: {
    endpoints: endpointList,
    discover: discoverKind,
    balance: balanceKind,
    protocol: oneOf(UPSTREAM_PROTOCOLS),
    tls: part(upstreamTlsOptions),
    pool: part(poolOptions),
    timeouts: part(timeoutOptions),
    health: part(healthOptions),
    breaker: part(breakerOptions),
    retry: part(retryOptions),
    slowStart: part(slowStartOptions),
    spill: part(spillOptions),
  },
  relations: [
    {
      of: ['endpoints', 'discover'],
      fault: ({ endpoints, discover }) =>
        endpoints.length === 0 && discover === null ? 'endpoints: at least one is needed, or discover' : null,
    },
    {
      of: ['slowStart', 'balance'],
      fault: ({ slowStart, balance }) =>
        slowStart === null || WEIGHTED.has(balanceSettings(balance).policy) ? null : `slowStart: ${WEIGHTS_NEEDED}`,
    },
    {
      of: ['retry', 'timeouts'],
      fault({ retry, timeouts: { totalMs = null } }) {
        const perTryMs = retry?.perTryTimeoutMs ?? null;
        if (perTryMs === null || totalMs === null || perTryMs <= totalMs) return null;
        return `retry: perTryTimeoutMs: ${perTryMs} is above timeouts.totalMs, ${totalMs}`;
      },
    },
  ],
};

/** Checks what is given, and fills it up. Throws a `TypeError` that names every wrong field. */
export function upstreamSettings(given: UpstreamOptions): UpstreamSettings {
  const options = withDefaults<Required<UpstreamOptions>>('upstream', DEFAULTS, given, RULES);
  const { discover, health, breaker, retry, slowStart, ...rest } = options;
  const { active, passive } = healthOptions(health);
  return {
    ...rest,
    discover: discover === null || isDiscovery(discover) ? discover : discoverSettings(discover),
    balance: balanceSettings(rest.balance),
    tls: upstreamTlsOptions(rest.tls),
    pool: poolOptions(rest.pool),
    timeouts: timeoutOptions(rest.timeouts),
    active: active === null ? null : probeSettings(active),
    passive: passive === null ? null : outlierOptions(passive),
    breaker: breaker === null ? null : breakerOptions(breaker),
    retry: retry === null ? null : retryOptions(retry),
    slowStart: slowStart === null ? null : slowStartOptions(slowStart),
    spill: spillOptions(rest.spill),
  };
}
