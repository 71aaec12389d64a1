import type { ClockTimer } from '../core/clock.ts';
import { channel } from '../core/events.ts';
import { Failure, type FaultCode } from '../core/failure.ts';
import type { Lifecycle } from '../core/lifecycle.ts';
import type { Connecting } from './connecting.ts';
import type { Dial, Dialled } from './dial.ts';
import type { Endpoint } from './endpoint.ts';
import { type OpeningObserver, Openings } from './openings.ts';
import type { UpstreamSettings } from './options.ts';
import { type ConnectionKeeper, PooledConnection } from './pooled-connection.ts';
import { type PoolClient, Waiter, WaitQueue } from './queue.ts';
import { type Reserve, reserveFor } from './reserve.ts';
import { Room } from './room.ts';
import type { Roster } from './roster.ts';
import { sweepPeriodMs } from './sweep-period.ts';

const connects = channel('upstream:connect');
const closes = channel('upstream:close');

/** How much before its peer an idle connection is closed, so that no request crosses the peer's close on the way. */
const CLOSE_AHEAD_MS = 1000;
const NONE_TRIED: readonly Endpoint[] = [];

/**
 * The connections of an upstream to all its endpoints, and the requests that wait for one.
 *
 * A request takes the endpoint whose turn it is among those that have a connection with room for it or may open one; else
 * it waits, and the connection that is free first serves the request that came first. Where connections carry many
 * requests at once, those that come while one is being opened wait for it together. One sweep checks every deadline;
 * while there is nothing to check there is no timer.
 */
export class Pool implements ConnectionKeeper, OpeningObserver {
  private readonly settings: UpstreamSettings;
  private readonly roster: Roster;
  private readonly life: Lifecycle;
  private readonly openings: Openings;
  private readonly queue = new WaitQueue((connecting, deltaCount) => this.waitingChanged(connecting, deltaCount));
  private readonly reserve: Reserve | null;
  private readonly room: Room;
  /** As of the last sweep; good enough for what may only come early. */
  private nowMs = 0;
  private timer: ClockTimer | null = null;
  private makingRoom = false;
  /** What is asked of an endpoint right now. */
  private fresh = false;
  private avoided: readonly Endpoint[] = NONE_TRIED;
  private asker: PoolClient | null = null;
  private readonly usable = (endpoint: Endpoint): boolean =>
    (this.avoided.length === 0 || !this.avoided.includes(endpoint)) &&
    this.mayCall(endpoint, this.asker) &&
    (endpoint.hasFree(this.fresh) || this.room.mayConnect(endpoint, this.fresh) || this.isFull(endpoint));

  constructor(settings: UpstreamSettings, roster: Roster, life: Lifecycle, dial: Dial) {
    this.settings = settings;
    this.roster = roster;
    this.life = life;
    this.openings = new Openings(dial, settings.clock, settings.pool.streamMaxCount, this);
    this.reserve = reserveFor(settings);
    this.room = new Room(settings.pool, roster, this.openings);
  }

  get waitingCount(): number {
    return this.queue.count;
  }

  /**
   * Gives the client a connection before it returns, or else the waiter it has become. `fresh`: a new one, or where
   * none may be opened one that is not idle. Throws `upstream-queue-full`, `upstream-unavailable` and `upstream-closed`.
   */
  acquire(client: PoolClient, fresh: boolean): Waiter | null {
    if (this.life.phase === 'closed') throw new Failure('upstream-closed');
    const endpoint = this.pick(client, fresh);
    const pooled = endpoint === null ? undefined : this.take(endpoint, fresh);
    if (pooled !== undefined) {
      this.give(pooled, client);
      return null;
    }
    if (endpoint === null) this.checkQueue(client);
    this.begin();
    const waiter = new Waiter(client, this.settings.clock.now(), fresh);
    this.life.begin();
    this.queue.push(waiter);
    if (endpoint !== null) this.connect(endpoint, waiter);
    return waiter;
  }

  /** Whether the client would be given a connection now, or one would be opened for it; not while others wait for room. */
  hasRoomFor(client: PoolClient): boolean {
    if (this.queue.count > this.queue.connectingCount || !this.room.isLeft) return false;
    this.ask(client, false);
    return this.roster.some(this.usable);
  }

  /** Whether one more may wait until there is room. */
  private checkQueue({ waits }: PoolClient): void {
    const { clock } = this.settings;
    if (!waits || (!this.roster.some(({ standing }) => standing.mayCall(clock)) && !this.roster.promising)) {
      throw new Failure('upstream-unavailable');
    }
    if (this.queue.count - this.queue.connectingCount >= this.settings.pool.queueMaxCount) {
      throw new Failure('upstream-queue-full');
    }
  }

  /** The client wants no connection any more: what is opened for it goes to somebody else. `false`: it has one. */
  leave(waiter: Waiter): boolean {
    if (!waiter.queued) return false;
    this.queue.remove(waiter);
    this.life.end();
    return true;
  }

  /** An endpoint takes no new requests: what it has unused is closed, and so is the rest when it is free. */
  retire(endpoint: Endpoint): void {
    for (const pooled of [...endpoint.idle]) pooled.connection.close('drained');
    this.openings.cancel(endpoint, (connecting) => this.ended(connecting));
    this.dismiss(endpoint);
    this.pump();
  }

  /** An endpoint that leaves is gone when nothing of it is left. */
  private dismiss(endpoint: Endpoint): void {
    if (!endpoint.draining || endpoint.openCount > 0) return;
    this.roster.forget(endpoint);
    this.reserve?.forget(endpoint);
  }

  /** The upstream is closed; its connections are closed by their lifecycles. */
  closed(): void {
    this.timer?.cancel();
    this.timer = null;
    this.openings.cancel(null, (connecting) => {
      this.ended(connecting);
      this.dismiss(connecting.endpoint);
    });
    for (let waiter = this.queue.first; waiter !== null; waiter = this.queue.first) {
      this.queue.remove(waiter);
      waiter.client.onNoConnection(new Failure('upstream-closed'), null);
    }
  }

  // ── choosing ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The endpoint whose turn it is among those that can serve now; one that was tried in vain only when there is no other. */
  private pick(client: PoolClient, fresh: boolean): Endpoint | null {
    const { home, key, tried, waits } = client;
    this.ask(client, fresh);
    if (home?.standing.takesRequests === true && !home.draining && this.usable(home)) return home;
    // Who is sent again has had its turn.
    const endpoint = this.roster.pick(this.usable, key, this.room.isLeft, tried.length === 0);
    if (endpoint !== null || tried.length === 0 || !waits) return endpoint;
    if (this.hasOthers(client)) return null;
    // It has been to all of them: any rather than the last one.
    for (const avoided of [tried.slice(-1), NONE_TRIED]) {
      this.avoided = avoided;
      const again = this.roster.pick(this.usable, key, this.room.isLeft, false);
      if (again !== null) return again;
    }
    return null;
  }

  /** Whether there are endpoints that the client has not been to in vain, though perhaps without room now. */
  private hasOthers(client: PoolClient): boolean {
    return this.roster.some((other) => !client.tried.includes(other) && this.mayCall(other, client));
  }

  /** It has been asked in vain: what seemed to have room was used up. */
  private isFull(endpoint: Endpoint): false {
    this.room.update(endpoint);
    return false;
  }

  private ask(client: PoolClient, fresh: boolean): void {
    this.fresh = fresh;
    this.asker = client;
    this.avoided = client.tried;
  }

  /** Whether the endpoint's breaker lets the client through, or has done so already. */
  private mayCall(endpoint: Endpoint, client: PoolClient | null): boolean {
    return endpoint.standing.mayCall(this.settings.clock) || client?.isAdmittedBy(endpoint) === true;
  }

  private take(endpoint: Endpoint, fresh: boolean): PooledConnection | undefined {
    if (fresh && this.room.mayConnect(endpoint, fresh)) return undefined;
    const pooled = endpoint.take(fresh);
    if (endpoint.idle.length === 0) this.room.update(endpoint);
    return pooled;
  }

  // ── serving ─────────────────────────────────────────────────────────────────────────────────────────────────────

  private give(pooled: PooledConnection, client: PoolClient): void {
    client.onConnection(pooled.connection, pooled.endpoint);
    pooled.charge();
  }

  private serve(waiter: Waiter, pooled: PooledConnection): void {
    this.queue.remove(waiter);
    this.give(pooled, waiter.client);
    this.life.end();
  }

  /** The waiter that came first among those that may have a connection to this endpoint, and want it. */
  private firstFor(endpoint: Endpoint): Waiter | null {
    if (endpoint.draining) return null;
    let waiter = this.queue.first;
    while (waiter !== null && !this.mayServe(waiter, endpoint)) waiter = waiter.next;
    return waiter;
  }

  private mayServe(waiter: Waiter, endpoint: Endpoint): boolean {
    const { client } = waiter;
    if (!waiter.wouldTake(endpoint) || !this.mayCall(endpoint, client)) return false;
    return !client.tried.includes(endpoint) || !this.hasOthers(client);
  }

  loadChanged(endpoint: Endpoint, deltaCount: number): void {
    endpoint.activeCount += deltaCount;
    this.roster.update(endpoint);
  }

  private waitingChanged(connecting: Connecting, deltaCount: number): void {
    const { endpoint } = connecting;
    endpoint.waitingCount += deltaCount;
    this.openings.waitersChanged(connecting);
    this.roster.update(endpoint);
    this.room.update(endpoint);
  }

  /** A connection may be opened again: for the waiters that have none coming. */
  pump(): void {
    if (this.makingRoom || this.queue.count === this.queue.connectingCount) return;
    let waiter = this.queue.first;
    while (waiter !== null) {
      const { next } = waiter;
      if (waiter.queued && waiter.connecting === null) {
        const endpoint = this.pick(waiter.client, waiter.fresh);
        const pooled = endpoint === null ? undefined : this.take(endpoint, waiter.fresh);
        if (pooled !== undefined) this.serve(waiter, pooled);
        else if (endpoint !== null) this.connect(endpoint, waiter);
        else if (waiter.client.tried.length === 0) return;
      }
      waiter = next;
    }
  }

  released(pooled: PooledConnection): void {
    this.reuse(pooled);
    if (!pooled.endpoint.serving) this.room.update(pooled.endpoint);
  }

  private reuse(pooled: PooledConnection): void {
    const { endpoint } = pooled;
    if (endpoint.draining) {
      if (pooled.runningCount === 0) pooled.connection.close('drained');
      return;
    }
    while (this.queue.count > 0 && pooled.roomCount > 0) {
      const waiter = this.firstFor(endpoint);
      if (waiter === null) break;
      this.serve(waiter, pooled);
    }
    if (pooled.runningCount > 0) {
      if (pooled.roomCount > 0) endpoint.list(pooled, endpoint.shared);
      else endpoint.unlist(pooled);
    } else if (!pooled.isIdle && pooled.connection.life.phase === 'accepting') this.rest(pooled);
  }

  private rest(pooled: PooledConnection): void {
    const { connection, endpoint } = pooled;
    const { keepAliveMs } = connection;
    let restMs = this.settings.pool.idleTimeoutMs;
    if (keepAliveMs !== null && keepAliveMs - CLOSE_AHEAD_MS < restMs) restMs = keepAliveMs - CLOSE_AHEAD_MS;
    if (restMs <= 0 || pooled.retired) {
      connection.close('keep-alive-off');
      return;
    }
    pooled.idleUntilMs = this.nowMs + restMs;
    endpoint.list(pooled, endpoint.idle);
    // It may give way for somebody who must not use it.
    if (this.room.rested(pooled)) this.pump();
  }

  removed(pooled: PooledConnection, reason: string): void {
    const { endpoint } = pooled;
    endpoint.unlist(pooled);
    endpoint.connections.delete(pooled);
    this.room.removed(pooled);
    this.room.update(endpoint);
    this.dismiss(endpoint);
    if (closes.heard) closes.publish({ upstream: this.settings.name, endpoint: endpoint.address.url, reason });
    this.pump();
  }

  // ── connecting ──────────────────────────────────────────────────────────────────────────────────────────────────

  private connect(endpoint: Endpoint, waiter: Waiter): void {
    waiter.client.onConnecting(endpoint);
    const joined = this.openings.joinable(endpoint);
    if (joined === null) {
      this.makingRoom = true;
      this.room.make(endpoint);
      this.makingRoom = false;
    }
    this.queue.assign(waiter, joined ?? this.open(endpoint));
  }

  private open(endpoint: Endpoint): Connecting {
    const connecting = this.openings.begin(endpoint);
    this.room.openCount += 1;
    this.room.update(endpoint);
    return connecting;
  }

  /** No connection is being opened any more. Returns those that waited for it. */
  private ended(connecting: Connecting): Waiter[] {
    this.openings.end(connecting);
    this.room.openCount -= 1;
    this.room.update(connecting.endpoint);
    return this.queue.unassignAll(connecting);
  }

  onConnected(connecting: Connecting, dialled: Dialled): void {
    const { endpoint } = connecting;
    const { multiplexes } = dialled;
    const waiters = this.ended(connecting);
    const first = waiters[0] ?? this.firstFor(endpoint);
    const { pool, clock } = this.settings;
    this.room.openCount += 1;
    const pooled = new PooledConnection(endpoint, this, multiplexes, pool.streamMaxCount, clock.now(), (owner) =>
      dialled.open(owner, first !== null),
    );
    // A drain under way closes at once what nobody waits for.
    if (pooled.connection.life.phase === 'closed') return;
    endpoint.multiplexes = multiplexes;
    endpoint.reachable = true;
    this.reserve?.forget(endpoint);
    endpoint.connections.add(pooled);
    if (connects.heard) connects.publish({ upstream: this.settings.name, endpoint: endpoint.address.url });
    if (first !== null) this.serve(first, pooled);
    this.released(pooled);
    // More have waited than it can carry.
    if (waiters.length > 1) {
      for (const waiter of waiters) if (!waiter.client.waits) this.turnAway(waiter, 'upstream-queue-full');
      this.pump();
    }
  }

  onFailed(connecting: Connecting, failure: Failure): void {
    const { endpoint } = connecting;
    endpoint.reachable = false;
    this.reserve?.failed(endpoint, this.nowMs);
    const waiters = this.ended(connecting);
    // What one is told may bring a connection to the next. Where all were served elsewhere it has failed nonetheless.
    for (const waiter of waiters) if (this.leave(waiter)) waiter.client.onNoConnection(failure, endpoint);
    if (waiters.length === 0) endpoint.standing.begin()?.failed(failure);
    this.dismiss(endpoint);
    this.pump();
  }

  // ── deadlines ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Checks deadlines from now on. */
  begin(): void {
    if (this.timer !== null) return;
    const { clock } = this.settings;
    this.nowMs = clock.now();
    this.timer = clock.every(sweepPeriodMs(this.settings), () => this.sweep());
  }

  private sweep(): void {
    const nowMs = this.settings.clock.now();
    this.nowMs = nowMs;
    const { pool, timeouts } = this.settings;
    this.openings.expire(timeouts.connectMs, nowMs, (connecting) => {
      this.onFailed(connecting, new Failure('upstream-connect-timeout'));
    });
    this.queue.expire(nowMs, pool.queueTimeoutMs, (waiter, code) => this.turnAway(waiter, code));
    // A breaker whose open time is over lets somebody through.
    this.pump();
    const reserve = this.life.phase === 'accepting' ? this.reserve : null;
    for (const endpoint of this.roster.all) {
      for (const pooled of endpoint.connections) pooled.sweep(nowMs, pool.ageMaxMs);
      if (reserve?.wants(endpoint, nowMs) === true && this.room.totalIsBelowMax) this.open(endpoint);
    }
    if (this.room.openCount === 0 && this.queue.count === 0 && this.reserve === null) {
      this.timer?.cancel();
      this.timer = null;
    }
  }

  private turnAway(waiter: Waiter, code: FaultCode): void {
    if (this.leave(waiter)) waiter.client.onNoConnection(new Failure(code), null);
  }
}
