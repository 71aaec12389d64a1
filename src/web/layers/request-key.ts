import { ClientAddress } from '../../core/client-address.ts';
import { isToken } from '../../core/headers.ts';
import type { HttpRequest } from '../../core/request.ts';
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

/** Whose word counts when addresses are told apart, and by how much of them. */
export interface ClientOptions {
  /** Proxies whose `x-forwarded-for` is believed: addresses, CIDR ranges, and `unix` for unix sockets. */
  trustedProxies: readonly string[];
  /** How many leading bits of an IPv6 address are one client. */
  ipv6PrefixLength: number;
}

export const CLIENT_DEFAULTS: Readonly<ClientOptions> = { trustedProxies: [], ipv6PrefixLength: 64 };

/** Keys of IPv6 addresses that are remembered; past it the memory starts anew, so that many clients cannot fill it. */
const REMEMBERED_MAX_COUNT = 4096;

/** Clients as keys: what proxies say and all spellings of an address considered. */
export class ClientKeys {
  readonly address: ClientAddress;
  private readonly ipv6PrefixLength: number;
  private readonly known = new Map<string, string>();

  /** Throws `TypeError` for wrong options. */
  constructor({ trustedProxies, ipv6PrefixLength }: ClientOptions) {
    if (!Number.isInteger(ipv6PrefixLength) || ipv6PrefixLength < 0 || ipv6PrefixLength > 128)
      throw new TypeError(`ipv6PrefixLength: ${ipv6PrefixLength} is not a whole number from 0 to 128`);
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

/** How a source is read. Throws `TypeError` for one that does not exist. */
export function keyReader(source: KeySource, clients: ClientKeys): ReadKey {
  if (typeof source === 'function') return source;
  if (typeof source === 'object') {
    const { header } = source;
    if (!isToken(header)) throw new TypeError(`key: header: ${JSON.stringify(header)} is not a field name`);
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
    default:
      throw new TypeError(`key: ${String(source)} is none of ${KEY_SOURCES.join(', ')}, { header } or a function`);
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
