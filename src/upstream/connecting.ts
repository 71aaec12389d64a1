import { connect, type Socket } from 'node:net';
import { Failure } from '../core/failure.ts';
import type { Endpoint } from './endpoint.ts';
import type { Waiter } from './queue.ts';
import { ReadBuffer } from './read-buffer.ts';

/** A connection that is being opened, for a waiter that may be served by another one meanwhile. */
export class Connecting {
  readonly endpoint: Endpoint;
  readonly waiter: Waiter;
  readonly sinceMs: number;
  /** What the connection will read from. */
  readonly source = new ReadBuffer();
  private readonly socket: Socket;
  private done = false;

  /** One of the two is called once, unless it is cancelled. */
  constructor(
    endpoint: Endpoint,
    waiter: Waiter,
    sinceMs: number,
    onConnected: (connecting: Connecting, socket: Socket) => void,
    onFailed: (connecting: Connecting, failure: Failure) => void,
  ) {
    this.endpoint = endpoint;
    this.waiter = waiter;
    this.sinceMs = sinceMs;
    this.socket = connect({ ...endpoint.address.connect, noDelay: true, onread: this.source.onread });
    this.socket.once('close', () => this.source.close());
    const refused = (error: Error): void => {
      if (this.done) return;
      this.done = true;
      onFailed(this, new Failure('upstream-connect', undefined, { cause: error }));
    };
    this.socket.on('error', refused);
    this.socket.once('connect', () => {
      if (this.done) return;
      this.done = true;
      this.socket.off('error', refused);
      onConnected(this, this.socket);
    });
  }

  /** Gives up; nobody is told. */
  cancel(): void {
    this.done = true;
    this.socket.destroy();
  }
}
