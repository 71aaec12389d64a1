import { BROWSER_HEADERS, CATALOGUE_PATHS } from './browser-headers.ts';
import { PEERS } from './peers.ts';
import { COLLECTIONS, HELLO, LARGE, LARGE_PATH, type Site, thing } from './sites.ts';
import { isHttp2, type Wire } from './wire.ts';

/** A request and its answer, asked of every server before it is measured. */
export interface Check {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly answer: string;
}

/** What puts load on the servers. */
export interface Load {
  readonly tool: 'wrk' | 'h2load' | 'handshakes';
  /** Arguments of load.lua, or of h2load, beyond those that follow from the scenario. */
  readonly options: readonly string[];
  /** Whether a connection carries more than one request. */
  readonly keepsConnections: boolean;
}

export interface Scenario {
  readonly name: string;
  /** One or two sentences for the reader of the table. */
  readonly what: string;
  readonly site: Site;
  /** How clients speak to the servers. */
  readonly wire: Wire;
  /** How proxies speak to the server behind them. */
  readonly originWire: Wire;
  readonly peers: readonly string[];
  readonly check: Check;
  /** `null` for connections that are held without load. */
  readonly load: Load | null;
  readonly connectionCount: number;
}

const hello: Check = { method: 'GET', path: '/', headers: {}, body: null, answer: HELLO };
const large: Check = { ...hello, path: LARGE_PATH, answer: LARGE };
const body = 'x'.repeat(4096);
const echo: Check = {
  method: 'POST',
  path: '/',
  headers: { 'content-type': 'application/octet-stream' },
  body,
  answer: body,
};

/** What can be different from one scenario to the next; what is left out follows from the wire. */
interface Variation {
  readonly wire?: Wire;
  readonly originWire?: Wire;
  readonly peers?: readonly string[];
  readonly load?: Partial<Load> | null;
  readonly connectionCount?: number;
}

/** Everybody who can takes part. HTTP/2 has 32 connections with 16 streams each, HTTP/1.1 has 64. */
function scenario(name: string, what: string, site: Site, check: Check, variation: Variation = {}): Scenario {
  const { wire = 'http', originWire = 'http', load, ...rest } = variation;
  const usual: Load = isHttp2(wire)
    ? { tool: 'h2load', options: ['-m16'], keepsConnections: true }
    : { tool: 'wrk', options: [], keepsConnections: true };
  const able = PEERS.filter(
    ({ sites, wires, originWires }) =>
      sites.includes(site) && wires.includes(wire) && (site !== 'proxy' || originWires.includes(originWire)),
  );
  return {
    name,
    what,
    site,
    wire,
    originWire,
    check,
    load: load === null ? null : { ...usual, ...load },
    peers: able.map((peer) => peer.name),
    connectionCount: isHttp2(wire) ? 32 : 64,
    ...rest,
  };
}

const scripted = (...options: readonly string[]): Variation => ({ load: { options } });

export const SCENARIOS: readonly Scenario[] = [
  scenario('fixed', 'A 13-byte answer over 64 keep-alive connections.', 'hello', hello),
  scenario(
    'router',
    'A hundred routes, half of them with a parameter; JSON made for each request. Servers that are libraries only.',
    'routes',
    { ...hello, path: '/things7/42', answer: JSON.stringify(thing('things7', '42')) },
    scripted(`routes=${COLLECTIONS.length}`),
  ),
  scenario(
    'browser-headers',
    'The 13-byte answer to requests with 600 bytes of headers, as a browser sends them.',
    'hello',
    hello,
    scripted('headers=browser'),
  ),
  scenario(
    'post-echo',
    'A POST of 4 KiB, answered with its own body. nginx, HAProxy and Caddy cannot echo a body.',
    'echo',
    echo,
    scripted(`body=${body.length}`),
  ),
  scenario('answer-64k', 'A 64 KiB answer. nginx and Caddy serve it from a file.', 'large', large),
  scenario('pipelined', 'Sixteen requests at a time on each connection.', 'hello', hello, scripted('pipeline=16')),
  scenario('connection-per-request', 'A new connection for each request.', 'hello', hello, {
    load: { options: ['close=yes'], keepsConnections: false },
  }),
  scenario('proxy', 'A reverse proxy; 13 bytes from an nginx behind it.', 'proxy', hello),
  scenario('proxy-64k', 'A reverse proxy; 64 KiB from an nginx behind it.', 'proxy', large),
  scenario('tls', 'The 13-byte answer over 64 keep-alive connections with TLS 1.3.', 'hello', hello, { wire: 'https' }),
  scenario(
    'tls-handshakes',
    'A new connection for each request, with TLS 1.3 and a full handshake: no session is resumed. The load takes longer than most servers, so the rate says little; compare CPU.',
    'hello',
    hello,
    { wire: 'https', load: { tool: 'handshakes', keepsConnections: false } },
  ),
  scenario('h2', 'HTTP/2 over TLS: the 13-byte answer, 32 connections with 16 streams each.', 'hello', hello, {
    wire: 'h2',
  }),
  scenario('h2c', 'The same HTTP/2 in plaintext.', 'hello', hello, { wire: 'h2c' }),
  scenario(
    'h2-headers',
    'HTTP/2 over TLS: the 13-byte answer to requests with 25 headers, as a browser sends them; three of them and the path never enter a header table.',
    'hello',
    { ...hello, path: CATALOGUE_PATHS[0] ?? '/', headers: BROWSER_HEADERS },
    { wire: 'h2', load: { options: ['-m16', ...CATALOGUE_PATHS] } },
  ),
  scenario(
    'h2-post-echo',
    'HTTP/2 over TLS: a POST of 4 KiB, answered with its own body. Servers that are libraries only.',
    'echo',
    echo,
    { wire: 'h2' },
  ),
  scenario(
    'h2-proxy',
    'A reverse proxy between clients that speak HTTP/2 over TLS and an nginx that speaks HTTP/1.1; 13 bytes.',
    'proxy',
    hello,
    { wire: 'h2' },
  ),
  scenario(
    'proxy-to-h2c',
    'A reverse proxy between clients that speak HTTP/1.1 and an nginx that speaks HTTP/2 in plaintext; 13 bytes. nginx itself cannot be such a proxy.',
    'proxy',
    hello,
    { originWire: 'h2c' },
  ),
  scenario(
    'proxy-policies',
    'The proxy with nothing on, and with probes, ejection, breaker, retries, a rate limit and an adaptive concurrency limit.',
    'proxy',
    hello,
    { peers: ['sluice', 'sluice-policies'] },
  ),
  scenario(
    'proxy-endpoints',
    'The proxy before 1, 10, 100 and 1,000 endpoints, all of them the same nginx.',
    'proxy',
    hello,
    {
      peers: [
        'sluice',
        'sluice-10-endpoints',
        'sluice-100-endpoints',
        'sluice-1000-endpoints',
        'nginx',
        'nginx-1000-endpoints',
      ],
    },
  ),
  scenario('access-log', 'The 13-byte answer with a line in an access log for each, and without.', 'hello', hello, {
    peers: ['sluice', 'sluice-access-log', 'nginx', 'nginx-access-log'],
  }),
  scenario('idle', 'Memory for 8,000 keep-alive connections that have had one answer each.', 'hello', hello, {
    peers: ['sluice', 'sluice-library', 'nginx', 'node-http'],
    load: null,
    connectionCount: 8000,
  }),
];
