import type { Socket } from 'node:net';
import type { IncomingBody } from '../../core/body.ts';
import { Failure } from '../../core/failure.ts';
import type { HeaderFields } from '../../core/headers.ts';
import { Http1OutgoingBody } from './outgoing.ts';

/** `held`: the server has not asked for it yet. `stopped`: the rest is never sent. */
export type UploadState = 'held' | 'flowing' | 'sent' | 'stopped';

/** A request body that is sent as it arrives, with backpressure from the server to the client. */
export class Http1Upload {
  state: UploadState = 'held';
  private readonly socket: Socket;
  private readonly body: IncomingBody;
  private readonly outgoing: Http1OutgoingBody;

  /** `onDone` hears once that all is sent, or why it cannot be; nothing after `stop`. */
  constructor(
    socket: Socket,
    body: IncomingBody,
    trailers: () => HeaderFields | null,
    onDone: (failure: Failure | null) => void,
  ) {
    const { lengthBytes } = body;
    this.socket = socket;
    this.body = body;
    this.outgoing = new Http1OutgoingBody(
      socket,
      { kind: lengthBytes === null ? 'chunked' : 'length', lengthBytes },
      trailers,
      (error) => {
        if (this.state === 'stopped') return;
        this.state = error === null ? 'sent' : 'stopped';
        if (error === null || error instanceof Failure) onDone(error);
        else onDone(new Failure('client-gone', undefined, { cause: error }));
      },
    );
  }

  /** Bytes go as fast as the client gives them; `false` when it is the server that takes none. */
  get waitsForClient(): boolean {
    return this.state === 'flowing' && !this.socket.writableNeedDrain;
  }

  /** Sends `head` and what has arrived in one write, and the rest as it comes. */
  begin(head: string): void {
    this.state = 'flowing';
    this.socket.cork();
    if (head !== '') this.socket.write(head, 'latin1');
    this.outgoing.send(this.body);
    this.socket.uncork();
  }

  /** The socket has room again. */
  drained(): void {
    if (this.state === 'flowing') this.outgoing.drained();
  }

  /** Sends no more. A body that was begun is given up; one that was held is untouched, and may go elsewhere. */
  stop(why: Error): void {
    const { state } = this;
    if (state !== 'sent') this.state = 'stopped';
    if (state === 'flowing') this.outgoing.abort(why);
  }
}
