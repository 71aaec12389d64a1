import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import type { Clock, ClockTimer, DateValue } from '../core/clock.ts';
import { channel } from '../core/events.ts';
import { bodyReady, type Handler } from '../core/handler.ts';
import type { Lifecycle } from '../core/lifecycle.ts';
import type { CloseReason, ConnectionRunner, Service } from '../core/runner.ts';
import { addressText, listenOn, parseBind } from './bind.ts';
import { connectionCeiling, PeerBudget } from './budget.ts';
import { ServerConnection } from './connection.ts';
import { runnerFor } from './negotiate.ts';
import { type ListenerSettings, sweepPeriodMs } from './options.ts';

const opened = channel('listener:open');
const closedEvent = channel('listener:close');
const listenerError = channel('listener:error');
const accepted = channel('connection:accept');
const refusedEvent = channel('connection:refuse');
const connectionClosed = channel('connection:close');
const reconciled = channel('slots:reconcile');

/** Refused sockets that may still be read from, so that their 503 is not lost to a reset; more are cut off at once. */
const REFUSED_MAX_COUNT = 1024;
const REFUSED_LINGER_MS = 1000;
/** A drain gives up on an accept queue that never gets empty. */
const QUEUE_MAX_MS = 1000;

/** Why a connection was refused. */
export type Refusal = 'connection-budget-exceeded' | 'peer-budget-exceeded';

/** Where a listener listens, as `server.listeners[0].address` shows it. */
export interface ListenerAddress {
  /** IP address; for a unix socket its path. */
  readonly host: string;
  /** 0 for a unix socket. */
  readonly port: number;
}

let lastConnectionId = 0;

/** One address that is listened on: accepts, keeps the budgets, checks the deadlines, and drains. */
export class Listener {
  readonly name: string;
  readonly settings: ListenerSettings;
  readonly life: Lifecycle;
  readonly connections = new Set<ServerConnection>();
  readonly connectionMaxCount: number;
  readonly refused = new Map<Refusal, number>();
  readonly closed = new Map<CloseReason, number>();
  /** Requests that were given to a handler since the start, and how many of them are not done. */
  servedCount = 0;
  inFlightCount = 0;
  address: ListenerAddress = { host: '', port: 0 };
  private readonly service: Service;
  private readonly clock: Clock;
  private readonly runner: ConnectionRunner;
  private readonly net: NetServer;
  private readonly peers: PeerBudget | null;
  private readonly timers: ClockTimer[] = [];
  private readonly refusedSockets = new Map<Socket, number>();
  private acceptedInTurn = false;
  private suspectRequestCount = 0;

  constructor(settings: ListenerSettings, parent: Lifecycle, clock: Clock, date: DateValue, quietMs: () => number) {
    this.name = settings.name;
    this.settings = settings;
    this.clock = clock;
    this.runner = runnerFor(settings);
    this.connectionMaxCount = Math.min(settings.limits.connectionMaxCount, connectionCeiling());
    const { connectionPerPeerMaxCount } = settings.limits;
    this.peers = connectionPerPeerMaxCount === null ? null : new PeerBudget(connectionPerPeerMaxCount);
    this.service = this.makeService(date, quietMs);
    this.net = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.accept(socket));
    this.life = parent.open({ onClose: (reason) => this.end(reason) });
    this.life.begin(); // the accept queue: work until `stopAccepting` has emptied it
  }

  /** Binds and listens. Rejects with a `BindError`. */
  async open(quietMs: number): Promise<void> {
    const { settings } = this;
    const bind = parseBind(settings.bind);
    await listenOn(this.net, bind, settings);
    // An error on a listening socket (EMFILE, ECONNABORTED) concerns one connection; the loop goes on.
    this.net.on('error', (error) => listenerError.publish({ listener: this.name, error }));
    this.address = shownAddress(this.net.address(), addressText(bind));
    this.timers.push(this.clock.every(sweepPeriodMs(settings.limits, quietMs), () => this.sweep()));
    if (settings.reconcileMs !== null) {
      this.timers.push(this.clock.every(settings.reconcileMs, () => this.reconcile()));
    }
    opened.publish({ listener: this.name, address: `${this.address.host}:${this.address.port}` });
  }

  /** The handler from the next request on; requests in flight keep theirs. */
  use(handler: Handler): void {
    this.service.handler = bodyReady(handler, this.settings.body);
  }

  /**
   * Empties the accept queue, then closes the listening socket. Node accepts as little as one connection per turn of
   * its event loop, and what is still queued when the socket closes is reset, so it keeps turning until a turn brought
   * nothing.
   */
  async stopAccepting(): Promise<void> {
    const untilMs = this.clock.now() + QUEUE_MAX_MS;
    for (let quietTurns = 0; quietTurns < 2 && this.clock.now() < untilMs; ) {
      this.acceptedInTurn = false;
      await new Promise<void>((resolve) => setImmediate(resolve));
      quietTurns = this.acceptedInTurn ? 0 : quietTurns + 1;
    }
    this.stopListening();
  }

  /** Closes the listening socket now. */
  stopListening(): void {
    if (!this.net.listening) return;
    this.net.close();
    this.life.end();
  }

  private accept(socket: Socket): void {
    this.acceptedInTurn = true;
    if (this.connections.size >= this.connectionMaxCount) {
      this.refuse(socket, 'connection-budget-exceeded');
      return;
    }
    if (this.peers !== null && !this.peers.acquire(socket.remoteAddress ?? 'unix:')) {
      this.refuse(socket, 'peer-budget-exceeded');
      return;
    }
    lastConnectionId += 1;
    const connection = new ServerConnection(lastConnectionId, socket, this.life, this.service, this.onClosed);
    this.connections.add(connection);
    if (this.peers !== null) void connection.peer.address; // asked now: a closed socket has forgotten it
    if (accepted.heard) {
      accepted.publish({ listener: this.name, connectionId: connection.id, peer: connection.peer.address });
    }
    this.runner.run(connection);
  }

  private refuse(socket: Socket, reason: Refusal): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1);
    if (refusedEvent.heard)
      refusedEvent.publish({ listener: this.name, peer: socket.remoteAddress ?? 'unix:', reason });
    socket.on('error', () => undefined);
    if (this.refusedSockets.size >= REFUSED_MAX_COUNT) {
      socket.destroy();
      return;
    }
    this.refusedSockets.set(socket, this.clock.now() + REFUSED_LINGER_MS);
    socket.on('close', () => this.refusedSockets.delete(socket));
    socket.resume();
    this.runner.refuse(socket);
  }

  private readonly onClosed = (connection: ServerConnection, reason: CloseReason): void => {
    if (!this.connections.delete(connection)) return;
    this.peers?.release(connection.peer.address);
    this.closed.set(reason, (this.closed.get(reason) ?? 0) + 1);
    if (connectionClosed.heard) {
      const { id, peer } = connection;
      connectionClosed.publish({ listener: this.name, connectionId: id, peer: peer.address, reason });
    }
  };

  private sweep(): void {
    const nowMs = this.clock.now();
    for (const connection of this.connections) connection.sweep(nowMs);
    for (const [socket, untilMs] of this.refusedSockets) if (nowMs >= untilMs) socket.destroy();
  }

  /**
   * Compares the counters with what lives. A slot whose socket is gone, or a request that no connection knows, is
   * released when two checks in a row have found it.
   */
  private reconcile(): void {
    let releasedConnectionCount = 0;
    let liveRequestCount = 0;
    for (const connection of this.connections) {
      if (connection.inFlight() !== null) liveRequestCount += 1;
      if (!connection.socket.destroyed) continue;
      if (connection.suspect) {
        connection.reason ??= 'reconciled';
        connection.release();
        releasedConnectionCount += 1;
      }
      connection.suspect = true;
    }
    const excess = Math.max(0, this.inFlightCount - liveRequestCount);
    const releasedRequestCount = Math.min(excess, this.suspectRequestCount);
    this.inFlightCount -= releasedRequestCount;
    this.suspectRequestCount = excess - releasedRequestCount;
    if (releasedConnectionCount + releasedRequestCount > 0) {
      reconciled.publish({ listener: this.name, releasedConnectionCount, releasedRequestCount });
    }
  }

  private end(reason: string): void {
    this.stopListening();
    for (const timer of this.timers) timer.cancel();
    for (const socket of this.refusedSockets.keys()) socket.destroy();
    if (closedEvent.heard) closedEvent.publish({ listener: this.name, reason });
  }

  private makeService(date: DateValue, quietMs: () => number): Service {
    const { requestMaxCount } = this.settings.limits;
    return {
      handler: () => ({ status: 404 }),
      clock: this.clock,
      date,
      beginRequest: () => {
        if (requestMaxCount !== null && this.inFlightCount >= requestMaxCount) return false;
        this.inFlightCount += 1;
        this.servedCount += 1;
        return true;
      },
      endRequest: () => {
        this.inFlightCount -= 1;
      },
      get quietMs() {
        return quietMs();
      },
    };
  }
}

function shownAddress(address: AddressInfo | string | null, fallback: string): ListenerAddress {
  if (address === null) return { host: fallback, port: 0 };
  return typeof address === 'string' ? { host: address, port: 0 } : { host: address.address, port: address.port };
}
