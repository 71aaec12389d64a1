import type { ClockTimer } from '../core/clock.ts';
import { channel } from '../core/events.ts';
import { Failure } from '../core/failure.ts';
import type { Lifecycle } from '../core/lifecycle.ts';
import { roundRobin } from '../policy/round-robin.ts';
import { Connecting } from './connecting.ts';
import type { Dial, Dialled } from './dial.ts';
import { type ConnectionKeeper, type Endpoint, PooledConnection } from './endpoint.ts';
import type { BalanceName, UpstreamSettings } from './options.ts';
import { type PoolClient, Waiter, WaitQueue } from './queue.ts';

const connects = channel('upstream:connect');
const closes = channel('upstream:close');
const retries = channel('upstream:retry');

const SWEEP_MAX_MS = 250;
/** How much before its peer an idle connection is closed, so that no request crosses the peer's close on the way. */
const CLOSE_AHEAD_MS = 1000;
const NONE_TRIED: readonly Endpoint[] = [];

/** Whose turn it is, after whose it was: each balancing policy by its name. */
const BALANCES: Readonly<Record<BalanceName, (lastTurn: number, candidateCount: number) => number>> = {
  'round-robin': roundRobin,
};

/**
 * The connections of an upstream to all its endpoints, and the requests that wait for one.
 *
 * A request takes the endpoint whose turn it is, if that has a connection with room for it or may open one; else the
 * next that can; else it waits, and the connection that is free first serves the request that came first. Where
 * connections carry many requests at once, those that come while one is being opened wait for it together. One sweep
 * checks every deadline; while there is nothing to check there is no timer.
 */
export class Pool implements ConnectionKeeper {
  private readonly settings: UpstreamSettings;
  private readonly endpoints: readonly Endpoint[];
  private readonly life: Lifecycle;
  private readonly dial: Dial;
  private readonly balance: (lastTurn: number, candidateCount: number) => number;
  private readonly connecting = new Set<Connecting>();
  private readonly queue = new WaitQueue();
  private turn = -1;
  /** As of the last sweep; good enough for what may only come early. */
  private nowMs = 0;
  private timer: ClockTimer | null = null;
  private makingRoom = false;

  constructor(settings: UpstreamSettings, endpoints: readonly Endpoint[], life: Lifecycle, dial: Dial) {
    this.settings = settings;
    this.endpoints = endpoints;
    this.life = life;
    this.dial = dial;
    this.balance = BALANCES[settings.balance];
  }

  get waitingCount(): number {
    return this.queue.count;
  }

  /**
   * Gives the client a connection before it returns, or else the waiter it has become. `fresh`: a new one, or where
   * none may be opened one that is not idle. `refusedBy`: rather not from this one. Throws `upstream-queue-full` and
   * `upstream-closed`.
   */
  acquire(client: PoolClient, fresh: boolean, refusedBy: Endpoint | null = null): Waiter | null {
    if (this.life.phase === 'closed') throw new Failure('upstream-closed');
    const elsewhere = refusedBy === null ? null : this.pick([refusedBy], fresh);
    const endpoint = elsewhere ?? this.pick(NONE_TRIED, fresh);
    const pooled = endpoint === null ? undefined : this.take(endpoint, fresh);
    if (pooled !== undefined) {
      client.onConnection(pooled.connection, pooled.endpoint);
      return null;
    }
    if (endpoint === null && this.queue.count - this.queue.connectingCount >= this.settings.pool.queueMaxCount) {
      throw new Failure('upstream-queue-full');
    }
    this.begin();
    const waiter = new Waiter(client, this.settings.clock.now(), fresh);
    if (refusedBy !== null && elsewhere !== null) waiter.tried.push(refusedBy);
    this.life.begin();
    this.queue.push(waiter);
    if (endpoint !== null) this.connect(endpoint, waiter);
    return waiter;
  }

  /** The client wants no connection any more. One that is being opened for it goes to somebody else. */
  leave(waiter: Waiter): void {
    if (!waiter.queued) return;
    this.queue.remove(waiter);
    this.life.end();
  }

  /** The upstream is closed; its connections are closed by their lifecycles. */
  closed(): void {
    this.timer?.cancel();
    this.timer = null;
    for (const connecting of this.connecting) {
      connecting.cancel();
      this.forgetConnecting(connecting);
    }
    for (let waiter = this.queue.first; waiter !== null; waiter = this.queue.first) {
      this.queue.remove(waiter);
      waiter.client.onNoConnection(new Failure('upstream-closed'));
    }
  }

  // ── choosing ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The endpoint whose turn it is among those that can serve now. */
  private pick(tried: readonly Endpoint[], fresh: boolean): Endpoint | null {
    const { endpoints } = this;
    const count = endpoints.length;
    this.turn = this.balance(this.turn, count);
    for (let i = 0; i < count; i += 1) {
      const at = this.turn + i;
      const endpoint = endpoints[at < count ? at : at - count];
      if (endpoint === undefined || (tried.length > 0 && tried.includes(endpoint))) continue;
      if (endpoint.hasFree(fresh) || this.mayConnect(endpoint, fresh)) return endpoint;
    }
    return null;
  }

  private take(endpoint: Endpoint, fresh: boolean): PooledConnection | undefined {
    return fresh && this.mayConnect(endpoint, fresh) ? undefined : endpoint.take(fresh);
  }

  /** Whether a connection is being opened that one more may wait for, or may be; an idle one gives way for it. */
  private mayConnect(endpoint: Endpoint, fresh: boolean): boolean {
    if (this.mayJoin(endpoint.opening)) return true;
    const { connectionMaxCount } = this.settings.pool;
    if (endpoint.openCount >= connectionMaxCount && !(fresh && endpoint.idle.length > 0)) return false;
    return this.totalIsBelowMax() || this.endpoints.some((other) => other.idle.length > 0);
  }

  private mayJoin(opening: Connecting | null): opening is Connecting {
    return opening !== null && opening.waiterCount < this.settings.pool.streamMaxCount;
  }

  private totalIsBelowMax(): boolean {
    const { connectionTotalMaxCount } = this.settings.pool;
    return connectionTotalMaxCount === null || this.openCount < connectionTotalMaxCount;
  }

  private get openCount(): number {
    return this.endpoints.reduce((count, endpoint) => count + endpoint.openCount, 0);
  }

  private makeRoom(endpoint: Endpoint): void {
    this.makingRoom = true;
    if (endpoint.openCount >= this.settings.pool.connectionMaxCount) endpoint.idle[0]?.connection.close('idle-timeout');
    if (!this.totalIsBelowMax()) {
      const oldest = this.endpoints.flatMap((other) => other.idle.slice(0, 1));
      oldest.sort((a, b) => a.idleUntilMs - b.idleUntilMs);
      oldest[0]?.connection.close('idle-timeout');
    }
    this.makingRoom = false;
  }

  // ── serving ─────────────────────────────────────────────────────────────────────────────────────────────────────

  private serve(waiter: Waiter, pooled: PooledConnection): void {
    this.queue.remove(waiter);
    waiter.client.onConnection(pooled.connection, pooled.endpoint);
    this.life.end();
  }

  /** The waiter that came first and has not failed at this endpoint. */
  private firstFor(endpoint: Endpoint): Waiter | null {
    let waiter = this.queue.first;
    while (waiter?.tried.includes(endpoint) === true) waiter = waiter.next;
    return waiter;
  }

  /** A connection may be opened again: for the waiters that have none coming. */
  private pump(): void {
    if (this.makingRoom) return;
    let waiter = this.queue.first;
    while (waiter !== null) {
      const { next } = waiter;
      if (waiter.connecting === null) {
        const endpoint = this.pick(waiter.tried, waiter.fresh);
        const pooled = endpoint === null ? undefined : this.take(endpoint, waiter.fresh);
        if (pooled !== undefined) this.serve(waiter, pooled);
        else if (endpoint !== null) this.connect(endpoint, waiter);
        else if (waiter.tried.length === 0) return;
      }
      waiter = next;
    }
  }

  released(pooled: PooledConnection): void {
    while (this.queue.count > 0 && pooled.roomCount > 0) {
      const waiter = this.firstFor(pooled.endpoint);
      if (waiter === null) break;
      this.serve(waiter, pooled);
    }
    const { endpoint } = pooled;
    if (pooled.runningCount > 0) {
      if (pooled.roomCount > 0) endpoint.list(pooled, endpoint.shared);
      else endpoint.unlist(pooled);
    } else if (pooled.list !== endpoint.idle && pooled.connection.life.phase === 'accepting') this.rest(pooled);
  }

  private rest(pooled: PooledConnection): void {
    const { connection, endpoint } = pooled;
    const { keepAliveMs } = connection;
    let restMs = this.settings.pool.idleTimeoutMs;
    if (keepAliveMs !== null && keepAliveMs - CLOSE_AHEAD_MS < restMs) restMs = keepAliveMs - CLOSE_AHEAD_MS;
    if (restMs <= 0) {
      connection.close('keep-alive-off');
      return;
    }
    pooled.idleUntilMs = this.nowMs + restMs;
    endpoint.list(pooled, endpoint.idle);
  }

  removed(pooled: PooledConnection, reason: string): void {
    const { endpoint } = pooled;
    endpoint.unlist(pooled);
    endpoint.connections.delete(pooled);
    if (closes.heard) closes.publish({ upstream: this.settings.name, endpoint: endpoint.address.url, reason });
    this.pump();
  }

  // ── connecting ──────────────────────────────────────────────────────────────────────────────────────────────────

  private connect(endpoint: Endpoint, waiter: Waiter): void {
    if (this.mayJoin(endpoint.opening)) {
      this.queue.assign(waiter, endpoint.opening);
      return;
    }
    this.makeRoom(endpoint);
    const connecting = new Connecting(
      endpoint,
      this.settings.clock.now(),
      this.dial,
      (self, dialled) => this.connected(self, dialled),
      (self, failure) => this.unreachable(self, failure),
    );
    endpoint.connectingCount += 1;
    if (endpoint.multiplexes) endpoint.opening = connecting;
    this.connecting.add(connecting);
    this.queue.assign(waiter, connecting);
  }

  /** An attempt is over. Returns those that waited for it. */
  private forgetConnecting(connecting: Connecting): Waiter[] {
    const { endpoint } = connecting;
    this.connecting.delete(connecting);
    endpoint.connectingCount -= 1;
    if (endpoint.opening === connecting) endpoint.opening = null;
    return this.queue.unassignAll(connecting);
  }

  private connected(connecting: Connecting, dialled: Dialled): void {
    const { endpoint } = connecting;
    const { multiplexes } = dialled;
    const waiters = this.forgetConnecting(connecting);
    const first = waiters[0] ?? this.firstFor(endpoint);
    const pooled = new PooledConnection(endpoint, this, multiplexes, this.settings.pool.streamMaxCount, (owner) =>
      dialled.open(owner, first !== null),
    );
    // A drain under way closes at once what nobody waits for.
    if (pooled.connection.life.phase === 'closed') return;
    endpoint.multiplexes = multiplexes;
    endpoint.connections.add(pooled);
    if (connects.heard) connects.publish({ upstream: this.settings.name, endpoint: endpoint.address.url });
    if (first !== null) this.serve(first, pooled);
    this.released(pooled);
    // More have waited than it can carry.
    if (waiters.length > 1) this.pump();
  }

  private unreachable(connecting: Connecting, failure: Failure): void {
    const { endpoint } = connecting;
    for (const waiter of this.forgetConnecting(connecting)) {
      waiter.tried.push(endpoint);
      if (this.endpoints.every((other) => waiter.tried.includes(other))) {
        this.leave(waiter);
        waiter.client.onNoConnection(failure);
      } else if (retries.heard) {
        retries.publish({ upstream: this.settings.name, endpoint: endpoint.address.url, code: failure.code });
      }
    }
    this.pump();
  }

  // ── deadlines ───────────────────────────────────────────────────────────────────────────────────────────────────

  private begin(): void {
    if (this.timer !== null) return;
    const { clock, pool, timeouts } = this.settings;
    const shortestMs = Math.min(
      pool.idleTimeoutMs,
      pool.queueTimeoutMs,
      timeouts.connectMs,
      timeouts.headMs ?? SWEEP_MAX_MS * 4,
      timeouts.idleMs ?? SWEEP_MAX_MS * 4,
    );
    this.nowMs = clock.now();
    this.timer = clock.every(Math.max(1, Math.min(SWEEP_MAX_MS, shortestMs / 4)), () => this.sweep());
  }

  private sweep(): void {
    const nowMs = this.settings.clock.now();
    this.nowMs = nowMs;
    for (const connecting of this.connecting) {
      if (nowMs - connecting.sinceMs < this.settings.timeouts.connectMs) continue;
      connecting.cancel();
      this.unreachable(connecting, new Failure('upstream-connect-timeout'));
    }
    this.expireWaiters(nowMs);
    for (const { connections } of this.endpoints) {
      for (const pooled of connections) {
        if (pooled.runningCount === 0 && nowMs >= pooled.idleUntilMs) pooled.connection.close('idle-timeout');
        else pooled.connection.sweep(nowMs);
      }
    }
    if (this.openCount === 0 && this.queue.count === 0) {
      this.timer?.cancel();
      this.timer = null;
    }
  }

  private expireWaiters(nowMs: number): void {
    let waiter = this.queue.first;
    while (waiter !== null && nowMs - waiter.sinceMs >= this.settings.pool.queueTimeoutMs) {
      const { next } = waiter;
      // A connection that is being opened has its own deadline.
      if (waiter.connecting === null) {
        this.leave(waiter);
        waiter.client.onNoConnection(new Failure('upstream-queue-timeout'));
      }
      waiter = next;
    }
  }
}
