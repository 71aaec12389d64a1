import { z } from 'zod';
import { TLS_VERSIONS } from '../../transport/tls/options.ts';
import { UPSTREAM_TLS_DEFAULTS, type UpstreamTlsOptions } from '../../transport/upstream-tls.ts';
import type { EndpointTraits } from '../../upstream/endpoint.ts';
import { endpointAddress } from '../../upstream/endpoint-address.ts';
import { TRAIT_DEFAULTS } from '../../upstream/endpoint-source.ts';
import {
  POOL_DEFAULTS,
  type PoolOptions,
  poolOptions,
  TIMEOUT_DEFAULTS,
  timeoutOptions,
  UPSTREAM_PROTOCOLS,
  type UpstreamTimeouts,
  upstreamSettings,
} from '../../upstream/options.ts';
import { balance } from './balance.ts';
import { breaker } from './breaker.ts';
import { discover } from './discover.ts';
import { health } from './health.ts';
import { layer } from './layer.ts';
import { retry } from './retry.ts';
import { slowStart, spill } from './share.ts';
import { consistent, count, fieldName, milliseconds, offable, parsed, required, setting, text } from './unit.ts';

const url = parsed(endpointAddress);

const endpoint = z.union(
  [
    url,
    z.strictObject({
      url: required(url, '`http://host:port`, `https://host:port`, or `unix:/path`.'),
      weight: setting(
        z.number('a number above 0').gt(0, 'a number above 0'),
        'Its share relative to the others, where `balance` heeds weights, and in tiers and zones.',
        TRAIT_DEFAULTS.weight,
      ),
      zone: setting(z.string(), 'Where it is; see `zone` of the upstream. Default: nowhere.'),
      priority: setting(
        z.int('a whole number, 0 or more').min(0, 'a whole number, 0 or more'),
        'Its tier: 0 is used first, the next one when that cannot carry everything.',
        TRAIT_DEFAULTS.priority,
      ),
    } satisfies Record<'url' | keyof EndpointTraits, z.ZodType>),
  ],
  'a URL such as http://127.0.0.1:3000, or a block with `url`',
);

const pool = {
  connectionMaxCount: setting(count, 'Connections to one endpoint.', POOL_DEFAULTS.connectionMaxCount),
  connectionTotalMaxCount: offable(
    count,
    'Connections to all endpoints together.',
    POOL_DEFAULTS.connectionTotalMaxCount,
  ),
  streamMaxCount: setting(
    count,
    'Requests at once on an HTTP/2 connection; fewer where its server allows fewer. One more opens another connection.',
    POOL_DEFAULTS.streamMaxCount,
  ),
  idleTimeoutMs: setting(
    milliseconds,
    'How long an unused connection is kept; less when the upstream says that it will close it sooner.',
    POOL_DEFAULTS.idleTimeoutMs,
  ),
  connectionMinCount: offable(
    count,
    'Connections to each endpoint that are kept open even while nobody asks for them.',
    POOL_DEFAULTS.connectionMinCount,
  ),
  ageMaxMs: offable(milliseconds, 'A connection that is older takes no new requests.', POOL_DEFAULTS.ageMaxMs),
  queueMaxCount: setting(count, 'Requests that wait for a connection. One more: 503.', POOL_DEFAULTS.queueMaxCount),
  queueTimeoutMs: setting(
    milliseconds,
    'How long a request waits for a connection. Over it: 503.',
    POOL_DEFAULTS.queueTimeoutMs,
  ),
} satisfies Record<keyof PoolOptions, z.ZodType>;

const timeouts = {
  totalMs: offable(
    milliseconds,
    'For a request with all its attempts, to the end of the answer. Over it: 504, or the answer breaks off.',
    TIMEOUT_DEFAULTS.totalMs,
  ),
  connectMs: setting(
    milliseconds,
    'To accept a connection, and to finish its TLS handshake. Over it another endpoint is tried, then 504.',
    TIMEOUT_DEFAULTS.connectMs,
  ),
  headMs: offable(
    milliseconds,
    'From the end of the request to the head of the answer. Over it: 504.',
    TIMEOUT_DEFAULTS.headMs,
  ),
  idleMs: offable(
    milliseconds,
    'Between two pieces of an answer, or of a request that is not taken. Over it the answer breaks off.',
    TIMEOUT_DEFAULTS.idleMs,
  ),
  deadlineHeader: offable(
    fieldName,
    'The field that tells a server how many milliseconds are left of `totalMs`, such as `x-request-timeout-ms`; `grpc-timeout` is written as gRPC does. Default: it is not told.',
    TIMEOUT_DEFAULTS.deadlineHeader,
  ),
  deadlineTrusted: setting(
    z.boolean(),
    'Heed what clients say in `deadlineHeader`: where it is less than `totalMs`, it is the deadline.',
    TIMEOUT_DEFAULTS.deadlineTrusted,
  ),
} satisfies Record<keyof UpstreamTimeouts, z.ZodType>;

const tls = {
  ca: setting(
    text,
    'A file with the certificates (PEM) of the authorities to trust. Default: those that Node.js trusts.',
  ),
  cert: setting(text, 'A file with our certificate and its chain (PEM), for servers that ask for one.'),
  key: setting(text, 'A file with the private key of `cert` (PEM).'),
  passphrase: setting(text, 'What the key is encrypted with.'),
  serverName: setting(
    text,
    'The name that a server is asked for (SNI) and that its certificate must be for. Default: the host of the endpoint.',
  ),
  verify: setting(
    z.boolean(),
    'Whether the certificate of a server must be valid, for its name, and signed by a trusted authority. Without this anybody between can read and change everything.',
    UPSTREAM_TLS_DEFAULTS.verify,
  ),
  minVersion: setting(z.enum(TLS_VERSIONS), 'The oldest TLS that is spoken.', UPSTREAM_TLS_DEFAULTS.minVersion),
} satisfies Record<keyof UpstreamTlsOptions, z.ZodType>;

/** Servers that answer the same requests. */
export const upstream = consistent(
  z.strictObject({
    name: required(text, 'What routes call it.'),
    endpoints: setting(
      z.array(endpoint).min(1),
      'Where its servers are: URLs, or blocks with `url`. They take turns. May be left out when they are discovered.',
    ),
    discover: setting(
      discover,
      'Where servers are looked for besides. Requests wait for the first answer like those for a connection. See [policies/discovery.md](policies/discovery.md).',
    ),
    balance: setting(
      balance,
      'Which endpoint is next: the name of a policy, or a block. See [policies/balancing.md](policies/balancing.md).',
      'round-robin',
    ),
    protocol: setting(
      z.enum(UPSTREAM_PROTOCOLS),
      '`auto`: what an `https://` endpoint prefers of HTTP/2 and HTTP/1.1 (ALPN), and HTTP/1.1 elsewhere. `h2` is spoken without asking where there is no TLS.',
      'auto',
    ),
    tls: setting(
      z.strictObject(tls),
      'For `https://` endpoints. A value that is PEM itself, such as one from the environment, is taken as it is.',
    ),
    pool: setting(
      consistent(z.strictObject(pool), poolOptions),
      'The connections that are kept, and how long requests wait for one.',
    ),
    layers: setting(
      z.array(layer),
      'What every request to it passes through, whichever route it came by; outermost first.',
    ),
    timeouts: setting(
      consistent(z.strictObject(timeouts), timeoutOptions),
      'How long its servers may take. `null` turns a timeout off.',
    ),
    health: setting(health, 'By what an endpoint is known to be well. Off when absent: it always is.'),
    breaker: setting(
      breaker,
      'Does not ask an endpoint for a while whose calls fail. Off when absent. See [policies/breaker.md](policies/breaker.md).',
    ),
    retry: setting(
      retry,
      'Sends requests that fail again. When absent only what is always safe is. See [policies/retries.md](policies/retries.md).',
    ),
    slowStart: setting(
      slowStart,
      'Brings new and recovered endpoints up to their share slowly. Off when absent. See [policies/slow-start.md](policies/slow-start.md).',
    ),
    spill: setting(spill, 'When traffic spills over between tiers and zones.'),
    zone: setting(z.string(), 'The zone that we are in: its endpoints are preferred. Default: none.'),
  }),
  (given) => {
    const options = { ...given };
    delete options.layers;
    return upstreamSettings(options);
  },
).meta({ description: 'Servers that answer the same requests.' });
