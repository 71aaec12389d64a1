import type { ClientConnection } from '../core/client.ts';
import type { Failure, FaultCode } from '../core/failure.ts';
import { type Linked, LinkedList } from '../core/linked-list.ts';
import type { Connecting } from './connecting.ts';
import type { Endpoint } from './endpoint.ts';

/** Who wants a connection. One of the two is called once, unless it leaves the queue before. */
export interface PoolClient {
  /** What the request is pinned by, as a 32-bit hash; `null`: nothing. */
  readonly key: number | null;
  /** When it has to be answered, on the upstream's clock; `null`: whenever. */
  readonly deadlineMs: number | null;
  /** Endpoints that it has been to in vain, the last one at the end: others go before them. */
  readonly tried: readonly Endpoint[];
  /** Where its client belongs; `null`: anywhere. */
  readonly home: Endpoint | null;
  /** It waits until there is room; else only for a connection that is opened for it, where it has not been in vain. */
  readonly waits: boolean;
  /** The endpoint's breaker has let it through already, when a connection was opened for it. */
  isAdmittedBy(endpoint: Endpoint): boolean;
  /** A connection to this endpoint is being opened for it. */
  onConnecting(endpoint: Endpoint): void;
  /** A free connection, to be used at once. */
  onConnection(connection: ClientConnection, endpoint: Endpoint): void;
  /** `endpoint`: the one that could not be reached; `null` when it is no endpoint's fault. */
  onNoConnection(failure: Failure, endpoint: Endpoint | null): void;
}

/** A request that waits for a connection. */
export class Waiter implements Linked<Waiter> {
  readonly client: PoolClient;
  readonly sinceMs: number;
  /** It wants a connection that was not idle: an idle one has just failed it. */
  readonly fresh: boolean;
  /** The connection that is being opened for it, and perhaps for others. */
  connecting: Connecting | null = null;
  previous: Waiter | null = null;
  next: Waiter | null = null;
  queued = false;

  constructor(client: PoolClient, sinceMs: number, fresh: boolean) {
    this.client = client;
    this.sinceMs = sinceMs;
    this.fresh = fresh;
  }

  /** Whether a connection to this endpoint will do that is free before the one that is being opened for it. */
  wouldTake(endpoint: Endpoint): boolean {
    if (this.connecting === null) return true;
    const { home, key, tried, waits } = this.client;
    // What is pinned to an endpoint waits for it. What does not wait takes nothing that others wait for.
    if (home !== null || key !== null || !waits) return this.connecting.endpoint === endpoint;
    return !tried.includes(endpoint);
  }

  /** Why it need not wait any longer; `null`: it may. */
  overdue(nowMs: number, queueTimeoutMs: number): FaultCode | null {
    const { deadlineMs } = this.client;
    if (deadlineMs !== null && nowMs >= deadlineMs) return 'upstream-deadline';
    // A connection that is being opened has a deadline of its own.
    return this.connecting === null && nowMs - this.sinceMs >= queueTimeoutMs ? 'upstream-queue-timeout' : null;
  }
}

/** Waiters, first come first served; any of them leaves in constant time. */
export class WaitQueue extends LinkedList<Waiter> {
  /** Those of them for which a connection is being opened. */
  connectingCount = 0;
  private readonly onWaiting: (connecting: Connecting, deltaCount: number) => void;

  /** `onWaiting`: so many more wait for a connection that is being opened, or fewer. */
  constructor(onWaiting: (connecting: Connecting, deltaCount: number) => void) {
    super();
    this.onWaiting = onWaiting;
  }

  override push(waiter: Waiter): void {
    waiter.queued = true;
    super.push(waiter);
  }

  override remove(waiter: Waiter): void {
    if (!waiter.queued) return;
    waiter.queued = false;
    super.remove(waiter);
    this.unassign(waiter);
  }

  /** Turns away whoever need not wait any longer, in their order. */
  expire(nowMs: number, queueTimeoutMs: number, turnAway: (waiter: Waiter, code: FaultCode) => void): void {
    for (let waiter = this.first; waiter !== null; ) {
      const { next } = waiter;
      const code = waiter.overdue(nowMs, queueTimeoutMs);
      if (code !== null) turnAway(waiter, code);
      waiter = next;
    }
  }

  /** A waiter that has no connection coming now has this one. */
  assign(waiter: Waiter, connecting: Connecting): void {
    waiter.connecting = connecting;
    connecting.waiterCount += 1;
    this.connectingCount += 1;
    this.onWaiting(connecting, 1);
  }

  /** An attempt is over: those that waited for it, in their order. They have no connection coming any more. */
  unassignAll(connecting: Connecting): Waiter[] {
    const waiters: Waiter[] = [];
    for (let waiter = this.first; waiter !== null && connecting.waiterCount > 0; waiter = waiter.next) {
      if (waiter.connecting !== connecting) continue;
      this.unassign(waiter);
      waiters.push(waiter);
    }
    return waiters;
  }

  private unassign(waiter: Waiter): void {
    const { connecting } = waiter;
    if (connecting === null) return;
    connecting.waiterCount -= 1;
    waiter.connecting = null;
    this.connectingCount -= 1;
    this.onWaiting(connecting, -1);
  }
}
