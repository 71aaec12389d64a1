import { z } from 'zod';
import {
  DISCOVER_DEFAULTS,
  type DiscoverOptions,
  discoverSettings,
  readHostAndPort,
  readNameServer,
  readService,
} from '../../upstream/discover-options.ts';
import { consistent, milliseconds, parsed, setting } from './unit.ts';

const options = {
  dns: setting(parsed(readHostAndPort), '`host:port`: each address of the host (A and AAAA) is an endpoint.'),
  srv: setting(
    parsed(readService),
    '`_service._proto.name`: each address of each server that is named there (SRV, RFC 2782) is an endpoint, with its weight, and its priority as tier.',
  ),
  secure: setting(
    z.boolean(),
    'They speak TLS, with certificates for the names that they were found by.',
    DISCOVER_DEFAULTS.secure,
  ),
  refreshMs: setting(
    milliseconds,
    'How often it is looked again; sooner where an answer does not last so long, but at most once a second.',
    DISCOVER_DEFAULTS.refreshMs,
  ),
  timeoutMs: setting(
    milliseconds,
    'How long a name server may take before it is asked once more, or the next one is.',
    DISCOVER_DEFAULTS.timeoutMs,
  ),
  servers: setting(
    z.array(parsed(readNameServer)),
    'The name servers, as `address` or `address:port`. Default: those of the system.',
  ),
} satisfies Record<keyof DiscoverOptions, z.ZodType>;

/** Where endpoints are looked for. */
export const discover = consistent(z.strictObject(options), discoverSettings);
