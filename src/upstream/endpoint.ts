import type { ClientConnection, ClientConnectionOwner } from '../core/client.ts';
import { type EndpointAddress, endpointAddress } from './endpoint-address.ts';

/** One server of an upstream, with what is known about it. */
export class Endpoint {
  readonly address: EndpointAddress;
  /** Unused connections, the last used at the end: it is the one least likely to have been closed meanwhile. */
  readonly idle: PooledConnection[] = [];
  /** Connections that exist or are being opened. */
  openCount = 0;
  connectingCount = 0;
  /** Requests that it is answering. */
  activeCount = 0;

  /** Throws a `TypeError` when `url` is not one that can be reached. */
  constructor(url: string) {
    this.address = endpointAddress(url);
  }
}

/** What a pool does with a connection that is free or gone. */
export interface ConnectionKeeper {
  released(pooled: PooledConnection): void;
  removed(pooled: PooledConnection, reason: string): void;
}

/** A connection's place in its pool. */
export class PooledConnection implements ClientConnectionOwner {
  readonly endpoint: Endpoint;
  readonly connection: ClientConnection;
  /** It carries a request. */
  active = false;
  /** When it is too old to be used again, while it is idle. */
  idleUntilMs = Number.POSITIVE_INFINITY;
  private readonly keeper: ConnectionKeeper;

  constructor(endpoint: Endpoint, keeper: ConnectionKeeper, open: (owner: ClientConnectionOwner) => ClientConnection) {
    this.endpoint = endpoint;
    this.keeper = keeper;
    this.connection = open(this);
  }

  onFree(): void {
    this.keeper.released(this);
  }

  onClose(_connection: ClientConnection, reason: string): void {
    this.keeper.removed(this, reason);
  }
}
