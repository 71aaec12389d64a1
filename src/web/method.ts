import { isToken } from '../core/headers.ts';

/** Methods in the order an `allow` field names them; others follow by name. */
const ORDER = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** What a route for every method takes, as far as it can be listed. */
export const ANY_METHODS: readonly string[] = ORDER;

/** Checks methods as a program names them; throws `TypeError`. Methods are case-sensitive (RFC 9110 §9.1). */
export function checkMethods(methods: readonly string[]): readonly string[] {
  if (methods.length === 0) throw new TypeError('a route needs at least one method');
  for (const method of methods) {
    if (!isToken(method)) throw new TypeError(`method ${JSON.stringify(method)}: not a token (RFC 9110 §9.1)`);
    const upper = method.toUpperCase();
    if (method !== upper && ORDER.includes(upper)) throw new TypeError(`method ${method}: write ${upper}`);
  }
  return methods;
}

/** The value of an `allow` field (RFC 9110 §10.2.1). HEAD is there wherever GET is. */
export function allowValue(methods: Iterable<string>): string {
  const named = new Set(methods);
  if (named.has('GET')) named.add('HEAD');
  return [...named].sort((a, b) => rankOf(a) - rankOf(b) || (a < b ? -1 : 1)).join(', ');
}

function rankOf(method: string): number {
  const place = ORDER.indexOf(method);
  return place === -1 ? ORDER.length : place;
}
