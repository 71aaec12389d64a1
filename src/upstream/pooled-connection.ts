import type { ClientConnection, ClientConnectionOwner } from '../core/client.ts';
import type { Linked } from '../core/linked-list.ts';
import type { Endpoint } from './endpoint.ts';

/** What a pool does with a connection that is free or gone. */
export interface ConnectionKeeper {
  /** An endpoint answers so many more requests than it did, or fewer. */
  loadChanged(endpoint: Endpoint, deltaCount: number): void;
  released(pooled: PooledConnection): void;
  removed(pooled: PooledConnection, reason: string): void;
}

/** A connection's place in its pool. */
export class PooledConnection implements ClientConnectionOwner, Linked<PooledConnection> {
  readonly endpoint: Endpoint;
  readonly connection: ClientConnection;
  /** It can carry many requests at once. */
  readonly multiplexes: boolean;
  /** When it was opened, on the pool's clock. */
  readonly openedMs: number;
  /** Where its endpoint lists it. */
  list: PooledConnection[] | null = null;
  /** Its neighbours among the idle ones of all endpoints. */
  previous: PooledConnection | null = null;
  next: PooledConnection | null = null;
  /** When it is too old to be used again, while it is idle. */
  idleUntilMs = Number.POSITIVE_INFINITY;
  /** It is too old to take requests. */
  retired = false;
  private readonly keeper: ConnectionKeeper;
  private readonly streamMaxCount: number;
  /** Requests on it that its endpoint has been charged with. */
  private chargedCount = 0;

  /** `streamMaxCount`: requests at once, whatever its peer allows. */
  constructor(
    endpoint: Endpoint,
    keeper: ConnectionKeeper,
    multiplexes: boolean,
    streamMaxCount: number,
    openedMs: number,
    open: (owner: ClientConnectionOwner) => ClientConnection,
  ) {
    this.endpoint = endpoint;
    this.keeper = keeper;
    this.multiplexes = multiplexes;
    this.streamMaxCount = streamMaxCount;
    this.openedMs = openedMs;
    this.connection = open(this);
  }

  get isIdle(): boolean {
    return this.list === this.endpoint.idle;
  }

  /** Requests that it carries: each is work of its lifecycle, from the sending to the end of the answer. */
  get runningCount(): number {
    const { life } = this.connection;
    return life.phase === 'closed' ? 0 : life.liveCount;
  }

  /** How many more requests may be sent on it now. */
  get roomCount(): number {
    if (this.retired) return 0;
    return Math.min(this.connection.availableCount, this.streamMaxCount - this.runningCount);
  }

  /** Charges the endpoint with what runs now. */
  charge(): void {
    const { runningCount } = this;
    const deltaCount = runningCount - this.chargedCount;
    if (deltaCount === 0) return;
    this.chargedCount = runningCount;
    this.keeper.loadChanged(this.endpoint, deltaCount);
  }

  /** Checks deadlines, its own and those of what it carries. `ageMaxMs`: how old it may become; `null`: any age. */
  sweep(nowMs: number, ageMaxMs: number | null): void {
    if (ageMaxMs !== null && nowMs - this.openedMs >= ageMaxMs) this.retired = true;
    const unused = this.runningCount === 0;
    if (unused && (this.retired || nowMs >= this.idleUntilMs)) this.connection.close('idle-timeout');
    else this.connection.sweep(nowMs);
  }

  onFree(): void {
    this.charge();
    this.keeper.released(this);
  }

  onClose(_connection: ClientConnection, reason: string): void {
    const { chargedCount } = this;
    this.chargedCount = 0;
    if (chargedCount > 0) this.keeper.loadChanged(this.endpoint, -chargedCount);
    this.keeper.removed(this, reason);
  }
}
