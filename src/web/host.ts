import { ExactTexts } from './exact.ts';

const BRACKET = 0x5b;
const DOT = 0x2e;

/** A host pattern taken apart. */
export interface HostPattern {
  /** In lower case, IDNA-encoded, without port; for a wildcard what follows the `*`, with its dot. Empty: any host. */
  readonly name: string;
  readonly kind: 'exact' | 'below' | 'any';
}

/**
 * Takes a host pattern apart: `example.com`, `*.example.com` (every host below, however deep, not `example.com`),
 * `[::1]`, or `*` for any. Throws `TypeError` on anything else.
 */
export function parseHost(pattern: string): HostPattern {
  if (pattern === '*') return { name: '', kind: 'any' };
  const below = pattern.startsWith('*.');
  const host = below ? pattern.slice(2) : pattern;
  const bare = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  const name = canonicalName(bare);
  if (name === null) {
    const hint = /:\d+$/.test(pattern) ? ' (the port takes no part in matching, leave it out)' : '';
    throw new TypeError(`host ${JSON.stringify(pattern)}: not a host name, an address or *.name${hint}`);
  }
  return below ? { name: `.${name}`, kind: 'below' } : { name, kind: 'exact' };
}

/** The host of an authority as patterns are compared with it: lower case, no port, no dot at the end. */
function hostName(authority: string): string {
  if (authority.charCodeAt(0) === BRACKET) {
    const literal = authority.slice(0, authority.indexOf(']') + 1);
    return canonicalName(literal) ?? literal;
  }
  const colon = authority.indexOf(':');
  const host = (colon === -1 ? authority : authority.slice(0, colon)).toLowerCase();
  return host.charCodeAt(host.length - 1) === DOT ? host.slice(0, -1) : host;
}

/** What to do for each host: an exact name, else the longest wildcard, else what stands for any host. */
export class HostTable<Value> {
  private readonly exact = new ExactTexts<Value>();
  private readonly below = new ExactTexts<Value>();
  private readonly any: Value;

  constructor(any: Value) {
    this.any = any;
  }

  /** Gives a pattern its value; the one for any host is the constructor's. */
  add(pattern: HostPattern, value: Value): void {
    if (pattern.kind === 'exact') this.exact.add(pattern.name, value);
    else if (pattern.kind === 'below') this.below.add(pattern.name, value);
  }

  find(authority: string): Value {
    if (this.exact.size === 0 && this.below.size === 0) return this.any;
    // Most authorities are a name in lower case without a port: no need to take them apart.
    const found = this.exact.get(authority);
    if (found !== null) return found;
    const host = hostName(authority);
    return this.exact.get(host) ?? this.longestBelow(host) ?? this.any;
  }

  private longestBelow(host: string): Value | null {
    if (this.below.size === 0) return null;
    // An empty label in front is no host below: `.example.com` is not one of `*.example.com`.
    for (let dot = host.indexOf('.', 1); dot !== -1; dot = host.indexOf('.', dot + 1)) {
      const value = this.below.get(host.slice(dot));
      if (value !== null) return value;
    }
    return null;
  }
}

/** Whether every host of `narrow` is one of `wide`. */
export function hostCovers(wide: HostPattern, narrow: HostPattern): boolean {
  if (wide.kind === 'any') return true;
  if (wide.kind === narrow.kind)
    return wide.kind === 'exact' ? wide.name === narrow.name : narrow.name.endsWith(wide.name);
  return wide.kind === 'below' && narrow.kind === 'exact' && narrow.name.endsWith(wide.name);
}

/** The more specific of two patterns first. */
export function compareHosts(a: HostPattern, b: HostPattern): number {
  const rank = { exact: 0, below: 1, any: 2 };
  return rank[a.kind] - rank[b.kind] || b.name.length - a.name.length;
}

function canonicalName(host: string): string | null {
  if (/[/?#@\\\s*]|^[^[]*:|\]./.test(host)) return null;
  const url = URL.parse(`http://${host}/`);
  if (url === null || url.port !== '' || url.hostname === '') return null;
  return url.hostname.endsWith('.') ? url.hostname.slice(0, -1) : url.hostname;
}
