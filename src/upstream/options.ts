import { type Clock, systemClock } from '../core/clock.ts';
import { withDefaults } from '../core/options.ts';

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
  /** To accept a connection; over it another endpoint is tried, then 504. */
  connectMs: number;
  /** From the request's end to the head of the answer; over it is 504. */
  headMs: number | null;
  /** Between two bytes of an answer, or of a request it does not take; over it the answer breaks off. */
  idleMs: number | null;
}

/** `http://host:port`, or `unix:/path`. */
type EndpointSource = string | { readonly url: string };

/** The names `balance` may have. */
export const BALANCES = ['round-robin'] as const;
export type BalanceName = (typeof BALANCES)[number];

export interface UpstreamOptions {
  /** For logs, metrics and events; the first endpoint when not given. */
  name?: string;
  endpoints: readonly EndpointSource[];
  balance?: BalanceName;
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
    pool: POOL_DEFAULTS,
    timeouts: TIMEOUT_DEFAULTS,
    clock: systemClock,
  };
  const { pool, timeouts, ...rest } = given;
  const settings = withDefaults('upstream', defaults, rest);
  if (settings.endpoints.length === 0) throw new TypeError('upstream: endpoints: at least one is needed');
  if (!BALANCES.includes(settings.balance)) {
    throw new TypeError(`upstream: balance: ${JSON.stringify(settings.balance)} is not one of ${BALANCES.join(', ')}`);
  }
  return {
    ...settings,
    pool: withDefaults('upstream: pool', POOL_DEFAULTS, pool, ['connectionTotalMaxCount']),
    timeouts: withDefaults('upstream: timeouts', TIMEOUT_DEFAULTS, timeouts, ['headMs', 'idleMs']),
  };
}
