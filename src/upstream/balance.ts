import { didYouMean, withDefaults } from '../core/options.ts';
import type { HttpRequest } from '../core/request.ts';
import { BALANCE_NAMES, type BalanceName } from '../policy/balance/balancer.ts';
import { HASH_DEFAULTS, HASH_TABLES, type HashOptions } from '../policy/balance/hash.ts';
import { hashText } from '../policy/balance/identity.ts';

/** What requests are pinned by: the client's address, the path, or the value of a header or cookie. */
export type HashKey = 'client-ip' | 'path' | { readonly header: string } | { readonly cookie: string };

/** How an endpoint is chosen. */
export interface BalanceOptions extends HashOptions {
  policy: BalanceName;
  /** For `hash`: what is hashed. A request that has none goes anywhere. */
  key: HashKey;
}

export const BALANCE_DEFAULTS: Readonly<BalanceOptions> = { policy: 'round-robin', key: 'client-ip', ...HASH_DEFAULTS };

/** Fills it up. Throws `TypeError` naming what is wrong. */
export function balanceSettings(given: BalanceName | Partial<BalanceOptions> | undefined): BalanceOptions {
  const named = typeof given === 'string' ? { policy: given } : given;
  const settings = withDefaults('upstream: balance', BALANCE_DEFAULTS, named, ['slackRatio']);
  check('balance', settings.policy, BALANCE_NAMES);
  check('balance: table', settings.table, Object.keys(HASH_TABLES));
  if (typeof settings.key === 'string') check('balance: key', settings.key, ['client-ip', 'path']);
  return settings;
}

function check(option: string, value: string, known: readonly string[]): void {
  if (known.includes(value)) return;
  const near = didYouMean(String(value), known);
  const advice = near === null ? '' : `, did you mean ${near}?`;
  throw new TypeError(`upstream: ${option}: ${JSON.stringify(value)} is not one of ${known.join(', ')}${advice}`);
}

/** Reads what a request is pinned by, as a 32-bit hash; `null` where nothing pins it. */
export function keyReader({ policy, key }: BalanceOptions): (request: HttpRequest) => number | null {
  if (policy !== 'hash') return () => null;
  const text = keyText(key);
  return (request) => {
    const value = text(request);
    return value === null || value === '' ? null : hashText(value);
  };
}

function keyText(key: HashKey): (request: HttpRequest) => string | null {
  if (key === 'client-ip') return ({ peer }) => peer.address;
  if (key === 'path') return ({ path }) => path;
  if ('header' in key) return ({ headers }) => headers.get(key.header);
  return ({ headers }) => cookieValue(headers.get('cookie'), key.cookie);
}

/** The value of a cookie (RFC 6265 §4.2.1); `null` when it was not sent. */
export function cookieValue(cookies: string | null, name: string): string | null {
  for (const pair of (cookies ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at !== -1 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return null;
}
