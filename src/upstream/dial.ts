import { connect, type Socket } from 'node:net';
import type { ByteSource, ClientConnection, ClientConnectionOwner } from '../core/client.ts';
import { Failure } from '../core/failure.ts';
import type { Endpoint } from './endpoint.ts';
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
export type OpenConnection = (
  socket: Socket,
  source: ByteSource,
  owner: ClientConnectionOwner,
  begun: boolean,
) => ClientConnection;

/** Connects over TCP or a unix socket. */
export const socketDial =
  (open: OpenConnection): Dial =>
  (endpoint, observer) =>
    new SocketAttempt(endpoint, observer, open);

class SocketAttempt implements Attempt {
  private readonly socket: Socket;
  private done = false;

  constructor(endpoint: Endpoint, observer: DialObserver, open: OpenConnection) {
    const source = new ReadBuffer();
    const socket = connect({ ...endpoint.address.connect, noDelay: true, onread: source.onread });
    this.socket = socket;
    socket.once('close', () => source.close());
    const refused = (error: Error): void => {
      if (this.done) return;
      this.done = true;
      observer.onFailed(new Failure('upstream-connect', undefined, { cause: error }));
    };
    socket.on('error', refused);
    socket.once('connect', () => {
      if (this.done) return;
      this.done = true;
      socket.off('error', refused);
      observer.onConnected({
        multiplexes: false,
        open: (owner, begun) => open(socket, source, owner, begun),
      });
    });
  }

  cancel(): void {
    this.done = true;
    this.socket.destroy();
  }
}
