import type { ClientConnectionOwner, OutgoingRequest, ResponseObserver } from '../src/core/client.ts';
import type { Clock } from '../src/core/clock.ts';
import { Failure } from '../src/core/failure.ts';
import type { Lifecycle } from '../src/core/lifecycle.ts';
import type { Attempt, DialObserver } from '../src/upstream/dial.ts';
import type { Endpoint } from '../src/upstream/endpoint.ts';
import { Probe } from '../src/upstream/probe.ts';
import { type ConnectionWatcher, SimulatedConnection } from './connection.ts';
import { Link, SYN_RESEND_MS } from './link.ts';
import type { Random } from './random.ts';
import type { SimulatedServer } from './server.ts';

/** A request on its way to a server. */
export interface Sending {
  readonly endpoint: Endpoint;
  readonly server: number;
  /** Who asked: unlike any other. */
  readonly observer: ResponseObserver;
  readonly request: OutgoingRequest;
  /** Its connection was opened for it, or for one that waited with it. */
  readonly first: boolean;
}

/** Who is told what goes on between an upstream and its servers. `server` is its number. */
export interface NetworkWatcher {
  /** A request is sent to a server. */
  onSend(sending: Sending): void;
  /** It is under way no more. */
  onEnd(observer: ResponseObserver): void;
  /** A server could not be reached. */
  onUnreached(server: number): void;
  /** A probe is on its way to a server; the rest is about requests only. */
  onProbe(server: number): void;
}

/** How servers are reached. */
export interface NetworkOptions {
  /** The least that one way takes. */
  readonly latencyMs: number;
  /** Requests at once on a connection; 1 is HTTP/1.1. */
  readonly streamMaxCount: number;
  readonly headTimeoutMs: number;
}

/** The address of a server, and the port of all of them. */
export const serverAddress = (server: number): string => `127.0.0.${server + 1}`;
export const SERVER_PORT = 8000;

/** Connections to simulated servers, in place of sockets. */
export class SimulatedNetwork {
  readonly urls: readonly string[];
  /** Whose children connections are: that of the upstream, which is made after us. */
  parent: Lifecycle | null = null;
  private readonly links: readonly Link[];
  private readonly options: NetworkOptions;
  private readonly watcher: NetworkWatcher;

  constructor(
    servers: readonly SimulatedServer[],
    options: NetworkOptions,
    clock: Clock,
    random: Random,
    watcher: NetworkWatcher,
  ) {
    this.links = servers.map((server) => new Link(server, options.latencyMs, clock, random));
    this.urls = servers.map((_, server) => `http://${serverAddress(server)}:${SERVER_PORT}`);
    this.options = options;
    this.watcher = watcher;
  }

  /** The seam of an upstream: see `Dial`. */
  readonly dial = (endpoint: Endpoint, observer: DialObserver): Attempt => {
    const server = this.urls.indexOf(endpoint.id);
    const link = this.links[server];
    if (link === undefined) throw new Error(`there is no server ${endpoint.id}`);
    const { watcher } = this;
    const probes = observer instanceof Probe;
    if (probes) watcher.onProbe(server);
    const told: ConnectionWatcher = {
      onSend: (asker, first, request) => watcher.onSend({ endpoint, server, observer: asker, request, first }),
      onEnd: (asker) => watcher.onEnd(asker),
    };
    return new SimulatedAttempt(link, observer, {
      multiplexes: this.options.streamMaxCount > 1,
      onUnreached: () => (probes ? undefined : watcher.onUnreached(server)),
      open: (owner, begun) => this.open(link, owner, begun, probes ? UNHEARD : told),
    });
  };

  private open(link: Link, owner: ClientConnectionOwner, begun: boolean, told: ConnectionWatcher): SimulatedConnection {
    const { parent } = this;
    const { headTimeoutMs, streamMaxCount } = this.options;
    if (parent === null) throw new Error('the network belongs to no upstream');
    return new SimulatedConnection(link, parent, owner, told, streamMaxCount, headTimeoutMs, begun);
  }
}

const UNHEARD: ConnectionWatcher = { onSend() {}, onEnd() {} };

/** What an attempt needs of its network. */
interface AttemptHost {
  readonly multiplexes: boolean;
  onUnreached(): void;
  open(owner: ClientConnectionOwner, begun: boolean): SimulatedConnection;
}

/** SYN, and what comes back. */
class SimulatedAttempt implements Attempt {
  private readonly link: Link;
  private readonly observer: DialObserver;
  private readonly host: AttemptHost;
  private packet: { cancel(): void };
  private over = false;

  constructor(link: Link, observer: DialObserver, host: AttemptHost) {
    this.link = link;
    this.observer = observer;
    this.host = host;
    this.packet = link.carry(() => this.knock(), SYN_RESEND_MS);
  }

  cancel(): void {
    if (this.over) return;
    this.over = true;
    this.packet.cancel();
    this.host.onUnreached();
  }

  private knock(): void {
    const { reach } = this.link.server.condition;
    const listens = reach === 'open' || reach === 'hung';
    this.packet = this.link.carry(() => (listens ? this.connected() : this.refused()));
  }

  private connected(): void {
    this.over = true;
    const { host } = this;
    this.observer.onConnected({ multiplexes: host.multiplexes, open: (owner, begun) => host.open(owner, begun) });
  }

  private refused(): void {
    this.over = true;
    this.host.onUnreached();
    this.observer.onFailed(new Failure('upstream-connect'));
  }
}
