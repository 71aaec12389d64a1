import type { ClientConnectionOwner, ResponseObserver } from '../src/core/client.ts';
import type { Clock } from '../src/core/clock.ts';
import { Failure } from '../src/core/failure.ts';
import type { Lifecycle } from '../src/core/lifecycle.ts';
import type { Attempt, DialObserver } from '../src/upstream/dial.ts';
import type { Endpoint } from '../src/upstream/endpoint.ts';
import { SimulatedConnection } from './connection.ts';
import { Link, SYN_RESEND_MS } from './link.ts';
import type { Random } from './random.ts';
import type { SimulatedServer } from './server.ts';

/** A request on its way to a server. */
export interface Sending {
  readonly endpoint: Endpoint;
  readonly server: number;
  /** Who asked: unlike any other. */
  readonly observer: ResponseObserver;
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
}

/** How servers are reached. */
export interface NetworkOptions {
  /** The least that one way takes. */
  readonly latencyMs: number;
  /** Requests at once on a connection; 1 is HTTP/1.1. */
  readonly streamMaxCount: number;
  readonly headTimeoutMs: number;
}

/** Connections to simulated servers, in place of sockets. The n-th server is `http://127.0.0.1:n`, from 1. */
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
    this.urls = servers.map((_, server) => `http://127.0.0.1:${server + 1}`);
    this.options = options;
    this.watcher = watcher;
  }

  /** The seam of an upstream: see `Dial`. */
  readonly dial = (endpoint: Endpoint, observer: DialObserver): Attempt => {
    const server = this.urls.indexOf(endpoint.id);
    const link = this.links[server];
    if (link === undefined) throw new Error(`there is no server ${endpoint.id}`);
    return new SimulatedAttempt(link, observer, {
      multiplexes: this.options.streamMaxCount > 1,
      onUnreached: () => this.watcher.onUnreached(server),
      open: (owner, begun) => this.open(endpoint, server, link, owner, begun),
    });
  };

  private open(
    endpoint: Endpoint,
    server: number,
    link: Link,
    owner: ClientConnectionOwner,
    begun: boolean,
  ): SimulatedConnection {
    const { parent, watcher } = this;
    const { headTimeoutMs, streamMaxCount } = this.options;
    if (parent === null) throw new Error('the network belongs to no upstream');
    const told = {
      onSend: (observer: ResponseObserver, first: boolean) => watcher.onSend({ endpoint, server, observer, first }),
      onEnd: (observer: ResponseObserver) => watcher.onEnd(observer),
    };
    return new SimulatedConnection(link, parent, owner, told, streamMaxCount, headTimeoutMs, begun);
  }
}

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
    const listens = this.link.server.condition.reach === 'open';
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
