import { isIP } from 'node:net';
import type { HttpRequest } from './request.ts';
import { TrustedProxies } from './trusted-proxies.ts';

/** An address in `x-forwarded-for`, not bare: with a port, or IPv6 in brackets. */
const WITH_PORT = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?$/;

/**
 * Tells whom a request comes from, when proxies stand before us. Each proxy adds the address it was asked from to
 * `x-forwarded-for`, so it is read from its end, and only as far as the word of a trusted proxy goes: what the client
 * itself has written there is never believed.
 */
export class ClientAddress {
  readonly proxies: TrustedProxies;

  /** Throws `TypeError` for entries that are neither addresses nor ranges. */
  constructor(trustedProxies: readonly string[]) {
    this.proxies = new TrustedProxies(trustedProxies);
  }

  /** The client's IP address, or that of the last proxy that can be believed; `unix:` for a unix socket. */
  of({ peer, headers }: HttpRequest): string {
    let { address } = peer;
    if (!this.proxies.has(address)) return address;
    const hops = headers.get('x-forwarded-for')?.split(',') ?? [];
    for (let index = hops.length - 1; index >= 0; index -= 1) {
      const hop = hopAddress(hops[index] ?? '');
      // `unknown`, or no address at all: what stands before it was told by nobody known.
      if (hop === null) return address;
      address = hop;
      if (!this.proxies.has(hop)) return address;
    }
    return address;
  }
}

function hopAddress(text: string): string | null {
  const trimmed = text.trim();
  if (isIP(trimmed) !== 0) return trimmed;
  const match = WITH_PORT.exec(trimmed);
  const address = match?.[1] ?? match?.[2] ?? '';
  return isIP(address) === 0 ? null : address;
}
