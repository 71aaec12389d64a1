import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HELLO, LARGE, LARGE_PATH, type Site } from './sites.ts';

/** One server to be set up. */
export interface Job {
  readonly site: Site;
  readonly port: number;
  /** Where a `proxy` sends its requests. */
  readonly originPort: number;
  /** For configuration and files; empty at first. */
  readonly folder: string;
}

/** Writes a file into the job's folder and returns its path. */
export function write(job: Job, name: string, text: string): string {
  const path = join(job.folder, name);
  writeFileSync(path, text);
  return path;
}

/** Sluice's own. JSON is YAML too. */
export function sluiceConfiguration(job: Job, accessLog: boolean): string {
  const origin = { name: 'origin', endpoints: [{ url: `http://127.0.0.1:${job.originPort}` }] };
  const headers = { 'content-type': 'text/plain' };
  const route =
    job.site === 'proxy'
      ? { proxy: { upstream: 'origin' } }
      : { respond: { status: 200, headers, body: job.site === 'large' ? LARGE : HELLO } };
  const logs = accessLog ? { logs: { access: true } } : {};
  return JSON.stringify({
    listeners: [{ name: 'web', bind: `127.0.0.1:${job.port}` }],
    routes: [{ match: { path: '/*' }, ...route }],
    ...logs,
    ...(job.site === 'proxy' ? { upstreams: [origin] } : {}),
  });
}

const NGINX_LOCATIONS: Readonly<Record<Extract<Site, 'hello' | 'large' | 'proxy'>, string>> = {
  hello: `location / { return 200 "${HELLO}"; }`,
  // A string in the configuration cannot be this long; a cached file is how nginx serves 64 KiB.
  large: 'location / { open_file_cache max=10 inactive=1h; }',
  proxy:
    'location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffer_size 16k; proxy_buffers 8 32k; proxy_busy_buffers_size 128k; }',
};

/** nginx with one worker. */
export function nginxConfiguration(job: Job, accessLog: boolean): string {
  const location = job.site === 'large' || job.site === 'proxy' ? NGINX_LOCATIONS[job.site] : NGINX_LOCATIONS.hello;
  return nginxWith(job, accessLog, [location]);
}

/** The server behind the proxies: nginx, with `hello` and `large`. */
export function originConfiguration(job: Job): string {
  const { hello, large } = NGINX_LOCATIONS;
  return nginxWith(job, false, [hello, large.replace('location /', `location = ${LARGE_PATH}`)]);
}

function nginxWith(job: Job, accessLog: boolean, locations: readonly string[]): string {
  write(job, LARGE_PATH, LARGE);
  // Without this the worker cannot read the folder when the benchmark runs as root; otherwise nginx refuses the line.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${job.folder}/${name};`,
  );
  const upstream =
    job.site === 'proxy'
      ? `upstream origin { server 127.0.0.1:${job.originPort}; keepalive 64; keepalive_requests 1000000000; }`
      : '';
  return `${user}
daemon off; worker_processes 1; worker_rlimit_nofile 20000;
pid ${job.folder}/nginx.pid; error_log ${job.folder}/error.log;
events { worker_connections 19000; }
http {
  access_log ${accessLog ? `${job.folder}/access.log` : 'off'};
  default_type text/plain; sendfile on; tcp_nopush on; server_tokens off;
  keepalive_requests 1000000000; keepalive_timeout 300s;
  ${temporary.join(' ')}
  ${upstream}
  server {
    listen 127.0.0.1:${job.port} backlog=4096; root ${job.folder};
    ${locations.join('\n    ')}
  }
}
`;
}

/** HAProxy with one thread. */
export function haproxyConfiguration(job: Job): string {
  const body = write(job, 'body.txt', job.site === 'large' ? LARGE : HELLO);
  const answer =
    job.site === 'proxy'
      ? 'default_backend origin'
      : `http-request return status 200 content-type text/plain file ${body}`;
  // A buffer has to hold a whole answer of its own; 16 KiB is the default.
  const buffer = job.site === 'large' ? 'tune.bufsize 98304' : '';
  return `global
  nbthread 1
  maxconn 9500
  ${buffer}
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 30s
frontend web
  bind 127.0.0.1:${job.port} backlog 4096
  ${answer}
backend origin
  http-reuse always
  server origin 127.0.0.1:${job.originPort}
`;
}

/** Caddy; it keeps to one core because it is pinned to one. */
export function caddyConfiguration(job: Job): string {
  write(job, LARGE_PATH, LARGE);
  const answers: Readonly<Record<Site, string>> = {
    hello: `respond "${HELLO}"`,
    large: `root * ${job.folder}\n  file_server`,
    proxy: `reverse_proxy 127.0.0.1:${job.originPort}`,
    routes: '',
    echo: '',
  };
  return `{
  admin off
  auto_https off
}
http://127.0.0.1:${job.port} {
  bind 127.0.0.1
  ${answers[job.site]}
}
`;
}
