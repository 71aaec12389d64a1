import { createConnection, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { TEST_AUTHORITY } from './certificates.ts';

/** A wait that has not ended by then never will; no test waits this long when it passes. */
const DEADLINE_MS = 8000;

/** How the server ended the connection. */
export type WireEnd = 'fin' | 'reset';

/** One response, taken apart by rules of its own: the tests do not trust the engine's parser to judge the engine. */
export interface WireResponse {
  readonly status: number;
  /** Status line and header lines, without the empty line. */
  readonly head: string;
  /** The values of all lines with this name, in order. */
  all(name: string): string[];
  /** The value of the only line with this name; `null` when there is none. */
  get(name: string): string | null;
  /** Latin-1, so a character is a byte. */
  readonly body: string;
  /** The chunks of a chunked body, the last one excluded; `null` for other bodies. */
  readonly chunks: readonly string[] | null;
  /** Field lines after a chunked body. */
  readonly trailers: readonly string[];
}

/** A TCP client that writes bytes and reads bytes. Whatever it waits for, it waits with a deadline. */
export class Wire {
  readonly socket: Socket;
  /** Everything received that no call has taken yet, as latin-1. */
  unread = '';
  receivedBytes = 0;
  /** How many reads brought something: bytes that were written at once arrive at once on loopback, up to 64 KiB. */
  readCount = 0;
  ended: WireEnd | null = null;
  private wake: (() => void) | null = null;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket
      .on('data', (chunk) => {
        this.readCount += 1;
        this.receivedBytes += chunk.length;
        this.unread += chunk.toString('latin1');
        this.wake?.();
      })
      .on('end', () => this.end('fin'))
      .on('error', () => this.end('reset'))
      .on('close', () => this.end('fin'));
  }

  /** Connects. The client's own side stays open until the test ends it, whatever the server does. */
  static async open(port: number): Promise<Wire> {
    const wire = new Wire(createConnection({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }));
    await new Promise<void>((resolve, reject) => {
      wire.socket.once('connect', resolve).once('error', reject);
    });
    return wire;
  }

  /** Connects with TLS, to `localhost` unless the options say otherwise. Rejects when the handshake fails. */
  static async secure(port: number, options: ConnectionOptions = {}): Promise<Wire & { readonly socket: TLSSocket }> {
    const trust = { ca: TEST_AUTHORITY.cert, servername: 'localhost' };
    // The types leave `allowHalfOpen` out, which is documented.
    const halfOpen = { allowHalfOpen: true };
    const socket = connect({ port, host: '127.0.0.1', ...halfOpen, ...trust, ...options });
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve).once('error', reject);
      socket.once('close', () => reject(new Error('closed within the handshake')));
    });
    return Object.assign(new Wire(socket), { socket });
  }

  /** Sends text as latin-1, or bytes. */
  write(bytes: string | Uint8Array): this {
    if (!this.socket.destroyed) this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return this;
  }

  /** Sends bytes and waits until the kernel has them, so that two of these are two segments. */
  async segment(bytes: string): Promise<void> {
    await new Promise<void>((resolve) => {
      this.socket.write(Buffer.from(bytes, 'latin1'), () => resolve());
    });
  }

  /** Waits until the unread text satisfies the condition, and takes it. */
  async until(condition: string | ((unread: string) => boolean)): Promise<string> {
    const met = typeof condition === 'string' ? () => this.unread.includes(condition) : () => condition(this.unread);
    await this.wait(met, typeof condition === 'string' ? JSON.stringify(condition) : 'a condition on what is read');
    const taken = this.unread;
    this.unread = '';
    return taken;
  }

  /** Takes the next response. `method` is the request's: a response to HEAD has no body (RFC 9112 §6.3). */
  async response(method = 'GET'): Promise<WireResponse> {
    let found: { response: WireResponse; end: number } | null = null;
    await this.wait(() => {
      found = parseResponse(this.unread, method, this.ended === 'fin');
      return found !== null;
    }, 'a response');
    const { response, end } = found ?? { response: null, end: 0 };
    if (response === null) throw new Error('no response');
    this.unread = this.unread.slice(end);
    return response;
  }

  /** Waits until the server has ended the connection, one way or the other. */
  async closed(): Promise<WireEnd> {
    await this.wait(() => this.ended !== null, 'the end of the connection');
    return this.ended ?? 'reset';
  }

  /** Waits for the end and gives all that was not taken before it. */
  async rest(): Promise<string> {
    await this.closed();
    const { unread } = this;
    this.unread = '';
    return unread;
  }

  private end(how: WireEnd): void {
    this.ended ??= how;
    this.wake?.();
  }

  private async wait(met: () => boolean, what: string): Promise<void> {
    const deadline = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const shown = `${this.unread.length} bytes: ${JSON.stringify(this.unread.slice(0, 600))}`;
      deadline.reject(new Error(`waited in vain for ${what}; unread are ${shown}; ended: ${this.ended ?? 'no'}`));
    }, DEADLINE_MS);
    try {
      while (!met()) {
        if (this.ended !== null && what !== 'a response') {
          throw new Error(`the connection ended (${this.ended}) before ${what}: ${JSON.stringify(this.unread)}`);
        }
        if (this.ended !== null) throw new Error(`ended (${this.ended}) within ${JSON.stringify(this.unread)}`);
        const change = Promise.withResolvers<void>();
        this.wake = () => change.resolve();
        await Promise.race([change.promise, deadline.promise]);
      }
    } finally {
      this.wake = null;
      clearTimeout(timer);
    }
  }
}

/** Turns the event loop until the condition holds: what happens on the other side of a socket has no callback here. */
export async function eventually(condition: () => boolean, what = 'the condition'): Promise<void> {
  const untilMs = performance.now() + DEADLINE_MS;
  while (!condition()) {
    if (performance.now() > untilMs) throw new Error(`waited in vain for ${what}`);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** A turn of the event loop, `count` times: what is on its way through loopback has arrived then. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** The first response in the text and where it ends; `null` when it is not complete. */
export function parseResponse(
  text: string,
  method: string,
  ended: boolean,
): { response: WireResponse; end: number } | null {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd === -1) return null;
  const head = text.slice(0, headEnd);
  const match = /^HTTP\/1\.1 ([1-5][0-9]{2}) [\t\x20-\x7e]+(?:\r\n|$)/.exec(head);
  if (match === null) throw new Error(`not a status line: ${JSON.stringify(head)}`);
  const status = Number(match[1]);
  const lines = head.split('\r\n').slice(1);
  for (const line of lines) {
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*$/.test(line))
      throw new Error(`not a field line: ${JSON.stringify(line)}`);
  }
  const all = (name: string): string[] =>
    lines.filter((line) => line.toLowerCase().startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
  const get = (name: string): string | null => {
    const values = all(name);
    if (values.length > 1) throw new Error(`${values.length} lines of ${name}: ${JSON.stringify(head)}`);
    return values[0] ?? null;
  };
  const bodyStart = headEnd + 4;
  const made = (body: string, end: number, chunks: string[] | null = null, trailers: string[] = []) => ({
    response: { status, head, all, get, body, chunks, trailers },
    end,
  });
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return made('', bodyStart);
  if (get('transfer-encoding') !== null) {
    if (get('transfer-encoding') !== 'chunked' || get('content-length') !== null) throw new Error(`framing: ${head}`);
    return parseChunks(text, bodyStart, made);
  }
  const length = get('content-length');
  if (length === null) return ended ? made(text.slice(bodyStart), text.length) : null;
  const end = bodyStart + Number(length);
  return text.length < end ? null : made(text.slice(bodyStart, end), end);
}

function parseChunks<Made>(
  text: string,
  from: number,
  made: (body: string, end: number, chunks: string[], trailers: string[]) => Made,
): Made | null {
  const chunks: string[] = [];
  for (let at = from; ; ) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const line = text.slice(at, lineEnd);
    if (!/^[0-9a-f]+$/.test(line)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) {
      if (text.startsWith('\r\n', at)) return made(chunks.join(''), at + 2, chunks, []);
      const end = text.indexOf('\r\n\r\n', at);
      return end === -1 ? null : made(chunks.join(''), end + 4, chunks, text.slice(at, end).split('\r\n'));
    }
    if (text.length < at + size + 2) return null;
    chunks.push(text.slice(at, at + size));
    if (!text.startsWith('\r\n', at + size)) throw new Error('no CRLF after the chunk data');
    at += size + 2;
  }
}
