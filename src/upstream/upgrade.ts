import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { Failure } from '../core/failure.ts';
import type { HeaderFields } from '../core/headers.ts';
import { isToken } from '../core/headers.ts';
import type { HttpResponse } from '../core/message.ts';
import { kind } from '../core/option-kind.ts';
import type { HttpRequest } from '../core/request.ts';
import { acceptValue } from '../protocol/websocket/handshake.ts';
import { Tunnel, type TunnelOptions } from './tunnel.ts';

/** Which switches of protocol a route lets through. */
export interface UpgradeOptions extends TunnelOptions {
  /**
   * Protocols that a client may switch to through the proxy, such as `websocket`; `connect` lets CONNECT through. The
   * tunnel always ends at the upstream. Any other wish is answered 501.
   */
  upgrade: readonly string[];
}

/** What `upgrade` may name. */
export const upgradeName = kind(
  'a protocol in lower case that can be passed on',
  (name) => typeof name === 'string' && isToken(name) && name === name.toLowerCase() && name !== 'h2c',
);

/**
 * The protocol that the request asks to switch to; `null` when it does not. Throws 501 when that is not let through.
 * h2c is an offer that may be passed over (RFC 9110 §7.8); any other protocol is what the client needs.
 */
export function wantedUpgrade(request: HttpRequest, allowed: ReadonlySet<string>): string | null {
  if (request.method === 'CONNECT') {
    if (!allowed.has('connect')) throw new Failure('method-unsupported');
    return null;
  }
  const { upgrade, incoming } = request;
  if (upgrade === null || upgrade === 'h2c') return null;
  if (!allowed.has(upgrade)) throw new Failure('upgrade-unsupported');
  if (incoming !== null) throw new Failure('upgrade-unsupported', 'Such a request has no body.');
  return upgrade;
}

/** A switch of protocols on its way through the proxy. */
export class Upgrade {
  /** What is asked for; `null` for CONNECT. */
  readonly protocol: string | null;
  private readonly request: HttpRequest;
  private readonly options: TunnelOptions;
  /** A WebSocket over HTTP/2 has no key; an upstream that speaks HTTP/1.1 needs one (RFC 8441 §5). */
  private readonly ownKey: string | null;
  /** The upstream has switched, and nobody has taken it yet. */
  private waiting: Duplex | null = null;

  constructor(request: HttpRequest, protocol: string | null, options: TunnelOptions) {
    this.request = request;
    this.protocol = protocol;
    this.options = options;
    const keyless = protocol === 'websocket' && request.protocol === 'HTTP/2';
    this.ownKey = keyless ? randomBytes(16).toString('base64') : null;
  }

  /** The fields that ask for it. */
  fields(headers: HeaderFields): HeaderFields {
    return this.ownKey === null ? headers : headers.with('sec-websocket-key', this.ownKey);
  }

  /**
   * The answer for the client. `headers` are the upstream's, as they are passed on. Throws `upstream-invalid` when the
   * upstream has not answered our key.
   */
  response(status: number, headers: HeaderFields, upstream: Duplex, firstBytes: Uint8Array): HttpResponse {
    // Over HTTP/2 an upstream answers with 200 and without a key (RFC 8441 §5).
    if (status === 101 && this.ownKey !== null && headers.get('sec-websocket-accept') !== acceptValue(this.ownKey)) {
      upstream.destroy();
      throw new Failure('upstream-invalid', 'Its sec-websocket-accept is not the answer to our key.');
    }
    this.waiting = upstream;
    let tunnel: Tunnel | null = null;
    let draining = false;
    return {
      status: this.protocol === null ? status : 101,
      headers: this.protocol === null ? headers : this.answerFields(headers, this.protocol),
      takeover: (client, early) => {
        this.waiting = null;
        tunnel = new Tunnel(client, early, upstream, firstBytes, this.protocol === 'websocket', this.options);
        if (draining) tunnel.drain();
      },
      onDrain: () => {
        draining = true;
        tunnel?.drain();
      },
    };
  }

  /** The client is gone before it had the answer. */
  abandon(): void {
    this.waiting?.destroy();
    this.waiting = null;
  }

  private answerFields(headers: HeaderFields, protocol: string): HeaderFields {
    const named = headers.with('upgrade', protocol);
    if (protocol !== 'websocket') return named;
    if (this.ownKey !== null) return named.without(new Set(['sec-websocket-accept']));
    const key = this.request.headers.get('sec-websocket-key');
    if (key === null || named.has('sec-websocket-accept')) return named;
    return named.append('sec-websocket-accept', acceptValue(key));
  }
}
