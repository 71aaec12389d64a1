import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { ByteSource } from '../../core/client.ts';

/**
 * The connection to a server that has switched protocols, as a stream for whoever asked. Its socket reads into memory
 * that is used again, so what comes is kept for as long as somebody may look at it.
 */
export class SwitchedSocket extends Duplex {
  private readonly socket: Socket;
  private socketError: Error | undefined;
  /** The server has said all it will; some of it may not have been read yet. */
  private ended = false;

  constructor(socket: Socket, source: ByteSource) {
    super({ allowHalfOpen: true });
    this.socket = socket;
    // What the client may still say does not end with what the server has said.
    socket.allowHalfOpen = true;
    source.receiver = (chunk) => {
      if (!this.push(source.keep(chunk))) socket.pause();
    };
    socket.on('end', () => {
      this.ended = true;
      this.push(null);
    });
    socket.on('error', (error) => {
      this.socketError = error;
    });
    socket.on('close', () => {
      if (this.ended && !this.readableEnded) this.once('end', () => this.destroy(this.socketError));
      else this.destroy(this.socketError);
    });
    // Whoever asked may be gone before it listens.
    this.on('error', () => undefined);
  }

  override _read(): void {
    this.socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.socket.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.socket.destroy();
    done(error);
  }
}
