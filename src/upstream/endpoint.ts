import type { ClientConnection, ClientConnectionOwner } from '../core/client.ts';
import type { TlsServer } from '../transport/upstream-tls.ts';
import type { Connecting } from './connecting.ts';
import type { EndpointAddress } from './endpoint-address.ts';

/** One server of an upstream, with what is known about it. */
export class Endpoint {
  readonly address: EndpointAddress;
  /** How its connections are secured; `null`: they are not. */
  readonly tls: TlsServer | null;
  /** All that are open. */
  readonly connections = new Set<PooledConnection>();
  /** Those that carry nothing, the last used at the end: it is the one least likely to have been closed meanwhile. */
  readonly idle: PooledConnection[] = [];
  /** Those that carry requests and may have room for more; HTTP/1.1 has none of these. */
  readonly shared: PooledConnection[] = [];
  connectingCount = 0;
  /** Its connections carry many requests at once: so it was with the last one, or so we hope before there was one. */
  multiplexes: boolean;
  /** While it multiplexes: the last connection that is being opened. Requests wait for it rather than open their own. */
  opening: Connecting | null = null;

  constructor(address: EndpointAddress, tls: TlsServer | null, multiplexes: boolean) {
    this.address = address;
    this.tls = tls;
    this.multiplexes = multiplexes;
  }

  /** Connections that exist or are being opened. */
  get openCount(): number {
    return this.connections.size + this.connectingCount;
  }

  /** Requests that it is answering. */
  get activeCount(): number {
    let count = 0;
    for (const { runningCount } of this.connections) count += runningCount;
    return count;
  }

  /** Whether an open connection has room for a request. `fresh`: one that is not idle. */
  hasFree(fresh: boolean): boolean {
    return hasRoom(this.shared) || (!fresh && hasRoom(this.idle));
  }

  /** An open connection with room for a request, to be used at once. */
  take(fresh: boolean): PooledConnection | undefined {
    if (hasRoom(this.shared)) return this.shared.at(-1);
    if (fresh || !hasRoom(this.idle)) return undefined;
    const pooled = this.idle.pop();
    if (pooled === undefined) return undefined;
    pooled.list = null;
    if (pooled.multiplexes) this.list(pooled, this.shared);
    return pooled;
  }

  /** Puts a connection into one of the lists, and takes it out of the other. */
  list(pooled: PooledConnection, list: PooledConnection[]): void {
    if (pooled.list === list) return;
    this.unlist(pooled);
    pooled.list = list;
    list.push(pooled);
  }

  unlist(pooled: PooledConnection): void {
    const at = pooled.list?.lastIndexOf(pooled) ?? -1;
    if (at !== -1) pooled.list?.splice(at, 1);
    pooled.list = null;
  }
}

/** Whether the last of a list has room. One that has none any more is dropped, and listed again when it is free. */
function hasRoom(list: PooledConnection[]): boolean {
  for (let last = list.at(-1); last !== undefined; last = list.at(-1)) {
    if (last.roomCount > 0) return true;
    last.list = null;
    list.pop();
  }
  return false;
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
  /** It can carry many requests at once. */
  readonly multiplexes: boolean;
  /** Where its endpoint lists it. */
  list: PooledConnection[] | null = null;
  /** When it is too old to be used again, while it is idle. */
  idleUntilMs = Number.POSITIVE_INFINITY;
  private readonly keeper: ConnectionKeeper;
  private readonly streamMaxCount: number;

  /** `streamMaxCount`: requests at once, whatever its peer allows. */
  constructor(
    endpoint: Endpoint,
    keeper: ConnectionKeeper,
    multiplexes: boolean,
    streamMaxCount: number,
    open: (owner: ClientConnectionOwner) => ClientConnection,
  ) {
    this.endpoint = endpoint;
    this.keeper = keeper;
    this.multiplexes = multiplexes;
    this.streamMaxCount = streamMaxCount;
    this.connection = open(this);
  }

  /** Requests that it carries: each is work of its lifecycle, from the sending to the end of the answer. */
  get runningCount(): number {
    return this.connection.life.liveCount;
  }

  /** How many more requests may be sent on it now. */
  get roomCount(): number {
    return Math.min(this.connection.availableCount, this.streamMaxCount - this.runningCount);
  }

  onFree(): void {
    this.keeper.released(this);
  }

  onClose(_connection: ClientConnection, reason: string): void {
    this.keeper.removed(this, reason);
  }
}
