import { isIP } from 'node:net';
import type { HeaderFields } from '../core/headers.ts';
import type { HttpRequest } from '../core/request.ts';

/** Which fields tell the upstream about the client. `none` tells nothing, and still removes what a client claims. */
export const FORWARDED_STYLES = ['x-forwarded', 'forwarded', 'both', 'none'] as const;
export type ForwardedStyle = (typeof FORWARDED_STYLES)[number];

/** The lines that tell the upstream who asked. What a trusted proxy has said already is kept and added to. */
export function forwardedLines(request: HttpRequest, style: ForwardedStyle, trusted: boolean): string {
  if (style === 'none') return '';
  const said = trusted ? request.headers : null;
  let lines = '';
  if (style !== 'forwarded') lines += xForwardedLines(request, said);
  if (style !== 'x-forwarded') {
    lines += `forwarded: ${listed(said, 'forwarded')}${forwardedElement(request)}\r\n`;
  }
  return lines;
}

/** `said` is what a trusted proxy has told already; its first word about scheme and host stays. */
function xForwardedLines(request: HttpRequest, said: HeaderFields | null): string {
  const { authority, peer } = request;
  const proto = said?.get('x-forwarded-proto') ?? (peer.secure ? 'https' : 'http');
  const host = said?.get('x-forwarded-host') ?? authority;
  const who = `x-forwarded-for: ${listed(said, 'x-forwarded-for')}${plainAddress(peer.address)}\r\n`;
  return `${who}x-forwarded-proto: ${proto}\r\n${host === '' ? '' : `x-forwarded-host: ${host}\r\n`}`;
}

/** One hop as RFC 7239 §4 writes it. */
function forwardedElement(request: HttpRequest): string {
  const { authority, peer } = request;
  const address = plainAddress(peer.address);
  const node = isIP(address) === 6 ? `"[${address}]"` : address;
  const host = authority === '' ? '' : `;host="${authority}"`;
  return `for=${node}${host};proto=${peer.secure ? 'https' : 'http'}`;
}

/** The values so far, ready for one more. */
function listed(said: HeaderFields | null, name: string): string {
  const values = said?.get(name) ?? '';
  return values === '' ? '' : `${values}, `;
}

/** An IPv4 address that came through a dual-stack socket is written as IPv4; who has none is `unknown` (RFC 7239 §6.2). */
function plainAddress(address: string): string {
  const mapped = address.startsWith('::ffff:') ? address.slice(7) : address;
  if (isIP(mapped) === 4) return mapped;
  return isIP(address) === 6 ? address : 'unknown';
}
