import type { Candidate } from '../policy/balance/candidate.ts';
import type { TlsServer } from '../transport/upstream-tls.ts';
import type { Connecting } from './connecting.ts';
import type { EndpointAddress } from './endpoint-address.ts';
import type { PooledConnection } from './pooled-connection.ts';
import type { Standing } from './standing.ts';

/** What is said of an endpoint besides where it is; it may change while it runs. */
export interface EndpointTraits {
  /** Its share relative to the others; default 1. */
  readonly weight: number;
  /** Where it is; requests stay in their own zone while that can carry them. Empty: nowhere in particular. */
  readonly zone: string;
  /** Its tier: 0 is used first, the next one when that cannot carry everything. */
  readonly priority: number;
}

/** One server of an upstream, with what is known about it. */
export class Endpoint implements Candidate {
  readonly id: string;
  readonly address: EndpointAddress;
  /** How its connections are secured; `null`: they are not. */
  readonly tls: TlsServer | null;
  /** How it has done so far. */
  readonly standing: Standing;
  traits: EndpointTraits;
  /** Its weight as of now: less than its own while it is warming up. */
  weight: number;
  /** Requests that it is answering. */
  activeCount = 0;
  /** Requests that wait for a connection to it that is being opened. Others may serve them meanwhile. */
  waitingCount = 0;
  /** It gets no new requests, and is gone when the last one is answered. */
  draining = false;
  /** All that are open. */
  readonly connections = new Set<PooledConnection>();
  /** Those that carry nothing, the last used at the end: it is the one least likely to have been closed meanwhile. */
  readonly idle: PooledConnection[] = [];
  /** Those that carry requests and may have room for more; HTTP/1.1 has none of these. */
  readonly shared: PooledConnection[] = [];
  connectingCount = 0;
  /** Its turn may come, as its roster knows it. */
  inTurn = false;
  /** A connection of it has room, or is being opened for more than those who wait for it. */
  serving = false;
  /** It may have more connections of its own. */
  growing = true;
  /** The last connection to it could be opened, or none was tried. */
  reachable = true;
  /** Its connections carry many requests at once: so it was with the last one, or so we hope before there was one. */
  multiplexes: boolean;
  /** While it multiplexes: the last connection that is being opened. Requests wait for it rather than open their own. */
  opening: Connecting | null = null;
  /** Else: those that are being opened and nobody waits for. */
  readonly unwanted: Connecting[] = [];

  constructor(
    address: EndpointAddress,
    tls: TlsServer | null,
    multiplexes: boolean,
    traits: EndpointTraits,
    standing: Standing,
  ) {
    this.id = address.url;
    this.address = address;
    this.tls = tls;
    this.multiplexes = multiplexes;
    this.traits = traits;
    this.weight = traits.weight;
    this.standing = standing;
  }

  get latencyMs(): number | null {
    return this.standing.fadedLatencyMs;
  }

  /** What it has to do, or will have soon. */
  get loadCount(): number {
    return this.activeCount + this.waitingCount;
  }

  /** Connections that exist or are being opened. */
  get openCount(): number {
    return this.connections.size + this.connectingCount;
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
    // Those that are closed are mostly the oldest.
    const at = pooled.list?.indexOf(pooled) ?? -1;
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
