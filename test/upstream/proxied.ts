import { once } from 'node:events';
import { connect } from 'node:net';
import type { Layer } from '../../src/core/handler.ts';
import { type Server, serve } from '../../src/server/serve.ts';
import { type ProxyOptions, proxy } from '../../src/upstream/forward.ts';
import { type UpstreamGroup, upstream } from '../../src/upstream/group.ts';
import type { UpstreamOptions } from '../../src/upstream/options.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ScriptedConnection, ScriptedUpstream } from './scripted.ts';

/** A raw client, a Sluice that proxies, and a scripted upstream. */
export class Proxied implements AsyncDisposable {
  /** The upstream's clock; the server's own is the real one. */
  readonly clock: ManualClock;
  readonly group: UpstreamGroup;
  readonly server: Server;
  readonly upstream: ScriptedUpstream;

  private constructor(clock: ManualClock, group: UpstreamGroup, server: Server, scripted: ScriptedUpstream) {
    this.clock = clock;
    this.group = group;
    this.server = server;
    this.upstream = scripted;
  }

  static async open(
    options: Partial<UpstreamOptions> = {},
    proxyOptions: Partial<ProxyOptions> = {},
    layer: Layer = (inner) => inner,
  ): Promise<Proxied> {
    const clock = new ManualClock();
    const scripted = await ScriptedUpstream.listen();
    const group = upstream({ endpoints: [scripted.url], clock, ...options });
    const handler = layer(proxy(group, { via: 'me', ...proxyOptions }));
    const server = await serve({ listeners: [{ bind: '127.0.0.1:0' }], handler });
    return new Proxied(clock, group, server, scripted);
  }

  async client(): Promise<ScriptedConnection> {
    const port = this.server.listeners[0]?.address.port ?? 0;
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new ScriptedConnection(socket);
  }

  /** Sends a request on a connection of its own, and nothing more. */
  async ask(request: string): Promise<ScriptedConnection> {
    const client = await this.client();
    client.write(request);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.group.close();
    await this.server.close();
    await this.upstream[Symbol.asyncDispose]();
  }
}

/** A request without a body. */
export const get = (target = '/', fields = ''): string =>
  `GET ${target} HTTP/1.1\r\nhost: example.com\r\n${fields}\r\n`;
