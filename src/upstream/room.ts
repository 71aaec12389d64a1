import { LinkedList } from '../core/linked-list.ts';
import type { Endpoint } from './endpoint.ts';
import type { Openings } from './openings.ts';
import type { PoolOptions } from './options.ts';
import type { PooledConnection } from './pooled-connection.ts';
import type { Roster } from './roster.ts';

/** What the caps of a pool leave: where there is room for one more request, and who gives way. All of it in constant time. */
export class Room {
  /** Connections that exist or are being opened, to all endpoints. */
  openCount = 0;
  private readonly options: PoolOptions;
  private readonly roster: Roster;
  private readonly openings: Openings;
  /**
   * Idle connections of all endpoints, in the order in which they became idle. One that is used again stays in its place until
   * it becomes idle again, is gone, or is in the way: so taking one costs nothing here. `null`: nobody gives way, for there is
   * no cap over all endpoints.
   */
  private readonly idle: LinkedList<PooledConnection> | null;

  constructor(options: PoolOptions, roster: Roster, openings: Openings) {
    this.options = options;
    this.roster = roster;
    this.openings = openings;
    this.idle = options.connectionTotalMaxCount === null ? null : new LinkedList();
  }

  /** Whether any endpoint in turn has room. `false` is certain; `true` is not, for a connection may have been used up. */
  get isLeft(): boolean {
    const { growingCount, servingCount } = this.roster.roomInTurn;
    return servingCount > 0 || (growingCount > 0 && this.mayOpen);
  }

  /** Connections or caps of an endpoint are otherwise than before. */
  update(endpoint: Endpoint): void {
    const { idle, shared } = endpoint;
    const serving = idle.length > 0 || shared.length > 0 || this.openings.joinable(endpoint) !== null;
    const growing = endpoint.openCount < this.options.connectionMaxCount;
    if (serving !== endpoint.serving || growing !== endpoint.growing) {
      this.roster.roomChanged(endpoint, serving, growing);
    }
  }

  /** Whether a connection is being opened that one more may wait for, or may be; an idle one gives way for it. */
  mayConnect(endpoint: Endpoint, fresh: boolean): boolean {
    if (this.openings.joinable(endpoint) !== null) return true;
    if (endpoint.openCount >= this.options.connectionMaxCount && !(fresh && endpoint.idle.length > 0)) return false;
    return this.mayOpen;
  }

  get totalIsBelowMax(): boolean {
    const { connectionTotalMaxCount } = this.options;
    return connectionTotalMaxCount === null || this.openCount < connectionTotalMaxCount;
  }

  private get mayOpen(): boolean {
    return this.totalIsBelowMax || this.longestIdle !== null;
  }

  private get longestIdle(): PooledConnection | null {
    const { idle } = this;
    if (idle === null) return null;
    while (idle.first !== null && !idle.first.isIdle) idle.remove(idle.first);
    return idle.first;
  }

  /** Closes what has to give way for one more connection to this endpoint. */
  make(endpoint: Endpoint): void {
    if (endpoint.openCount >= this.options.connectionMaxCount) endpoint.idle[0]?.connection.close('idle-timeout');
    if (!this.totalIsBelowMax) this.longestIdle?.connection.close('idle-timeout');
  }

  /** It is idle from now on. Returns whether others may gain by that. */
  rested(pooled: PooledConnection): boolean {
    if (this.idle === null) return false;
    if (this.idle.last !== pooled) {
      this.idle.remove(pooled);
      this.idle.push(pooled);
    }
    return !this.totalIsBelowMax;
  }

  /** It is gone. */
  removed(pooled: PooledConnection): void {
    this.openCount -= 1;
    this.idle?.remove(pooled);
  }
}
