import type { Socket } from 'node:net';
import { asBuffer } from '../../core/body-source.ts';
import type { HeaderFields } from '../../core/headers.ts';
import { OutgoingBody } from '../../core/outgoing-body.ts';

/** How the pieces are put on the wire. */
export interface OutgoingFraming {
  readonly kind: 'length' | 'chunked' | 'close';
  /** For `length`: exactly this many bytes must come. */
  readonly lengthBytes: number | null;
}

/** Up to this size a piece and its chunk frame are copied into one string, which is cheaper than a gathered write. */
const COPIED_MAX_BYTES = 4096;

/** A body in pieces on its way to an HTTP/1.1 socket. */
export class Http1OutgoingBody extends OutgoingBody {
  private readonly socket: Socket;
  private readonly kind: OutgoingFraming['kind'];

  constructor(
    socket: Socket,
    { kind, lengthBytes }: OutgoingFraming,
    trailers: (() => HeaderFields | null) | null,
    onDone: (error: Error | null) => void,
  ) {
    super(lengthBytes, trailers, onDone);
    this.socket = socket;
    this.kind = kind;
  }

  /** The kernel has not taken all of it: what was written is still in use. */
  get holdsBytes(): boolean {
    return this.socket.writableLength > 0;
  }

  protected put(piece: Uint8Array): boolean {
    return this.kind === 'chunked' ? this.putChunk(piece) : this.socket.write(piece);
  }

  protected putEnd(trailers: HeaderFields | null): void {
    if (this.kind === 'chunked') this.socket.write(`0\r\n${trailers?.text ?? ''}\r\n`, 'latin1');
  }

  private putChunk(piece: Uint8Array): boolean {
    const size = `${piece.length.toString(16)}\r\n`;
    if (piece.length <= COPIED_MAX_BYTES) {
      return this.socket.write(`${size}${asBuffer(piece).toString('latin1')}\r\n`, 'latin1');
    }
    this.socket.cork();
    this.socket.write(size, 'latin1');
    this.socket.write(piece);
    const room = this.socket.write('\r\n', 'latin1');
    this.socket.uncork();
    return room;
  }
}
