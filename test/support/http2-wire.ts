import { createConnection, type Socket } from 'node:net';
import { HpackDecoder } from '../../src/protocol/http2/hpack-decoder.ts';
import { type Field, type Frame, frame, PREFACE, settings, TYPE } from './http2-frames.ts';
import { Waiter } from './waiter.ts';
import type { WireEnd } from './wire.ts';

/** A frame as it was received. */
export interface Received extends Frame {
  /** The field lines that a header block has ended with this frame; `null` for other frames. */
  readonly fields: readonly Field[] | null;
}

/** One response, and how its stream has ended. */
export interface Http2Response {
  readonly status: number;
  /** The statuses of the 1xx before it. */
  readonly informational: readonly number[];
  readonly fields: readonly Field[];
  get(name: string): string | null;
  /** Latin-1, so a character is a byte. */
  readonly body: string;
  readonly trailers: readonly Field[] | null;
  /** The code of the RST_STREAM that cut it off, or that came after its end; `null` when none has come. */
  readonly reset: number | null;
}

const LIST_MAX_BYTES = 1_000_000;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;

/**
 * An HTTP/2 client that writes the bytes it is given and reads frames. Nothing is answered by itself. Whatever it waits
 * for, it waits with a deadline.
 */
export class Http2Wire implements Disposable {
  readonly socket: Socket;
  /** Frames that no call has taken yet. */
  readonly unread: Received[] = [];
  ended: WireEnd | null = null;
  receivedBytes = 0;
  /** How many reads brought something: bytes that were written at once arrive at once on loopback, up to 64 KiB. */
  readCount = 0;
  private readonly waiter = new Waiter();
  private readonly decoder = new HpackDecoder(4096);
  private rest = Buffer.alloc(0);
  private block: Buffer[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket
      .on('data', (chunk: Buffer) => this.take(chunk))
      .on('end', () => this.end('fin'))
      .on('error', () => this.end('reset'))
      .on('close', () => this.end('fin'));
  }

  /** Connects, and says nothing. */
  static async connect(port: number): Promise<Http2Wire> {
    const wire = new Http2Wire(createConnection({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }));
    await new Promise<void>((resolve, reject) => wire.socket.once('connect', resolve).once('error', reject));
    return wire;
  }

  /** Connects, exchanges settings with the server and takes its acknowledgement. */
  static async open(
    port: number,
    announced: readonly (readonly [id: number, value: number])[] = [],
  ): Promise<Http2Wire> {
    const wire = await Http2Wire.connect(port);
    wire.send(PREFACE, settings(announced));
    await wire.frame(TYPE.SETTINGS, (received) => (received.flags & 1) === 0);
    wire.send(frame(TYPE.SETTINGS, 1, 0));
    await wire.frame(TYPE.SETTINGS, (received) => (received.flags & 1) === 1);
    return wire;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  /** Sends all of these in one write. */
  send(...bytes: readonly Uint8Array[]): this {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(bytes));
    return this;
  }

  /** Waits for the next frame of this type that satisfies the condition, and takes it and all before it. */
  async frame(type: number, condition: (received: Received) => boolean = () => true): Promise<Received> {
    const at = await this.find((received) => received.type === type && condition(received), `a frame of type ${type}`);
    const [found] = this.unread.splice(0, at + 1).slice(-1);
    if (found === undefined) throw new Error('no frame');
    return found;
  }

  /** Waits until one of the frames that are not taken satisfies the condition, and leaves all where they are. */
  async sees(condition: (received: Received) => boolean, what: string): Promise<void> {
    await this.find(condition, what);
  }

  /** Takes the whole response on a stream; other streams' frames stay. */
  async response(streamId: number): Promise<Http2Response> {
    await this.find((received) => received.streamId === streamId && endsStream(received), `the end of ${streamId}`);
    return this.collect(streamId);
  }

  /** What has come of a stream so far; taken. */
  collect(streamId: number): Http2Response {
    const own = this.unread.filter((received) => received.streamId === streamId);
    const others = this.unread.filter((received) => received.streamId !== streamId);
    this.unread.splice(0, this.unread.length, ...others);
    return responseOf(own);
  }

  /** Waits until the server has answered a PING that comes after all that was sent: so it has taken all that. */
  async settled(): Promise<void> {
    pingCount += 1;
    const opaque = Buffer.alloc(8);
    opaque.writeUInt32BE(pingCount);
    this.send(frame(TYPE.PING, 0, 0, opaque));
    const isAnswer = ({ type, flags, payload }: Received): boolean =>
      type === TYPE.PING && flags === 1 && payload.equals(opaque);
    const at = await this.find(isAnswer, 'the answer to a PING');
    this.unread.splice(at, 1);
  }

  /** Waits until the server has ended the connection, one way or the other. */
  async closed(): Promise<WireEnd> {
    await this.waiter.until(
      () => this.ended !== null,
      () => `the end of the connection; unread: ${this.shown()}`,
    );
    return this.ended ?? 'reset';
  }

  private async find(condition: (received: Received) => boolean, what: string): Promise<number> {
    let at = -1;
    await this.waiter.until(
      () => {
        at = this.unread.findIndex(condition);
        return at !== -1 || this.ended !== null;
      },
      () => `${what}; unread: ${this.shown()}`,
    );
    if (at === -1) throw new Error(`ended (${this.ended}) before ${what}; unread: ${this.shown()}`);
    return at;
  }

  private shown(): string {
    return this.unread
      .map(({ type, flags, streamId, payload }) => `[${type} ${flags} ${streamId} ${payload.toString('hex', 0, 40)}]`)
      .join(' ');
  }

  private end(how: WireEnd): void {
    this.ended ??= how;
    this.waiter.wake();
  }

  private take(chunk: Buffer): void {
    this.readCount += 1;
    this.receivedBytes += chunk.length;
    let bytes = Buffer.concat([this.rest, chunk]);
    while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
      const end = 9 + bytes.readUIntBE(0, 3);
      this.push(bytes[3] ?? 0, bytes[4] ?? 0, bytes.readUInt32BE(5), bytes.subarray(9, end));
      bytes = bytes.subarray(end);
    }
    this.rest = bytes;
    this.waiter.wake();
  }

  private push(type: number, flags: number, streamId: number, payload: Buffer): void {
    let fields: Field[] | null = null;
    if (type === TYPE.HEADERS || type === TYPE.CONTINUATION) {
      this.block.push(payload);
      if ((flags & END_HEADERS) !== 0) {
        const block = Buffer.concat(this.block);
        this.block = [];
        const lines = this.decoder.decode(block, 0, block.length, LIST_MAX_BYTES, LIST_MAX_BYTES);
        fields = lines.map(({ name, value }) => [name, value]);
      }
    }
    this.unread.push({ type, flags, streamId, payload, fields });
  }
}

let pingCount = 0;

function endsStream({ type, flags }: Received): boolean {
  const carriesEnd = type === TYPE.DATA || type === TYPE.HEADERS;
  return type === TYPE.RST_STREAM || (carriesEnd && (flags & END_STREAM) !== 0);
}

function responseOf(frames: readonly Received[]): Http2Response {
  const blocks = frames.flatMap(({ fields }) => (fields === null ? [] : [fields]));
  const statuses = blocks.map((fields) => Number(fields.find(([name]) => name === ':status')?.[1] ?? 0));
  const finalAt = statuses.findIndex((status) => status >= 200);
  const fields = blocks[finalAt] ?? [];
  const resets = frames.filter(({ type }) => type === TYPE.RST_STREAM);
  const data = frames.filter(({ type }) => type === TYPE.DATA);
  return {
    status: statuses[finalAt] ?? 0,
    informational: statuses.slice(0, Math.max(0, finalAt)),
    fields,
    get: (name) => {
      const values = fields.filter(([given]) => given === name);
      if (values.length > 1) throw new Error(`${values.length} lines of ${name}`);
      return values[0]?.[1] ?? null;
    },
    body: data.map(({ payload }) => payload.toString('latin1')).join(''),
    trailers: blocks[finalAt + 1] ?? null,
    reset: resets[0]?.payload.readUInt32BE(0) ?? null,
  };
}
