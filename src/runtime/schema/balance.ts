import { z } from 'zod';
import { BALANCE_NAMES } from '../../policy/balance/balancer.ts';
import type { HASH_TABLES } from '../../policy/balance/hash.ts';
import { BALANCE_DEFAULTS, type BalanceSettings, balanceSettings } from '../../upstream/balance.ts';
import { STICKY_DEFAULTS, STICKY_SECRET_MIN_CHARS, type StickyOptions } from '../../upstream/sticky.ts';
import { consistent, fieldName, offable, ratio, required, setting, trustedProxy } from './unit.ts';

const SECRET = `text of at least ${STICKY_SECRET_MIN_CHARS} characters`;

const TABLES = { ring: 'ring', maglev: 'maglev' } as const satisfies { [Name in keyof typeof HASH_TABLES]: Name };

const key = z.union(
  [
    z.enum(['client-ip', 'path']),
    z.strictObject({ header: required(fieldName, 'The value of this header field.') }),
    z.strictObject({ cookie: required(fieldName, 'The value of this cookie.') }),
  ],
  'one of client-ip, path, or a block with `header` or `cookie`',
);

const sticky = {
  cookie: setting(fieldName, 'The name of the cookie.', STICKY_DEFAULTS.cookie),
  secret: offable(
    z.string(SECRET).min(STICKY_SECRET_MIN_CHARS, SECRET),
    'What its values are made from: processes that share it know each other’s cookies. Default: made at the start.',
    STICKY_DEFAULTS.secret,
  ),
} satisfies Record<keyof StickyOptions, z.ZodType>;

const block = {
  policy: setting(z.enum(BALANCE_NAMES), 'How an endpoint is chosen.', BALANCE_DEFAULTS.policy),
  key: setting(key, 'For `hash`: what requests are pinned by. One that has none goes anywhere.', 'client-ip'),
  trustedProxies: setting(
    z.array(trustedProxy),
    'For `client-ip`: peers whose `x-forwarded-for` is believed: addresses, CIDR ranges, or `unix`. Default: none.',
  ),
  table: setting(
    z.enum(TABLES),
    'For `hash`: how keys are spread. `ring` moves the fewest of them when endpoints change, `maglev` spreads them most evenly.',
    BALANCE_DEFAULTS.table,
  ),
  slackRatio: offable(
    ratio,
    'For `hash`: how far above its share of the requests in flight an endpoint may be before its keys go on to the next.',
    BALANCE_DEFAULTS.slackRatio,
  ),
  sticky: offable(
    z.strictObject(sticky),
    'Keeps a client with the endpoint that answered it first, as long as that stands well.',
    null,
  ),
} satisfies Record<keyof BalanceSettings, z.ZodType>;

/** How an endpoint is chosen. */
export const balance = z.union(
  [z.enum(BALANCE_NAMES), consistent(z.strictObject(block), balanceSettings)],
  `one of ${BALANCE_NAMES.join(', ')}, or a block with \`policy\``,
);
