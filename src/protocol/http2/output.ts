import type { Socket } from 'node:net';
import { OUTPUT_MAX_BYTES } from './options.ts';

/** Those that have something to write in this turn of the event loop. */
let dirty: Output[] = [];

function endTurn(): void {
  const outputs = dirty;
  dirty = [];
  for (const output of outputs) output.flush();
}

/**
 * The writing half of a connection. Everything that becomes ready in one turn of the event loop, of all streams, leaves
 * in one write: at the end of a read, or else at the end of the turn.
 */
export class Output {
  private readonly socket: Socket;
  private readonly onFlush: () => void;
  private text = '';
  private parts: (string | Uint8Array)[] = [];
  private partBytes = 0;
  private receiving = false;
  private isDirty = false;

  /** `onFlush` is called before each write, to add the DATA whose turn it is. */
  constructor(socket: Socket, onFlush: () => void) {
    this.socket = socket;
    this.onFlush = onFlush;
  }

  /** Enough waits already: no DATA should be added. */
  get full(): boolean {
    return this.text.length + this.partBytes + this.socket.writableLength >= OUTPUT_MAX_BYTES;
  }

  /** Latin-1 text, a character an octet. */
  write(text: string): void {
    this.text += text;
    this.wake();
  }

  /** Bytes that will not change. */
  writeBytes(bytes: Uint8Array): void {
    if (this.text !== '') this.parts.push(this.text);
    this.partBytes += this.text.length + bytes.length;
    this.text = '';
    this.parts.push(bytes);
    this.wake();
  }

  /** Flushes before the turn is over, when nobody else does. */
  wake(): void {
    if (this.isDirty || this.receiving) return;
    this.isDirty = true;
    if (dirty.length === 0) setImmediate(endTurn);
    dirty.push(this);
  }

  /** Bytes are being taken in; what answers them waits for `release`. */
  gather(): void {
    this.receiving = true;
  }

  release(): void {
    this.receiving = false;
    this.flush();
  }

  flush(): void {
    this.isDirty = false;
    this.onFlush();
    const { text, parts, socket } = this;
    this.text = '';
    if (parts.length === 0) {
      if (text !== '') socket.write(text, 'latin1');
      return;
    }
    this.parts = [];
    this.partBytes = 0;
    socket.cork();
    for (const part of parts) {
      if (typeof part === 'string') socket.write(part, 'latin1');
      else socket.write(part);
    }
    if (text !== '') socket.write(text, 'latin1');
    socket.uncork();
  }
}
