import { connect, type Socket } from 'node:net';
import type { ByteSource, ClientConnection, ClientConnectionOwner } from '../core/client.ts';
import { Failure } from '../core/failure.ts';
import type { Endpoint } from './endpoint.ts';
import type { UpstreamProtocol } from './options.ts';
import { ReadBuffer } from './read-buffer.ts';

/** What an attempt to connect has come to. */
export interface Dialled {
  /** The connection will carry many requests at once. */
  readonly multiplexes: boolean;
  /** Makes the connection, at once. `begun`: a request is about to be sent on it. */
  open(owner: ClientConnectionOwner, begun: boolean): ClientConnection;
}

/** Who hears what an attempt comes to: one of the two, once, and never before `dial` has returned. */
export interface DialObserver {
  onConnected(dialled: Dialled): void;
  onFailed(failure: Failure): void;
}

/** An attempt to connect. */
export interface Attempt {
  /** Gives up; nobody is told. */
  cancel(): void;
}

/** Begins to connect to an endpoint. */
export type Dial = (endpoint: Endpoint, observer: DialObserver) => Attempt;

/** Makes a connection out of a connected socket. */
type OpenConnection = (
  socket: Socket,
  source: ByteSource,
  owner: ClientConnectionOwner,
  begun: boolean,
) => ClientConnection;

/** Who makes connections of which protocol. */
export interface Openers {
  readonly http1: OpenConnection;
  readonly h2: OpenConnection;
}

/** Connects over TCP, TLS or a unix socket. `protocol` is what is spoken where no handshake says it. */
export const socketDial =
  (openers: Openers, protocol: UpstreamProtocol): Dial =>
  (endpoint, observer) =>
    new SocketAttempt(endpoint, observer, openers, protocol);

class SocketAttempt implements Attempt {
  private readonly endpoint: Endpoint;
  private readonly observer: DialObserver;
  private readonly openers: Openers;
  private readonly source = new ReadBuffer();
  private readonly socket: Socket;
  /** TCP has done its part: what fails now is TLS. */
  private reached = false;
  private done = false;

  constructor(endpoint: Endpoint, observer: DialObserver, openers: Openers, protocol: UpstreamProtocol) {
    const { address, tls } = endpoint;
    this.endpoint = endpoint;
    this.observer = observer;
    this.openers = openers;
    const options = { ...address.connect, noDelay: true, onread: this.source.onread };
    if (tls === null) {
      this.socket = connect(options);
      this.socket.once('connect', () => this.connected(protocol === 'h2'));
    } else {
      const socket = tls.connect(options);
      socket.once('connect', () => {
        this.reached = true;
      });
      socket.once('secureConnect', () => this.secured(socket.alpnProtocol === 'h2', protocol));
      this.socket = socket;
    }
    this.socket.on('error', this.failed);
    this.socket.once('close', () => this.source.close());
  }

  /** A server that knows no ALPN speaks HTTP/1.1 (RFC 9113 §3.2). */
  private secured(h2: boolean, protocol: UpstreamProtocol): void {
    if (h2 || protocol !== 'h2') {
      this.connected(h2);
      return;
    }
    this.failed(new Error('it does not speak HTTP/2'));
    this.socket.destroy();
  }

  private connected(h2: boolean): void {
    if (this.done) return;
    this.done = true;
    this.socket.off('error', this.failed);
    const { openers, socket, source } = this;
    const open = h2 ? openers.h2 : openers.http1;
    this.observer.onConnected({ multiplexes: h2, open: (owner, begun) => open(socket, source, owner, begun) });
  }

  private readonly failed = (error: Error): void => {
    if (this.done) return;
    this.done = true;
    const { tls } = this.endpoint;
    if (tls === null || !this.reached) {
      this.observer.onFailed(new Failure('upstream-connect', undefined, { cause: error }));
      return;
    }
    // In the cause, which is for logs: clients need not know whom we trust.
    const cause = new Error(tls.explain(error), { cause: error });
    this.observer.onFailed(new Failure('upstream-tls', undefined, { cause }));
  };

  cancel(): void {
    this.done = true;
    this.socket.destroy();
  }
}
