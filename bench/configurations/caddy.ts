import { IN_FLIGHT_MAX_COUNT, type Job, write } from '../job.ts';
import { HELLO, LARGE, LARGE_PATH, type Site } from '../sites.ts';
import { isTls, originOf, type Wire } from '../wire.ts';

const PROTOCOLS: Readonly<Record<Wire, string>> = { http: 'h1', https: 'h1', h2: 'h1 h2', h2c: 'h1 h2c' };

/** Caddy; it keeps to one core because it is pinned to one. */
export function caddyConfiguration(job: Job): string {
  const { site, wire, port, origin, folder, certificate } = job;
  write(job, LARGE_PATH, LARGE);
  const answers: Readonly<Record<Site, string>> = {
    hello: `respond "${HELLO}"`,
    large: `root * ${folder}\n  file_server`,
    proxy: `reverse_proxy ${origin.wire === 'h2c' ? 'h2c' : 'http'}://127.0.0.1:${origin.port} {
    transport http {
      keepalive_idle_conns_per_host ${IN_FLIGHT_MAX_COUNT}
    }
  }`,
    routes: '',
    echo: '',
  };
  return `{
  admin off
  auto_https off
  servers {
    protocols ${PROTOCOLS[wire]}
  }
}
${originOf(wire, port)} {
  bind 127.0.0.1
  ${isTls(wire) ? `tls ${certificate.cert} ${certificate.key}` : ''}
  ${answers[site]}
}
`;
}
