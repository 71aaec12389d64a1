import { createHash } from 'node:crypto';
import { isToken, withoutSpace } from '../../core/headers.ts';
import type { HttpResponse } from '../../core/message.ts';
import type { HttpRequest } from '../../core/request.ts';
import { agreeOnDeflate, parseExtensions } from './deflate.ts';
import type { WebSocketSettings } from './options.ts';

/** What client and server have agreed on. */
export interface Agreement {
  /** The sub-protocol, or `null`. */
  readonly protocol: string | null;
  /** The value of `sec-websocket-extensions`, or `null`. */
  readonly extensions: string | null;
}

/** How a handshake goes out: an agreement and the fields that tell the client of it, or the answer that refuses it. */
export type HandshakeResult =
  | { readonly agreement: Agreement; readonly headers: Readonly<Record<string, string>> }
  | { readonly refusal: HttpResponse };

const VERSION = '13';
/** 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;
const KEY_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: ':80', ws: ':80', https: ':443', wss: ':443' };

/** The `sec-websocket-accept` that answers a `sec-websocket-key` (RFC 6455 §4.2.2). */
export function acceptValue(key: string): string {
  return createHash('sha1').update(`${key}${KEY_SUFFIX}`).digest('base64');
}

/**
 * Answers a request to open a WebSocket (RFC 6455 §4.2). Over HTTP/2 there is no key, because the request cannot be
 * taken for another one (RFC 8441 §5).
 */
export function shakeHands(request: HttpRequest, settings: WebSocketSettings): HandshakeResult {
  const { headers, method, protocol, upgrade } = request;
  if (method !== 'GET') return refusal(405, 'A WebSocket is opened with GET.', { allow: 'GET' });
  const [version, ...versions] = headers.getAll('sec-websocket-version');
  if (upgrade !== 'websocket' || version !== VERSION || versions.length > 0) return upgradeRequired(protocol);
  if (request.incoming !== null) return refusal(400, 'A WebSocket is opened without a body.');
  const [key = '', ...keys] = headers.getAll('sec-websocket-key');
  const keyed = protocol !== 'HTTP/2';
  if (keyed && (keys.length > 0 || !KEY.test(key))) return refusal(400, 'The sec-websocket-key is not one.');
  const offered = parseProtocols(headers.get('sec-websocket-protocol'));
  if (offered === null) return refusal(400, 'The sec-websocket-protocol is not a list of names.');
  const offers = parseExtensions(headers.get('sec-websocket-extensions') ?? 'none');
  if (offers === null) return refusal(400, 'The sec-websocket-extensions are not valid.');
  if (!originAllowed(request, settings.origins)) return refusal(403, 'This page may not connect.');

  const chosen = choose(offered, request, settings);
  const extensions = settings.deflate === null ? null : agreeOnDeflate(offers, settings.deflate);
  const answer: Record<string, string> = { upgrade: 'websocket' };
  if (keyed) answer['sec-websocket-accept'] = acceptValue(key);
  if (chosen !== null) answer['sec-websocket-protocol'] = chosen;
  if (extensions !== null) answer['sec-websocket-extensions'] = extensions;
  return { agreement: { protocol: chosen, extensions }, headers: answer };
}

function refusal(status: number, why: string, headers: Readonly<Record<string, string>> = {}): HandshakeResult {
  return {
    refusal: { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body: `${why}\n` },
  };
}

/** Says what we speak (RFC 6455 §4.4, RFC 9110 §15.5.22); HTTP/2 has no such status for it (RFC 9113 §8.6). */
function upgradeRequired(protocol: HttpRequest['protocol']): HandshakeResult {
  const why = 'Only a WebSocket can be opened here, version 13.';
  if (protocol === 'HTTP/2') return refusal(400, why, { 'sec-websocket-version': VERSION });
  return refusal(426, why, { upgrade: 'websocket', 'sec-websocket-version': VERSION });
}

/** Names are told apart by case, and none may come twice (RFC 6455 §4.1). */
function parseProtocols(value: string | null): readonly string[] | null {
  if (value === null) return [];
  const names = value.split(',').map((name) => withoutSpace(name, 0, name.length));
  return names.every(isToken) && new Set(names).size === names.length ? names : null;
}

function choose(offered: readonly string[], request: HttpRequest, { protocols }: WebSocketSettings): string | null {
  if (typeof protocols !== 'function') return offered.find((name) => protocols.includes(name)) ?? null;
  const chosen = offered.length === 0 ? null : protocols(offered, request);
  if (chosen === null || offered.includes(chosen)) return chosen;
  throw new TypeError(`websocket: protocols: ${JSON.stringify(chosen)} was not offered`);
}

function originAllowed(request: HttpRequest, origins: WebSocketSettings['origins']): boolean {
  const origin = request.headers.get('origin')?.toLowerCase();
  if (origins === null || origin === undefined) return true;
  return origins === 'same' ? sameHost(origin, request.authority.toLowerCase()) : origins.includes(origin);
}

/** Whether a page is from the host and port asked for. Its scheme is left alone: TLS may have ended before us. */
function sameHost(origin: string, authority: string): boolean {
  const [, scheme = '', host = ''] = /^([a-z]+):\/\/([^/]+)$/.exec(origin) ?? [];
  const port = DEFAULT_PORTS[scheme];
  if (port === undefined) return false;
  const bare = (name: string): string => (name.endsWith(port) ? name.slice(0, -port.length) : name);
  return bare(host) === bare(authority);
}
