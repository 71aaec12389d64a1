import { z } from 'zod';
import { HeaderFields, isToken } from '../../core/headers.ts';
import { PROXY_DEFAULTS, type ProxyOptions } from '../../upstream/forward.ts';
import { upgradeName } from '../../upstream/upgrade.ts';
import { parseHost } from '../../web/host.ts';
import { checkMethods } from '../../web/method.ts';
import { parsePattern } from '../../web/pattern.ts';
import { readLocation } from '../location.ts';
import { ROUTE_ACTIONS } from '../references.ts';
import { layer } from './layer.ts';
import { bytes, fitting, milliseconds, offable, parsed, required, setting, text, trustedProxy } from './unit.ts';

/** Written by the server for every answer; another one could only be wrong. */
const FRAMING_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'transfer-encoding',
]);

/** Fields of a message, by their names. */
export const headers = z
  .record(z.string(), z.union([z.string(), z.array(z.string())], 'text or a list of texts'))
  .superRefine((fields, context) => {
    for (const [name, value] of Object.entries(fields)) {
      const path = [name];
      if (!isToken(name))
        context.addIssue({
          code: 'custom',
          path,
          params: { part: 'key' },
          message: 'a name of letters, digits and hyphens',
        });
      else if (FRAMING_FIELDS.has(name.toLowerCase()))
        context.addIssue({
          code: 'custom',
          path,
          params: { part: 'key' },
          message: 'a header that the server does not write itself',
        });
      else if (!validValue(value)) context.addIssue({ code: 'custom', path, message: 'one line of Latin text' });
    }
  });

function validValue(value: string | string[]): boolean {
  try {
    HeaderFields.from({ value });
    return true;
  } catch {
    return false;
  }
}

const match = z.strictObject({
  listener: setting(text, 'The name of the listener the request came in by. Default: any.'),
  host: setting(
    parsed(parseHost),
    'The host asked for, without port: `example.com`, or `*.example.com` for all below it. Default: any.',
  ),
  path: setting(
    parsed(parsePattern),
    'The path: `/health`, with parameters (`/users/:id`), or with everything below (`/api/*`). Default: any.',
  ),
  methods: setting(
    z.array(parsed((method) => checkMethods([method]))).min(1),
    'Methods, such as `[GET, POST]`. GET includes HEAD. Default: any.',
  ),
});

const respond = z.strictObject({
  status: setting(
    z.int('a status from 200 to 599').min(200, 'a status from 200 to 599').max(599, 'a status from 200 to 599'),
    'The status of the answer.',
    200,
  ),
  headers: setting(headers, 'Headers of the answer. `date` and `content-length` are added.'),
  body: setting(z.string(), 'The body of the answer. Default: empty.'),
});

const redirect = z.strictObject({
  status: setting(z.literal([301, 302, 303, 307, 308]), 'The status of the answer.', 308),
  location: required(
    text.refine(validLocation, 'a URL in which only {uri}, {path} and {host} stand in braces'),
    'Where to: `{uri}` is the path and query asked for, `{path}` the path, `{host}` the host with its port.',
  ),
});

function validLocation(location: string): boolean {
  return readLocation(location) !== null && !/\p{Cc}/u.test(location);
}

const proxyOptions = {
  trustedProxies: setting(
    z.array(trustedProxy),
    'Peers whose `x-forwarded-*` and `forwarded` fields are kept and added to: addresses, CIDR ranges, or `unix`. What anybody else claims about itself is replaced. Default: none.',
  ),
  forwarded: setting(
    z.enum(['x-forwarded', 'forwarded', 'both', 'none']),
    'The fields that tell the upstream about the client.',
    PROXY_DEFAULTS.forwarded,
  ),
  host: setting(
    z.union(
      [z.enum(['preserve', 'upstream']), z.strictObject({ value: required(text, 'This host, whoever asks.') })],
      'one of preserve, upstream, or a block with `value`',
    ),
    "The `host` that the upstream sees: the one the client asked for, the endpoint's own, or `{ value: name }`.",
    'preserve',
  ),
  via: offable(
    text.regex(/^[\w.-]+$/, 'letters, digits, dots and hyphens'),
    'Our name in the `via` field, by which a loop is found. Default: one that is made at the start; `null` writes no `via` and finds no loop.',
  ),
  stripPrefix: setting(
    z.string().regex(/^\/[\x21-\x7e]*[^/]$/, 'a path that begins with a slash and does not end in one'),
    'Removed from the front of the path, where a segment ends. Default: nothing.',
  ),
  gatherMaxBytes: setting(
    bytes,
    'A request body of a known length up to this is awaited before an upstream connection is taken. Larger ones are streamed.',
    PROXY_DEFAULTS.gatherMaxBytes,
  ),
  upgrade: setting(
    z.array(fitting(upgradeName)),
    'Protocols that clients may switch to through this route, such as `[websocket]`; `connect` lets CONNECT through, to the upstream. Any other wish is answered 501. Default: none.',
  ),
  tunnelIdleTimeoutMs: offable(
    milliseconds,
    'After a switch of protocols: the connection is cut off when no byte goes either way for this long.',
    PROXY_DEFAULTS.tunnelIdleTimeoutMs,
  ),
  drainClose: setting(
    z.boolean(),
    'Close WebSockets with 1001 towards both sides when a drain begins, as soon as no message is in the way. Otherwise they go on until `streamGraceMs` is over.',
    PROXY_DEFAULTS.drainClose,
  ),
} satisfies Record<Exclude<keyof ProxyOptions, 'clock'>, z.ZodType>;

const proxy = z.strictObject({
  upstream: required(text, 'The name of the upstream that answers.'),
  ...proxyOptions,
});

/** What is done with the requests that match. */
export const route = z
  .strictObject({
    match: setting(match, 'Which requests this route takes. Default: all.'),
    layers: setting(z.array(layer), 'What requests of this route pass through, outermost first.'),
    body: setting(
      z.enum(['auto', 'manual']),
      '`auto`: the request body is read whole, within its limit, before the route answers. `manual`: it is not waited for; a proxy streams it. Default: `manual` for `proxy`, else `auto`.',
    ),
    respond: setting(respond, 'Answers with something that never changes.'),
    redirect: setting(redirect, 'Sends the client elsewhere.'),
    proxy: setting(proxy, 'Passes the request on to an upstream.'),
  })
  .meta({
    description: 'What is done with the requests that match: exactly one of `respond`, `redirect` and `proxy`.',
    oneOf: ROUTE_ACTIONS.map((action) => ({ required: [action] })),
  });
