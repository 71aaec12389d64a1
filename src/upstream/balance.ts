import { ClientAddress } from '../core/client-address.ts';
import { isToken } from '../core/headers.ts';
import { withDefaults } from '../core/options.ts';
import type { HttpRequest } from '../core/request.ts';
import { didYouMean } from '../core/spelling.ts';
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

/** Fills it up. Throws `TypeError` naming what is wrong. */
export function balanceSettings(given: BalanceName | BalanceOptions | undefined): BalanceSettings {
  const { sticky, ...rest } = typeof given === 'string' ? { policy: given } : (given ?? {});
  const settings = {
    ...withDefaults('upstream: balance', BALANCE_DEFAULTS, rest, ['slackRatio']),
    sticky: sticky === undefined || sticky === null ? null : stickySettings(sticky),
  };
  check('balance', settings.policy, BALANCE_NAMES);
  check('balance: table', settings.table, Object.keys(HASH_TABLES));
  checkKey(settings.key);
  return settings;
}

function checkKey(key: HashKey): void {
  if (typeof key === 'string') {
    check('balance: key', key, ['client-ip', 'path']);
    return;
  }
  const name = 'header' in key ? key.header : key.cookie;
  if (!isToken(name))
    throw new TypeError(`upstream: balance: key: ${JSON.stringify(name)} is no name of a field or cookie`);
}

function check(option: string, value: string, known: readonly string[]): void {
  if (known.includes(value)) return;
  const near = didYouMean(String(value), known);
  const advice = near === null ? '' : `, did you mean ${near}?`;
  throw new TypeError(`upstream: ${option}: ${JSON.stringify(value)} is not one of ${known.join(', ')}${advice}`);
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
