import { IN_FLIGHT_MAX_COUNT, type Job } from '../job.ts';
import { loopback } from '../loopback.ts';
import { HELLO, LARGE } from '../sites.ts';
import { isTls, type Wire } from '../wire.ts';

const PROTOCOLS: Readonly<Record<Wire, readonly string[]>> = {
  http: ['http1'],
  https: ['http1'],
  h2: ['h2', 'http1'],
  h2c: ['h2'],
};

/** How a Sluice is set up beyond what its job says. */
export interface SluiceVariant {
  readonly accessLog?: boolean;
  /** Every policy that a proxy can have, with limits that are not reached. */
  readonly policies?: boolean;
  /** The origin under so many addresses of the loopback network; default 1. */
  readonly endpointCount?: number;
}

const POLICIES = {
  balance: 'least-loaded',
  health: { active: { path: '/', intervalMs: 1000 }, passive: { failureCount: 5, failureRatio: 0.5 } },
  breaker: { failureRatio: 0.5, slowCallMs: 1000 },
  retry: { attemptMaxCount: 3, budgetRatio: 0.2 },
} as const;

const LIMITS = [
  { rateLimit: { requestsPerSec: 10_000_000, burstCount: 1_000_000, key: 'client-ip' } },
  { concurrencyLimit: { adaptive: 'vegas', requestMaxCount: 10_000 } },
] as const;

/** Sluice's own. JSON is YAML too. */
export function sluiceConfiguration(job: Job, variant: SluiceVariant = {}): string {
  const { accessLog = false, policies = false, endpointCount = 1 } = variant;
  const { site, wire, port, origin, certificate } = job;
  const { cert, key } = certificate;
  const listener = {
    name: 'web',
    bind: `127.0.0.1:${port}`,
    protocols: PROTOCOLS[wire],
    ...(isTls(wire) ? { tls: { certificates: [{ cert, key }] } } : {}),
  };
  const upstream = {
    name: 'origin',
    endpoints: Array.from({ length: endpointCount }, (_, index) => ({
      url: `http://${loopback(index)}:${origin.port}`,
    })),
    pool: { connectionMaxCount: IN_FLIGHT_MAX_COUNT },
    ...(origin.wire === 'h2c' ? { protocol: 'h2' } : {}),
    ...(policies ? { ...POLICIES, timeouts: { totalMs: 30_000 } } : {}),
  };
  const headers = { 'content-type': 'text/plain' };
  const route =
    site === 'proxy'
      ? { proxy: { upstream: 'origin' } }
      : { respond: { status: 200, headers, body: site === 'large' ? LARGE : HELLO } };
  return JSON.stringify({
    listeners: [listener],
    routes: [{ match: { path: '/*' }, ...(policies ? { layers: LIMITS } : {}), ...route }],
    ...(accessLog ? { logs: { access: true } } : {}),
    ...(site === 'proxy' ? { upstreams: [upstream] } : {}),
  });
}
