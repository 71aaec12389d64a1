import { type Clock, systemClock } from '../core/clock.ts';
import { withDefaults } from '../core/options.ts';
import { TLS_VERSIONS } from '../transport/tls/options.ts';
import { UPSTREAM_TLS_DEFAULTS, type UpstreamTlsOptions } from '../transport/upstream-tls.ts';

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
  /** Requests that wait for a connection; more are 503. */
  queueMaxCount: number;
  /** How long a request waits for a connection while none may be opened; over it is 503. */
  queueTimeoutMs: number;
}

/** How long an upstream may take. `null` is off. */
export interface UpstreamTimeouts {
  /** To accept a connection, and to finish its TLS handshake; over it another endpoint is tried, then 504. */
  connectMs: number;
  /** From the request's end to the head of the answer; over it is 504. */
  headMs: number | null;
  /** Between two bytes of an answer, or of a request it does not take; over it the answer breaks off. */
  idleMs: number | null;
}

/** `http://host:port`, `https://host:port`, or `unix:/path`. */
type EndpointSource = string | { readonly url: string };

/** The names `balance` may have. */
export const BALANCES = ['round-robin'] as const;
export type BalanceName = (typeof BALANCES)[number];

/**
 * What an upstream may be said to speak. `h2` on `http://` and `unix:` is spoken without asking (RFC 9113 §3.3); on
 * `https://` the server must agree. `auto` is what a server prefers on `https://`, and elsewhere HTTP/1.1.
 */
export const UPSTREAM_PROTOCOLS = ['auto', 'http1', 'h2'] as const;
export type UpstreamProtocol = (typeof UPSTREAM_PROTOCOLS)[number];

export interface UpstreamOptions {
  /** For logs, metrics and events; the first endpoint when not given. */
  name?: string;
  endpoints: readonly EndpointSource[];
  balance?: BalanceName;
  /** Default `auto`. */
  protocol?: UpstreamProtocol;
  /** For endpoints that are `https://`. */
  tls?: Partial<UpstreamTlsOptions>;
  pool?: Partial<PoolOptions>;
  timeouts?: Partial<UpstreamTimeouts>;
  clock?: Clock;
}

export const POOL_DEFAULTS: Readonly<PoolOptions> = {
  connectionMaxCount: 256,
  connectionTotalMaxCount: null,
  streamMaxCount: 100,
  idleTimeoutMs: 55_000,
  queueMaxCount: 1000,
  queueTimeoutMs: 5000,
};

export const TIMEOUT_DEFAULTS: Readonly<UpstreamTimeouts> = {
  connectMs: 2000,
  headMs: 60_000,
  idleMs: 60_000,
};

/** Everything an upstream needs, checked and filled up. */
export interface UpstreamSettings {
  readonly name: string;
  readonly endpoints: readonly EndpointSource[];
  readonly balance: BalanceName;
  readonly protocol: UpstreamProtocol;
  readonly tls: UpstreamTlsOptions;
  readonly pool: PoolOptions;
  readonly timeouts: UpstreamTimeouts;
  readonly clock: Clock;
}

/** Throws a `TypeError` that names every wrong field of one group at once. */
export function upstreamSettings(given: UpstreamOptions): UpstreamSettings {
  const defaults: UpstreamSettings = {
    name: '',
    endpoints: [],
    balance: 'round-robin',
    protocol: 'auto',
    tls: UPSTREAM_TLS_DEFAULTS,
    pool: POOL_DEFAULTS,
    timeouts: TIMEOUT_DEFAULTS,
    clock: systemClock,
  };
  const { pool, timeouts, tls, ...rest } = given;
  const settings = {
    ...withDefaults('upstream', defaults, rest),
    tls: withDefaults('upstream: tls', UPSTREAM_TLS_DEFAULTS, tls),
    pool: withDefaults('upstream: pool', POOL_DEFAULTS, pool, ['connectionTotalMaxCount']),
    timeouts: withDefaults('upstream: timeouts', TIMEOUT_DEFAULTS, timeouts, ['headMs', 'idleMs']),
  };
  if (settings.endpoints.length === 0) throw new TypeError('upstream: endpoints: at least one is needed');
  checkName('balance', settings.balance, BALANCES);
  checkName('protocol', settings.protocol, UPSTREAM_PROTOCOLS);
  checkName('tls: minVersion', settings.tls.minVersion, TLS_VERSIONS);
  return settings;
}

function checkName(option: string, value: string, known: readonly string[]): void {
  if (known.includes(value)) return;
  throw new TypeError(`upstream: ${option}: ${JSON.stringify(value)} is not one of ${known.join(', ')}`);
}
