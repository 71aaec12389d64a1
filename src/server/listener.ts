import { createServer, type Server as NetServer, type Socket } from 'node:net';
import type { Clock, ClockTimer, DateValue } from '../core/clock.ts';
import { channel } from '../core/events.ts';
import { bodyReady, type Handler } from '../core/handler.ts';
import type { Lifecycle } from '../core/lifecycle.ts';
import type { Admission, CloseReason, ConnectionLimits, ConnectionRunner, Refusal, Service } from '../core/runner.ts';
import type { HandshakeRefusal } from '../transport/tls/handshake-budget.ts';
import { type TlsOptions, tlsSettings } from '../transport/tls/options.ts';
import { Termination } from '../transport/tls/termination.ts';
import { type AcceptQueue, emptied } from './accept-queue.ts';
import { addressText, listenOn, parseBind } from './bind.ts';
import { connectionCeiling, PeerBudget, refusedCeiling } from './budget.ts';
import { ServerConnection } from './connection.ts';
import { Generation } from './generation.ts';
import { Handshake, type HandshakeOwner } from './handshake.ts';
import { Hold } from './hold.ts';
import { alpnNames, alpnRunners, runnerFor } from './negotiate.ts';
import { type ListenerSettings, sweepPeriodMs } from './options.ts';

const opened = channel('listener:open');
const closedEvent = channel('listener:close');
const listenerError = channel('listener:error');
const accepted = channel('connection:accept');
const refusedEvent = channel('connection:refuse');
const connectionClosed = channel('connection:close');
const reconciled = channel('slots:reconcile');

/** Refused sockets are read from for a while, so that their 503 is not lost to a reset. */
const REFUSED_LINGER_MS = 1000;

/** Where a listener listens, as `server.listeners[0].address` shows it. */
export interface ListenerAddress {
  /** IP address; for a unix socket its path. */
  readonly host: string;
  /** 0 for a unix socket. */
  readonly port: number;
}

/** How long what is told of a drain has left, as of now. */
export interface DrainTimes {
  readonly quietMs: number;
  readonly streamGraceMs: number;
}

let lastConnectionId = 0;

/** One address that is listened on: accepts, keeps the budgets, checks the deadlines, and drains. */
export class Listener implements AcceptQueue, Service {
  readonly name: string;
  readonly settings: ListenerSettings;
  readonly life: Lifecycle;
  readonly connections = new Set<ServerConnection>();
  readonly connectionMaxCount: number;
  readonly refused = new Map<Refusal | HandshakeRefusal, number>();
  readonly closed = new Map<CloseReason, number>();
  /** Requests that were given to a handler since the start, and how many of them are not done. */
  servedCount = 0;
  inFlightCount = 0;
  /** Connections taken from the kernel, refused ones too. */
  acceptedCount = 0;
  address: ListenerAddress = { host: '', port: 0 };
  readonly clock: Clock;
  readonly date: DateValue;
  private readonly times: DrainTimes;
  private readonly runner: ConnectionRunner;
  private readonly tls: HandshakeOwner | null;
  private readonly net: NetServer;
  private readonly peers: PeerBudget | null;
  private sweepTimer: ClockTimer | null = null;
  private reconcileTimer: ClockTimer | null = null;
  /** Refused sockets that are still open; more than this are cut off at once. */
  private readonly refusedMaxCount: number;
  private readonly refusedSockets = new Map<Socket, number>();
  private handler: Handler = () => ({ status: 404 });
  private generation = new Generation(this.handler, () => this.ended());
  /** Where new requests wait while the accept queue is emptied. */
  private readonly hold = new Hold();
  private holding = false;
  private suspectRequestCount = 0;
  /** A peer's address where its socket has none. */
  private unnamedPeer = 'unix:';

  constructor(settings: ListenerSettings, parent: Lifecycle, clock: Clock, date: DateValue, times: DrainTimes) {
    this.name = settings.name;
    this.settings = settings;
    this.clock = clock;
    this.runner = runnerFor(settings);
    this.tls = settings.tls === undefined ? null : this.shakesHands(settings, settings.tls);
    this.connectionMaxCount = Math.min(settings.limits.connectionMaxCount, connectionCeiling());
    this.refusedMaxCount = refusedCeiling(this.connectionMaxCount);
    const { connectionPerPeerMaxCount } = settings.limits;
    this.peers = connectionPerPeerMaxCount === null ? null : new PeerBudget(connectionPerPeerMaxCount);
    this.date = date;
    this.times = times;
    this.net = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.accept(socket));
    this.life = parent.open({
      onDrain: () => this.sweepEvery(times.quietMs),
      onClose: (reason) => this.end(reason),
    });
    this.life.begin(); // the accept queue: work until `stopAccepting` has emptied it
  }

  /** Binds and listens. Rejects with a `BindError`. */
  async open(): Promise<void> {
    const { settings } = this;
    const bind = parseBind(settings.bind);
    await listenOn(this.net, bind, settings);
    // An error on a listening socket (EMFILE, ECONNABORTED) concerns one connection; the loop goes on.
    this.net.on('error', (error) => listenerError.publish({ listener: this.name, error }));
    const shown = this.net.address();
    if (typeof shown === 'object' && shown !== null) {
      this.address = { host: shown.address, port: shown.port };
      this.unnamedPeer = '';
    } else this.address = { host: shown ?? addressText(bind), port: 0 };
    this.sweepEvery(null);
    this.tls?.termination.open();
    if (settings.reconcileMs !== null) {
      this.reconcileTimer = this.clock.every(settings.reconcileMs, () => this.reconcile());
    }
    const { host, port } = this.address;
    const address = addressText(port === 0 ? bind : { kind: 'tcp', host, port });
    opened.publish({ listener: this.name, address });
  }

  get listening(): boolean {
    return this.net.listening;
  }

  get inUse(): boolean {
    return this.connections.size > 0;
  }

  get limits(): ConnectionLimits {
    return this.settings.limits;
  }

  get quietMs(): number {
    return this.times.quietMs;
  }

  get streamGraceMs(): number {
    return this.times.streamGraceMs;
  }

  /** The handler from the next request on. `onRetired` is called when the last request of the one before has ended. */
  use(handler: Handler, onRetired: () => void): void {
    const before = this.generation;
    this.handler = bodyReady(handler, this.settings.body);
    this.generation = new Generation(this.holding ? this.hold.before(this.handler) : this.handler, () => this.ended());
    before.retire(onRetired);
  }

  /**
   * Takes other TLS options, or reads the files again, for the connections from now on. Throws `CertificateError` or
   * `TypeError`, and then nothing has changed.
   */
  updateTls(given?: Partial<TlsOptions>): void {
    if (this.tls === null) throw new TypeError(`listener ${this.name} was opened without tls`);
    const settings = given === undefined ? undefined : tlsSettings(`listener ${this.name}: tls`, given);
    this.tls.termination.update(settings);
    this.sweepEvery(this.life.phase === 'draining' ? this.times.quietMs : null);
  }

  /** Whether connections are HTTPS. */
  get secure(): boolean {
    return this.tls !== null;
  }

  admit(): Admission | null {
    if (!this.holding && !this.hasRoom) return null;
    this.inFlightCount += 1;
    this.servedCount += 1;
    return this.generation.begin();
  }

  private ended(): void {
    // A request that a reconciliation has released may end all the same.
    if (this.inFlightCount > 0) this.inFlightCount -= 1;
    if (this.hold.count > 0 && !this.holding) this.letBegin();
  }

  /**
   * Empties the accept queue, then closes the listening socket. New requests wait until `proceed`: an answer now would
   * bring some clients back over a new connection, into the queue that is about to go away.
   */
  async stopAccepting(): Promise<void> {
    this.holding = true;
    this.generation.handler = this.hold.before(this.handler);
    await emptied(this);
    this.stopListening();
  }

  /** Lets the requests go on that have waited for the listening socket to close. */
  proceed(): void {
    this.holding = false;
    this.generation.handler = this.handler;
    this.letBegin();
  }

  /** Answers 503 to the requests that still wait. */
  refuseHeld(): void {
    this.holding = false;
    this.generation.handler = this.handler;
    this.hold.refuse();
  }

  private letBegin(): void {
    while (this.hold.count > 0 && this.hasRoom) this.hold.next();
  }

  /** Whether one more request may be with a handler. Those that wait are not yet. */
  private get hasRoom(): boolean {
    const { requestMaxCount } = this.settings.limits;
    return requestMaxCount === null || this.inFlightCount - this.hold.count < requestMaxCount;
  }

  /** Closes the listening socket now. */
  stopListening(): void {
    if (!this.net.listening) return;
    this.net.close();
    this.life.end();
  }

  private accept(socket: Socket): void {
    this.acceptedCount += 1;
    if (this.connections.size >= this.connectionMaxCount) {
      this.refuse(socket, 'connection-budget-exceeded');
      return;
    }
    if (this.peers !== null && !this.peers.acquire(socket.remoteAddress ?? this.unnamedPeer)) {
      this.refuse(socket, 'peer-budget-exceeded');
      return;
    }
    lastConnectionId += 1;
    const { life, onClosed, unnamedPeer, tls } = this;
    const facts = { secure: tls !== null, unnamed: unnamedPeer };
    const connection = new ServerConnection(lastConnectionId, socket, life, this, onClosed, facts);
    this.connections.add(connection);
    // Asked now, where it will be wanted at the end: a closed socket has forgotten it.
    if (this.peers !== null || connectionClosed.heard) void connection.peer.address;
    if (accepted.heard) {
      accepted.publish({ listener: this.name, connectionId: connection.id, peer: connection.peer.address });
    }
    if (tls === null) this.runner.run(connection);
    else connection.attend(new Handshake(connection, tls));
  }

  private refuse(socket: Socket, reason: Refusal): void {
    this.countRefused(reason, () => socket.remoteAddress ?? this.unnamedPeer);
    socket.on('error', () => undefined);
    // What could be said over TLS would cost a handshake.
    if (this.tls !== null || this.refusedSockets.size >= this.refusedMaxCount) {
      socket.destroy();
      return;
    }
    this.refusedSockets.set(socket, this.clock.now() + REFUSED_LINGER_MS);
    socket.on('close', () => this.refusedSockets.delete(socket));
    socket.resume();
    this.runner.refuse(socket, reason);
  }

  private countRefused(reason: Refusal | HandshakeRefusal, peer: () => string): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1);
    if (refusedEvent.heard) refusedEvent.publish({ listener: this.name, peer: peer(), reason });
  }

  private shakesHands(settings: ListenerSettings, tls: TlsOptions): HandshakeOwner {
    return {
      name: settings.name,
      termination: new Termination(settings.name, tls, alpnNames(settings), this.clock),
      runnerFor: alpnRunners(settings),
      countRefused: ({ peer }, reason) => this.countRefused(reason, () => peer.address),
    };
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

  /** Sweeps as often as the shortest timeout asks for; in a drain, its quiet window too. */
  private sweepEvery(quietMs: number | null): void {
    const { limits } = this.settings;
    const periodMs = sweepPeriodMs(limits, [quietMs, this.tls?.termination.settings.handshakeTimeoutMs ?? null]);
    this.sweepTimer?.cancel();
    // Once the event loop has polled: what has arrived in time is read before a deadline is judged.
    this.sweepTimer = this.clock.every(periodMs, () => {
      const nowMs = this.clock.now();
      setImmediate(() => this.sweep(nowMs));
    });
  }

  private sweep(nowMs: number): void {
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
      liveRequestCount += connection.inFlight().length;
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
    this.tls?.termination.close();
    this.sweepTimer?.cancel();
    this.reconcileTimer?.cancel();
    for (const socket of this.refusedSockets.keys()) socket.destroy();
    if (closedEvent.heard) closedEvent.publish({ listener: this.name, reason });
  }
}
