import { type Job, write } from '../job.ts';
import { HELLO, LARGE } from '../sites.ts';

/** HAProxy with one thread. */
export function haproxyConfiguration(job: Job): string {
  const { site, wire, port, origin, certificate } = job;
  const body = write(job, 'body.txt', site === 'large' ? LARGE : HELLO);
  const answer =
    site === 'proxy' ? 'default_backend origin' : `http-request return status 200 content-type text/plain file ${body}`;
  const protocol = {
    http: '',
    https: `ssl crt ${certificate.bundle} alpn http/1.1`,
    h2: `ssl crt ${certificate.bundle} alpn h2,http/1.1`,
    h2c: 'proto h2',
  };
  // A buffer has to hold a whole answer of its own; 16 KiB is the default.
  const buffer = site === 'large' ? 'tune.bufsize 98304' : '';
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
  bind 127.0.0.1:${port} backlog 4096 ${protocol[wire]}
  ${answer}
backend origin
  http-reuse always
  server origin 127.0.0.1:${origin.port} ${origin.wire === 'h2c' ? 'proto h2' : ''}
`;
}
