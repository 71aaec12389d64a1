import { z } from 'zod';
import { endpointAddress } from '../../upstream/endpoint-address.ts';
import {
  BALANCES,
  POOL_DEFAULTS,
  type PoolOptions,
  TIMEOUT_DEFAULTS,
  type UpstreamTimeouts,
} from '../../upstream/options.ts';
import { count, milliseconds, offable, parsed, required, setting, text } from './unit.ts';

const url = parsed(endpointAddress);

const endpoint = z.union(
  [url, z.strictObject({ url: required(url, '`http://host:port`, or `unix:/path`.') })],
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
  queueMaxCount: setting(count, 'Requests that wait for a connection. One more: 503.', POOL_DEFAULTS.queueMaxCount),
  queueTimeoutMs: setting(
    milliseconds,
    'How long a request waits for a connection. Over it: 503.',
    POOL_DEFAULTS.queueTimeoutMs,
  ),
} satisfies Record<keyof PoolOptions, z.ZodType>;

const timeouts = {
  connectMs: setting(
    milliseconds,
    'To accept a connection. Over it another endpoint is tried, then 504.',
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
} satisfies Record<keyof UpstreamTimeouts, z.ZodType>;

/** Servers that answer the same requests. */
export const upstream = z
  .strictObject({
    name: required(text, 'What routes call it.'),
    endpoints: required(
      z.array(endpoint).min(1),
      'Where its servers are: URLs, or blocks with `url`. They take turns.',
    ),
    balance: setting(z.enum(BALANCES), 'Which endpoint is next. `round-robin`: they take turns.', 'round-robin'),
    pool: setting(z.strictObject(pool), 'The connections that are kept, and how long requests wait for one.'),
    timeouts: setting(z.strictObject(timeouts), 'How long its servers may take. `null` turns a timeout off.'),
  })
  .meta({ description: 'Servers that answer the same requests.' });
