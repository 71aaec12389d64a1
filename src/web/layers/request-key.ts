import { ClientAddress } from '../../core/client-address.ts';
import { either, fieldName, functionOr, isObject, oneOf, wholeNumber } from '../../core/option-kind.ts';
import { sole } from '../../core/options.ts';
import type { HttpRequest } from '../../core/request.ts';
import { proxyList } from '../../core/trusted-proxies.ts';
import { addressKey, compositeKey, headerKey, pathKey } from '../../policy/rate/key.ts';

/** What requests are told apart by, where a name says it. */
export const KEY_SOURCES = ['client-ip', 'principal', 'path', 'route'] as const;

/** Reads a key from a request; `null` is for requests that are not counted. */
export type ReadKey = (request: HttpRequest) => string | null;

/**
 * What requests are told apart by.
 * `client-ip`: the address, of IPv6 the prefix. `path`: the normalised path. `route`: nothing, one for all that come by.
 * `principal`: who has been authenticated, that is a text `principal` in `request.state`, or a client certificate that
 * is verified; anybody else by address. `{ header }`: the value of a field. A function: what it returns.
 */
export type KeySource = (typeof KEY_SOURCES)[number] | { readonly header: string } | ReadKey;

/** What may be given for a source. */
export const keySource = functionOr(either(isObject, sole('header', fieldName), oneOf(KEY_SOURCES, '{ header }')));

/** Whose word counts when addresses are told apart, and by how much of them. */
export interface ClientOptions {
  /** Proxies whose `x-forwarded-for` is believed: addresses, CIDR ranges, and `unix` for unix sockets. */
  trustedProxies: readonly string[];
  /** How many leading bits of an IPv6 address are one client. */
  ipv6PrefixLength: number;
}

export const CLIENT_DEFAULTS: Readonly<ClientOptions> = { trustedProxies: [], ipv6PrefixLength: 64 };

/** What these options may be. */
export const CLIENT_KINDS = { trustedProxies: proxyList, ipv6PrefixLength: wholeNumber(0, 128) };

/** Keys of IPv6 addresses that are remembered; past it the memory starts anew, so that many clients cannot fill it. */
const REMEMBERED_MAX_COUNT = 4096;

/** Clients as keys: what proxies say and all spellings of an address considered. */
export class ClientKeys {
  readonly address: ClientAddress;
  private readonly ipv6PrefixLength: number;
  private readonly known = new Map<string, string>();

  constructor({ trustedProxies, ipv6PrefixLength }: ClientOptions) {
    this.address = new ClientAddress(trustedProxies);
    this.ipv6PrefixLength = ipv6PrefixLength;
  }

  of(request: HttpRequest): string {
    const address = this.address.of(request);
    if (!address.includes(':')) return address;
    const known = this.known.get(address);
    if (known !== undefined) return known;
    const key = addressKey(address, this.ipv6PrefixLength);
    if (this.known.size >= REMEMBERED_MAX_COUNT) this.known.clear();
    this.known.set(address, key);
    return key;
  }

  /** Whether what this request's fields say comes from a trusted proxy, and not from anybody. */
  trusts(request: HttpRequest): boolean {
    return this.address.proxies.has(request.peer.address);
  }
}

/** How a source is read. */
export function keyReader(source: KeySource, clients: ClientKeys): ReadKey {
  if (typeof source === 'function') return source;
  if (typeof source === 'object') {
    const { header } = source;
    return ({ headers }) => headerKey(headers.get(header));
  }
  switch (source) {
    case 'client-ip':
      return (request) => clients.of(request);
    case 'principal':
      return (request) => principalKey(request) ?? clients.of(request);
    case 'path':
      return ({ target }) => pathKey(target);
    case 'route':
      return () => '';
  }
}

/** Never like the key of an address: each begins with a sign that addresses do not have. */
function principalKey({ state, peer }: HttpRequest): string | null {
  if (typeof state === 'object' && state !== null && 'principal' in state && typeof state.principal === 'string')
    return headerKey(state.principal);
  const { certificate } = peer;
  if (certificate === null || !certificate.verified) return null;
  return `@${compositeKey([certificate.issuer, certificate.subject, ...certificate.subjectAltNames])}`;
}
