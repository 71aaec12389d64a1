import { isIP } from 'node:net';

/** The first half of an IPv6 address is what a customer is given; of the other half he has all addresses (RFC 6177). */
const IPV6_PREFIX_LENGTH = 64;

/**
 * A client's IP address as a key: IPv4 as it is, IPv4 in IPv6 (`::ffff:192.0.2.1`, RFC 4291 §2.5.5.2) as IPv4, and IPv6 by
 * its prefix, for a client can take any address below it. What is no address (`unix:`) is its own key.
 */
export function addressKey(address: string, ipv6PrefixLength = IPV6_PREFIX_LENGTH): string {
  if (!address.includes(':') || isIP(address) !== 6) return address;
  const groups = ipv6Groups(address);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) return dotted(groups[6], groups[7]);
  const masked = groups.map((group, index) => group & groupMask(ipv6PrefixLength - index * 16));
  return `${masked.map((group) => group.toString(16)).join(':')}/${ipv6PrefixLength}`;
}

function dotted(high = 0, low = 0): string {
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

function groupMask(bitCount: number): number {
  return (0xffff << (16 - Math.min(16, Math.max(0, bitCount)))) & 0xffff;
}

/** The eight groups of a valid IPv6 address; a zone (`%eth0`) is dropped. */
function ipv6Groups(address: string): number[] {
  const [bare = ''] = address.split('%', 1);
  const [head = '', tail] = bare.split('::', 2);
  const left = groupsOf(head);
  if (tail === undefined) return left;
  const right = groupsOf(tail);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}

/** A header's value as a key. All requests without the header share one, which no value has. */
export function headerKey(value: string | null): string {
  return value === null ? '' : `=${value.trim()}`;
}

const UNRESERVED = /^[A-Za-z0-9._~-]$/;

/**
 * A path as a key that all spellings of the path share: percent-encoding normalised (RFC 3986 §6.2.2), dot segments
 * resolved, empty segments and the query left out. With `segmentMaxCount`, so many of its first segments; `null` is all.
 */
export function pathKey(path: string, segmentMaxCount: number | null = null): string {
  const queryAt = path.indexOf('?');
  const kept: string[] = [];
  for (const segment of (queryAt === -1 ? path : path.slice(0, queryAt)).split('/')) {
    const name = segment.includes('%') ? normalEscapes(segment) : segment;
    if (name === '..') kept.pop();
    else if (name !== '' && name !== '.') kept.push(name);
  }
  return `/${(segmentMaxCount === null ? kept : kept.slice(0, segmentMaxCount)).join('/')}`;
}

function normalEscapes(segment: string): string {
  return segment.replace(/%[0-9A-Fa-f]{2}/g, (triplet) => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
    return UNRESERVED.test(character) ? character : triplet.toUpperCase();
  });
}

/** One key from several, such as client and path; different parts never make the same key. */
export function compositeKey(parts: readonly string[]): string {
  return parts.length === 1 ? (parts[0] ?? '') : parts.map((part) => `${part.length}:${part}`).join('');
}
