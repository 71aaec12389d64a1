import { ClientAddress } from '../core/client-address.ts';
import { either, isObject, oneOf, token } from '../core/option-kind.ts';
import { type OptionRelation, type OptionRules, part, sole, withDefaults } from '../core/options.ts';
import type { HttpRequest } from '../core/request.ts';
import { proxyList } from '../core/trusted-proxies.ts';
import { BALANCE_NAMES, type BalanceName } from '../policy/balance/balancer.ts';
import { HASH_DEFAULTS, HASH_TABLES, type HashOptions } from '../policy/balance/hash.ts';
import { hashText } from '../policy/balance/identity.ts';
import { cookieValue } from './cookie.ts';
import { type StickyOptions, stickySettings } from './sticky.ts';

/** What requests are pinned by: the client's address, the path, or the value of a header or cookie. */
export type HashKey = 'client-ip' | 'path' | { readonly header: string } | { readonly cookie: string };

/** How an endpoint is chosen. */
export interface BalanceSettings extends HashOptions {
  policy: BalanceName;
  /** For `hash`: what is hashed. A request that has none goes anywhere. */
  key: HashKey;
  /** For `client-ip`: peers whose `x-forwarded-for` is believed: addresses, CIDR ranges, `unix`. */
  trustedProxies: readonly string[];
  /** Who has been answered by an endpoint stays with it; `null`: nobody does. */
  sticky: StickyOptions | null;
}

/** The same as it is given. */
export interface BalanceOptions extends Partial<Omit<BalanceSettings, 'sticky'>> {
  sticky?: Partial<StickyOptions> | null;
}

export const BALANCE_DEFAULTS: Readonly<BalanceSettings> = {
  policy: 'round-robin',
  key: 'client-ip',
  trustedProxies: [],
  ...HASH_DEFAULTS,
  sticky: null,
};

/** Policies that heed weights, and are told cheaply of one that changes. */
export const WEIGHTED: ReadonlySet<BalanceName> = new Set([
  'weighted-round-robin',
  'weighted-least-loaded',
  'random',
  'power-of-two',
]);

/** What slow start says to any other. */
export const WEIGHTS_NEEDED = `needs a balance that heeds changing weights: ${[...WEIGHTED].join(', ')}`;

const keyName = token('a name of a field or cookie');

const hashKey = either(
  isObject,
  either((given) => isObject(given) && 'cookie' in given, sole('cookie', keyName), sole('header', keyName)),
  oneOf(['client-ip', 'path'], '{ header }', '{ cookie }'),
);

/** An option that no other policy looks at. */
const hashOnly = (
  name: 'key' | 'table' | 'slackRatio' | 'trustedProxies',
): OptionRelation<Required<BalanceOptions>> => ({
  of: ['policy', name],
  fault: ({ policy }, given) =>
    policy === 'hash' || (given[name] ?? null) === null ? null : `${name}: not an option of ${policy}, only of hash`,
});

const RULES: OptionRules<Required<BalanceOptions>> = {
  kinds: {
    policy: oneOf(BALANCE_NAMES),
    key: hashKey,
    table: oneOf(Object.keys(HASH_TABLES)),
    trustedProxies: proxyList,
    sticky: part(stickySettings),
  },
  relations: [hashOnly('key'), hashOnly('table'), hashOnly('slackRatio'), hashOnly('trustedProxies')],
};

/** What may be given. */
export const balanceKind = either(isObject, part(balanceSettings), oneOf(BALANCE_NAMES));

/** Fills it up. Throws `TypeError` naming every wrong field. */
export function balanceSettings(given: BalanceName | BalanceOptions = {}): BalanceSettings {
  const options = typeof given === 'string' ? { policy: given } : given;
  const { sticky, ...settings } = withDefaults<Required<BalanceOptions>>('balance', BALANCE_DEFAULTS, options, RULES);
  return { ...settings, sticky: sticky === null ? null : stickySettings(sticky) };
}

/** Reads what a request is pinned by, as a 32-bit hash; `null` where nothing pins it. Throws `TypeError` on what is no proxy. */
export function keyReader({ policy, key, trustedProxies }: BalanceSettings): (request: HttpRequest) => number | null {
  if (policy !== 'hash') return () => null;
  const text = keyText(key, new ClientAddress(trustedProxies));
  return (request) => {
    const value = text(request);
    return value === null || value === '' ? null : hashText(value);
  };
}

function keyText(key: HashKey, clients: ClientAddress): (request: HttpRequest) => string | null {
  if (key === 'client-ip') return (request) => clients.of(request);
  if (key === 'path') return ({ path }) => path;
  if ('header' in key) return ({ headers }) => headers.get(key.header);
  return ({ headers }) => cookieValue(headers.get('cookie'), key.cookie);
}
