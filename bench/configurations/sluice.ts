import { IN_FLIGHT_MAX_COUNT, type Job } from '../job.ts';
import { HELLO, LARGE } from '../sites.ts';
import { isTls, type Wire } from '../wire.ts';

const PROTOCOLS: Readonly<Record<Wire, readonly string[]>> = {
  http: ['http1'],
  https: ['http1'],
  h2: ['h2', 'http1'],
  h2c: ['h2'],
};

/** Sluice's own. JSON is YAML too. */
export function sluiceConfiguration(job: Job, accessLog: boolean): string {
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
    endpoints: [{ url: `http://127.0.0.1:${origin.port}` }],
    pool: { connectionMaxCount: IN_FLIGHT_MAX_COUNT },
    ...(origin.wire === 'h2c' ? { protocol: 'h2' } : {}),
  };
  const headers = { 'content-type': 'text/plain' };
  const route =
    site === 'proxy'
      ? { proxy: { upstream: 'origin' } }
      : { respond: { status: 200, headers, body: site === 'large' ? LARGE : HELLO } };
  return JSON.stringify({
    listeners: [listener],
    routes: [{ match: { path: '/*' }, ...route }],
    ...(accessLog ? { logs: { access: true } } : {}),
    ...(site === 'proxy' ? { upstreams: [upstream] } : {}),
  });
}
