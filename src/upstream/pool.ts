import type { Socket } from 'node:net';
import type { ByteSource, ClientConnection, ClientConnectionOwner } from '../core/client.ts';
import type { ClockTimer } from '../core/clock.ts';
import { channel } from '../core/events.ts';
import { Failure } from '../core/failure.ts';
import type { Lifecycle } from '../core/lifecycle.ts';
import { roundRobin } from '../policy/round-robin.ts';
import { Connecting } from './connecting.ts';
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

/** Makes a connection of the upstream's protocol out of a connected socket. */
export type OpenConnection = (
  socket: Socket,
  source: ByteSource,
  owner: ClientConnectionOwner,
  begun: boolean,
) => ClientConnection;

/**
 * The connections of an upstream to all its endpoints, and the requests that wait for one.
 *
 * A request takes the endpoint whose turn it is, if that has an idle connection or may open one; else the next that
 * can; else it waits, and the connection that is free first serves the request that came first. One sweep checks every
 * deadline; while there is nothing to check there is no timer.
 */
export class Pool implements ConnectionKeeper {
  private readonly settings: UpstreamSettings;
  private readonly endpoints: readonly Endpoint[];
  private readonly life: Lifecycle;
  private readonly open: OpenConnection;
  private readonly balance: (lastTurn: number, candidateCount: number) => number;
  private readonly connections = new Set<PooledConnection>();
  private readonly connecting = new Set<Connecting>();
  private readonly queue = new WaitQueue();
  private openCount = 0;
  private turn = -1;
  /** As of the last sweep; good enough for what may only come early. */
  private nowMs = 0;
  private timer: ClockTimer | null = null;
  private makingRoom = false;

  constructor(settings: UpstreamSettings, endpoints: readonly Endpoint[], life: Lifecycle, open: OpenConnection) {
    this.settings = settings;
    this.endpoints = endpoints;
    this.life = life;
    this.open = open;
    this.balance = BALANCES[settings.balance];
  }

  get waitingCount(): number {
    return this.queue.count;
  }

  /**
   * Gives the client a connection before it returns, or else the waiter it has become. `fresh`: none that was idle.
   * Throws `upstream-queue-full` and `upstream-closed`.
   */
  acquire(client: PoolClient, fresh: boolean): Waiter | null {
    if (this.life.phase === 'closed') throw new Failure('upstream-closed');
    const endpoint = this.pick(NONE_TRIED, fresh);
    if (endpoint !== null && !fresh) {
      const pooled = endpoint.idle.pop();
      if (pooled !== undefined) {
        this.give(pooled, client);
        return null;
      }
    }
    if (endpoint === null && this.queue.count - this.queue.connectingCount >= this.settings.pool.queueMaxCount) {
      throw new Failure('upstream-queue-full');
    }
    this.begin();
    const waiter = new Waiter(client, this.settings.clock.now(), fresh);
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
      if ((!fresh && endpoint.idle.length > 0) || this.hasRoom(endpoint, fresh)) return endpoint;
    }
    return null;
  }

  /** Whether a connection may be opened; an idle one that nobody can use gives way. */
  private hasRoom(endpoint: Endpoint, fresh: boolean): boolean {
    const { connectionMaxCount, connectionTotalMaxCount } = this.settings.pool;
    if (endpoint.openCount >= connectionMaxCount && !(fresh && endpoint.idle.length > 0)) return false;
    return (
      connectionTotalMaxCount === null ||
      this.openCount < connectionTotalMaxCount ||
      this.endpoints.some((other) => other.idle.length > 0)
    );
  }

  private makeRoom(endpoint: Endpoint): void {
    const { connectionMaxCount, connectionTotalMaxCount } = this.settings.pool;
    this.makingRoom = true;
    if (endpoint.openCount >= connectionMaxCount) endpoint.idle[0]?.connection.close('idle-timeout');
    if (connectionTotalMaxCount !== null && this.openCount >= connectionTotalMaxCount) {
      const oldest = this.endpoints.flatMap((other) => other.idle.slice(0, 1));
      oldest.sort((a, b) => a.idleUntilMs - b.idleUntilMs);
      oldest[0]?.connection.close('idle-timeout');
    }
    this.makingRoom = false;
  }

  // ── serving ─────────────────────────────────────────────────────────────────────────────────────────────────────

  private give(pooled: PooledConnection, client: PoolClient): void {
    pooled.active = true;
    pooled.endpoint.activeCount += 1;
    client.onConnection(pooled.connection, pooled.endpoint);
  }

  private serve(waiter: Waiter, pooled: PooledConnection): void {
    this.queue.remove(waiter);
    this.give(pooled, waiter.client);
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
      if (!waiter.connecting) {
        const endpoint = this.pick(waiter.tried, waiter.fresh);
        const pooled = waiter.fresh ? undefined : endpoint?.idle.pop();
        if (pooled !== undefined) this.serve(waiter, pooled);
        else if (endpoint !== null) this.connect(endpoint, waiter);
        else if (waiter.tried.length === 0) return;
      }
      waiter = next;
    }
  }

  released(pooled: PooledConnection): void {
    const { endpoint } = pooled;
    pooled.active = false;
    endpoint.activeCount -= 1;
    const waiter = this.queue.count === 0 ? null : this.firstFor(endpoint);
    if (waiter === null) this.rest(pooled);
    else this.serve(waiter, pooled);
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
    endpoint.idle.push(pooled);
  }

  removed(pooled: PooledConnection, reason: string): void {
    const { endpoint } = pooled;
    if (pooled.active) endpoint.activeCount -= 1;
    else {
      const at = endpoint.idle.lastIndexOf(pooled);
      if (at !== -1) endpoint.idle.splice(at, 1);
    }
    pooled.active = false;
    this.connections.delete(pooled);
    endpoint.openCount -= 1;
    this.openCount -= 1;
    if (closes.heard) closes.publish({ upstream: this.settings.name, endpoint: endpoint.address.url, reason });
    this.pump();
  }

  // ── connecting ──────────────────────────────────────────────────────────────────────────────────────────────────

  private connect(endpoint: Endpoint, waiter: Waiter): void {
    this.makeRoom(endpoint);
    this.queue.setConnecting(waiter, true);
    endpoint.openCount += 1;
    endpoint.connectingCount += 1;
    this.openCount += 1;
    this.connecting.add(
      new Connecting(
        endpoint,
        waiter,
        this.settings.clock.now(),
        (connecting, socket) => this.connected(connecting, socket),
        (connecting, failure) => this.unreachable(connecting, failure),
      ),
    );
  }

  private forgetConnecting(connecting: Connecting): void {
    this.connecting.delete(connecting);
    this.queue.setConnecting(connecting.waiter, false);
    connecting.endpoint.connectingCount -= 1;
  }

  private connected(connecting: Connecting, socket: Socket): void {
    const { endpoint } = connecting;
    this.forgetConnecting(connecting);
    const waiter = connecting.waiter.queued ? connecting.waiter : this.firstFor(endpoint);
    const pooled = new PooledConnection(endpoint, this, (owner) =>
      this.open(socket, connecting.source, owner, waiter !== null),
    );
    // A drain under way closes at once what nobody waits for.
    if (pooled.connection.life.phase === 'closed') return;
    this.connections.add(pooled);
    if (connects.heard) connects.publish({ upstream: this.settings.name, endpoint: endpoint.address.url });
    if (waiter === null) this.rest(pooled);
    else this.serve(waiter, pooled);
  }

  private unreachable(connecting: Connecting, failure: Failure): void {
    const { endpoint, waiter } = connecting;
    this.forgetConnecting(connecting);
    endpoint.openCount -= 1;
    this.openCount -= 1;
    if (waiter.queued) {
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
    for (const pooled of this.connections) {
      if (pooled.active) pooled.connection.sweep(nowMs);
      else if (nowMs >= pooled.idleUntilMs) pooled.connection.close('idle-timeout');
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
      if (!waiter.connecting) {
        this.leave(waiter);
        waiter.client.onNoConnection(new Failure('upstream-queue-timeout'));
      }
      waiter = next;
    }
  }
}
