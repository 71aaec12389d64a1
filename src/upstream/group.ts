import { Lifecycle, type Phase } from '../core/lifecycle.ts';
import { Http1ClientConnection } from '../protocol/http1/client.ts';
import { HTTP1_CLIENT_DEFAULTS, type Http1ClientLimits } from '../protocol/http1/client-limits.ts';
import { Http2ClientConnection } from '../protocol/http2/client.ts';
import { HTTP2_CLIENT_DEFAULTS, HTTP2_CLIENT_OPTIONS } from '../protocol/http2/client-limits.ts';
import { TlsServer, UpstreamTls } from '../transport/upstream-tls.ts';
import { type Openers, socketDial } from './dial.ts';
import { Endpoint } from './endpoint.ts';
import { type EndpointAddress, endpointAddress } from './endpoint-address.ts';
import { type UpstreamOptions, type UpstreamSettings, upstreamSettings } from './options.ts';
import { Pool } from './pool.ts';
import type { PoolClient, Waiter } from './queue.ts';

/** Counts of one endpoint, at this moment. */
export interface EndpointStatus {
  readonly url: string;
  /** Requests that it is answering. */
  readonly activeCount: number;
  readonly idleCount: number;
  readonly connectingCount: number;
}

/** Counts of an upstream, at this moment. */
export interface UpstreamStatus {
  readonly name: string;
  readonly phase: Phase;
  /** Requests that wait for a connection. */
  readonly waitingCount: number;
  readonly endpoints: readonly EndpointStatus[];
}

/** Servers that answer the same requests. Made by `upstream()`, used by `proxy()`. */
export class UpstreamGroup {
  readonly name: string;
  /** Every connection is its child, every waiting request its work. */
  readonly life: Lifecycle;
  private readonly settings: UpstreamSettings;
  private readonly endpoints: readonly Endpoint[];
  private readonly pool: Pool;

  constructor(given: UpstreamOptions) {
    const settings = upstreamSettings(given);
    const addresses = settings.endpoints.map((source) =>
      endpointAddress(typeof source === 'string' ? source : source.url),
    );
    const urls = addresses.map(({ url }) => url);
    const twice = urls.find((url, index) => urls.indexOf(url) !== index);
    if (twice !== undefined) throw new TypeError(`upstream: endpoint ${twice} is given twice`);
    this.name = settings.name === '' ? (urls[0] ?? '') : settings.name;
    this.settings = { ...settings, name: this.name };
    this.life = new Lifecycle({ onClose: () => this.pool.closed() });
    const openers = openersFor(this.life, settings);
    if (given.tls !== undefined && addresses.every(({ secureHost }) => secureHost === null)) {
      throw new TypeError('upstream: tls: no endpoint is https://');
    }
    this.endpoints = endpointsAt(addresses, settings);
    this.pool = new Pool(this.settings, this.endpoints, this.life, socketDial(openers, settings.protocol));
  }

  /**
   * Gives the client a connection before it returns, or else the waiter it has become. `fresh`: a new one, or where
   * none may be opened one that is not idle. `refusedBy`: rather not from this one. Throws `upstream-queue-full` and
   * `upstream-closed`.
   */
  acquire(client: PoolClient, fresh: boolean, refusedBy: Endpoint | null = null): Waiter | null {
    return this.pool.acquire(client, fresh, refusedBy);
  }

  /** The client wants no connection any more. */
  leave(waiter: Waiter): void {
    this.pool.leave(waiter);
  }

  status(): UpstreamStatus {
    return {
      name: this.name,
      phase: this.life.phase,
      waitingCount: this.pool.waitingCount,
      endpoints: this.endpoints.map(({ activeCount, address, connectingCount, idle }) => ({
        url: address.url,
        activeCount,
        idleCount: idle.length,
        connectingCount,
      })),
    };
  }

  /**
   * Keeps no connection any more, and closes when the last request is answered. A request that comes before that is
   * still served. After `graceMs` what is left is cut off. Resolves when closed.
   */
  async drain(options: { readonly graceMs?: number } = {}): Promise<void> {
    this.life.drain();
    if (this.life.phase === 'closed') return;
    const force = this.settings.clock.after(options.graceMs ?? 30_000, () => this.close());
    await this.life.closed();
    force.cancel();
  }

  /** Cuts off what is running and closes every connection now. */
  close(): void {
    this.life.close();
  }
}

/** The client connections that this upstream has, by their protocols: a new one is a line here. */
function openersFor(life: Lifecycle, { clock, timeouts }: UpstreamSettings): Openers {
  const told = { headTimeoutMs: timeouts.headMs, bodyTimeoutMs: timeouts.idleMs };
  const http1: Http1ClientLimits = { ...HTTP1_CLIENT_DEFAULTS, ...told };
  const h2 = { limits: { ...HTTP2_CLIENT_DEFAULTS, ...told }, options: HTTP2_CLIENT_OPTIONS, clock };
  return {
    http1: (socket, source, owner, begun) => new Http1ClientConnection(socket, source, life, owner, http1, begun),
    h2: (socket, source, owner, begun) => new Http2ClientConnection(socket, source, life, owner, h2, begun),
  };
}

function endpointsAt(addresses: readonly EndpointAddress[], settings: UpstreamSettings): Endpoint[] {
  const { protocol } = settings;
  const h2 = protocol === 'http1' ? [] : ['h2'];
  const offered = protocol === 'h2' ? h2 : [...h2, 'http/1.1'];
  let tls: UpstreamTls | null = null;
  return addresses.map((address) => {
    if (address.secureHost === null) return new Endpoint(address, null, protocol === 'h2');
    tls ??= new UpstreamTls(settings.name === '' ? 'upstream: tls' : `upstream ${settings.name}: tls`, settings.tls);
    return new Endpoint(address, new TlsServer(tls, address.secureHost, offered), h2.length > 0);
  });
}

/** An upstream: where its servers are and how they are used. Throws `TypeError` on options that cannot work. */
export function upstream(options: UpstreamOptions): UpstreamGroup {
  return new UpstreamGroup(options);
}
