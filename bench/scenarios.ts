import { PEERS } from './peers.ts';
import { COLLECTIONS, HELLO, LARGE, LARGE_PATH, type Site, thing } from './sites.ts';

/** A request and its answer, asked of every server before it is measured. */
export interface Check {
  readonly method: string;
  readonly path: string;
  readonly body: string | null;
  readonly answer: string;
}

export interface Scenario {
  readonly name: string;
  /** One or two sentences for the reader of the table. */
  readonly what: string;
  readonly site: Site;
  readonly peers: readonly string[];
  readonly check: Check;
  /** Arguments of load.lua; `null` for connections that are held without load. */
  readonly load: readonly string[] | null;
  readonly connectionCount: number;
}

const hello: Check = { method: 'GET', path: '/', body: null, answer: HELLO };
const large: Check = { ...hello, path: LARGE_PATH, answer: LARGE };
const echoed = 'x'.repeat(4096);

const scenario = (name: string, what: string, site: Site, check: Check, ...load: readonly string[]): Scenario => ({
  name,
  what,
  site,
  check,
  load,
  peers: PEERS.filter((peer) => peer.sites.includes(site)).map((peer) => peer.name),
  connectionCount: 64,
});

export const SCENARIOS: readonly Scenario[] = [
  scenario('fixed', 'A 13-byte answer over 64 keep-alive connections.', 'hello', hello),
  scenario(
    'router',
    'A hundred routes, half of them with a parameter; JSON made for each request. Servers that are libraries only.',
    'routes',
    { ...hello, path: '/things7/42', answer: JSON.stringify(thing('things7', '42')) },
    `routes=${COLLECTIONS.length}`,
  ),
  scenario(
    'browser-headers',
    'The 13-byte answer to requests with 600 bytes of headers, as a browser sends them.',
    'hello',
    hello,
    'headers=browser',
  ),
  scenario(
    'post-echo',
    'A POST of 4 KiB, answered with its own body. nginx, HAProxy and Caddy cannot echo a body.',
    'echo',
    { method: 'POST', path: '/', body: echoed, answer: echoed },
    `body=${echoed.length}`,
  ),
  scenario('answer-64k', 'A 64 KiB answer. nginx and Caddy serve it from a file.', 'large', large),
  scenario('pipelined', 'Sixteen requests at a time on each connection.', 'hello', hello, 'pipeline=16'),
  scenario('connection-per-request', 'A new connection for each request.', 'hello', hello, 'close=yes'),
  scenario('proxy', 'A reverse proxy; 13 bytes from an nginx behind it.', 'proxy', hello),
  scenario('proxy-64k', 'A reverse proxy; 64 KiB from an nginx behind it.', 'proxy', large),
  {
    ...scenario('access-log', 'The 13-byte answer with a line in an access log for each, and without.', 'hello', hello),
    peers: ['sluice', 'sluice-access-log', 'nginx', 'nginx-access-log'],
  },
  {
    ...scenario('idle', 'Memory for 8,000 keep-alive connections that have had one answer each.', 'hello', hello),
    peers: ['sluice', 'sluice-library', 'nginx', 'node-http'],
    load: null,
    connectionCount: 8000,
  },
];
