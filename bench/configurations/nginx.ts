import { IN_FLIGHT_MAX_COUNT, type Job, write } from '../job.ts';
import { loopback } from '../loopback.ts';
import { HELLO, LARGE, LARGE_PATH, type Site } from '../sites.ts';
import { isTls, type Wire } from '../wire.ts';

const LOCATIONS: Readonly<Record<Extract<Site, 'hello' | 'large' | 'proxy'>, string>> = {
  hello: `location / { return 200 "${HELLO}"; }`,
  // A string in the configuration cannot be this long; a cached file is how nginx serves 64 KiB.
  large: 'location / { open_file_cache max=10 inactive=1h; }',
  proxy:
    'location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffer_size 16k; proxy_buffers 8 32k; proxy_busy_buffers_size 128k; }',
};

const LISTEN: Readonly<Record<Wire, string>> = { http: '', https: 'ssl', h2: 'ssl http2', h2c: 'http2' };

/** How an nginx is set up beyond what its job says. */
export interface NginxVariant {
  readonly accessLog?: boolean;
  /** The origin under so many addresses of the loopback network; default 1. */
  readonly endpointCount?: number;
}

/** nginx with one worker. */
export function nginxConfiguration(job: Job, variant: NginxVariant): string {
  const location = job.site === 'large' || job.site === 'proxy' ? LOCATIONS[job.site] : LOCATIONS.hello;
  return nginxWith(job, variant, [location], '127.0.0.1');
}

/** The server behind the proxies: nginx, with `hello` and `large`. */
export function originConfiguration(job: Job): string {
  const { hello, large } = LOCATIONS;
  // Under every address of the loopback network, so that it can be many endpoints.
  return nginxWith(job, {}, [hello, large.replace('location /', `location = ${LARGE_PATH}`)], '0.0.0.0');
}

function nginxWith(job: Job, variant: NginxVariant, locations: readonly string[], host: string): string {
  const { accessLog = false, endpointCount = 1 } = variant;
  const { site, wire, port, origin, folder, certificate } = job;
  write(job, LARGE_PATH, LARGE);
  // Without this the worker cannot read the folder when the benchmark runs as root; otherwise nginx refuses the line.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  const upstream =
    site === 'proxy'
      ? `upstream origin { ${servers(endpointCount, origin.port)} keepalive ${Math.max(endpointCount, IN_FLIGHT_MAX_COUNT)}; keepalive_requests 1000000000; }`
      : '';
  const tls = isTls(wire)
    ? `ssl_certificate ${certificate.cert}; ssl_certificate_key ${certificate.key}; ssl_protocols TLSv1.2 TLSv1.3;`
    : '';
  return `${user}
daemon off; worker_processes 1; worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 19000; }
http {
  access_log ${accessLog ? `${folder}/access.log` : 'off'};
  default_type text/plain; sendfile on; tcp_nopush on; server_tokens off;
  keepalive_requests 1000000000; keepalive_timeout 300s;
  ${temporary.join(' ')}
  ${upstream}
  server {
    listen ${host}:${port} ${LISTEN[wire]} backlog=4096; root ${folder};
    ${tls}
    ${locations.join('\n    ')}
  }
}
`;
}

const servers = (count: number, port: number): string =>
  Array.from({ length: count }, (_, index) => `server ${loopback(index)}:${port};`).join(' ');
