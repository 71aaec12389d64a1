import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import type { Readable } from 'node:stream';
import { TEST_AUTHORITY } from '../support/certificates.ts';
import { type Asked, type Caller, type Head, plain, type Question, type Switched, textOf } from './caller.ts';

/** Node's HTTP/2 client; one connection, and the next one when that takes no more requests. */
export class Http2Caller implements Caller {
  private readonly url: string;
  private readonly sessions: ClientHttp2Session[] = [];

  constructor(port: number, secure: boolean) {
    this.url = `${secure ? 'https' : 'http'}://127.0.0.1:${port}`;
  }

  ask(question: Question = {}): Asked {
    const { body, open = false, headers = {} } = question;
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const stream = this.session().request(
      { ':method': question.method ?? 'GET', ':path': question.path ?? '/', ...length, ...headers },
      { endStream: body === undefined && !open, waitForTrailers: open },
    );
    const asked = new Http2Asked(stream);
    if (body !== undefined) stream.end(body);
    return asked;
  }

  async upgrade(protocol: string, path = '/'): Promise<Switched> {
    const session = this.session();
    if (session.remoteSettings.enableConnectProtocol !== true) await once(session, 'remoteSettings');
    const stream = session.request({ ':method': 'CONNECT', ':protocol': protocol, ':path': path, ':scheme': 'http' });
    const head = await new Http2Asked(stream).head();
    if (head.status !== 200) throw new Error(`answered ${head.status}`);
    return { ...head, socket: stream, breakOff: () => stream.close(8) };
  }

  close(): void {
    for (const session of this.sessions) session.destroy();
  }

  private session(): ClientHttp2Session {
    const last = this.sessions.at(-1);
    if (last !== undefined && !last.closed && !last.destroyed) return last;
    const session = connect(this.url, { ca: TEST_AUTHORITY.cert });
    session.on('error', () => undefined);
    this.sessions.push(session);
    return session;
  }
}

class Http2Asked implements Asked {
  readonly informed: Head[] = [];
  private readonly stream: ClientHttp2Stream;
  private readonly answer: Promise<Head>;
  private last: Readonly<Record<string, string>> = {};
  private ownTrailers: Readonly<Record<string, string>> = {};

  constructor(stream: ClientHttp2Stream) {
    this.stream = stream;
    stream.on('headers', (headers) => this.informed.push(headOf(headers)));
    stream.on('trailers', (trailers) => {
      this.last = plain(trailers);
    });
    stream.on('wantTrailers', () => stream.sendTrailers({ ...this.ownTrailers }));
    this.answer = new Promise((resolve, reject) => {
      stream.on('response', (headers) => resolve(headOf(headers)));
      stream.on('error', reject);
      stream.on('close', () => reject(new Error(`the stream was closed (${stream.rstCode})`)));
    });
    this.answer.catch(() => undefined);
  }

  head(): Promise<Head> {
    return this.answer;
  }

  async body(): Promise<Readable> {
    await this.answer;
    return this.stream;
  }

  async text(): Promise<string> {
    await this.answer;
    const text = await textOf(this.stream);
    // Node ends a stream that was cancelled as if that were its end.
    if (this.stream.rstCode !== 0) throw new Error(`the stream was reset (${this.stream.rstCode})`);
    return text;
  }

  trailers(): Readonly<Record<string, string>> {
    return this.last;
  }

  write(bytes: string | Uint8Array): boolean {
    return this.stream.write(bytes);
  }

  async drained(): Promise<void> {
    await once(this.stream, 'drain');
  }

  end(bytes = '', trailers: Readonly<Record<string, string>> = {}): void {
    this.ownTrailers = trailers;
    this.stream.end(bytes);
  }

  abort(): void {
    this.stream.close(8);
  }
}

function headOf(headers: Readonly<Record<string, unknown>>): Head {
  const { ':status': status, ...rest } = headers;
  return { status: Number(status), headers: plain(rest) };
}
