import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { channel } from '../core/events.ts';
import type { ConnectionRunner, ConnectionWork, RequestInFlight } from '../core/runner.ts';
import { type ClientHello, readClientHello } from '../transport/tls/client-hello.ts';
import type { HandshakeBudget, HandshakeHolder, HandshakeRefusal } from '../transport/tls/handshake-budget.ts';
import type { ClientAuth } from '../transport/tls/options.ts';
import { isVerified } from '../transport/tls/peer-certificate.ts';
import type { Termination } from '../transport/tls/termination.ts';
import type { ServerConnection } from './connection.ts';

const failed = channel('handshake:fail');

/** A client that does not speak TLS gets an answer it can read, and this long to read it. */
const LINGER_MS = 1000;
const NOT_TLS_TEXT = '{"error":"not-tls","message":"This port speaks HTTPS, and the request came in plain HTTP."}\n';
const NOT_TLS =
  'HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n' +
  `content-length: ${NOT_TLS_TEXT.length}\r\n\r\n${NOT_TLS_TEXT}`;

/** What a handshake needs of its listener. */
export interface HandshakeOwner {
  readonly name: string;
  readonly termination: Termination;
  /** Who speaks what ALPN has agreed on; `null` when nothing was agreed on. */
  readonly runnerFor: (protocol: string | null) => ConnectionRunner | null;
  /** One more is over the budget. */
  countRefused(connection: ServerConnection, reason: HandshakeRefusal): void;
}

/**
 * The beginning of a TLS connection: waits for the client's first message, takes a place in the budget, shakes hands, and
 * gives the connection to the protocol that was agreed on. A client that says nothing costs a socket and no more.
 */
export class Handshake implements ConnectionWork, HandshakeHolder {
  private readonly connection: ServerConnection;
  private readonly owner: HandshakeOwner;
  private readonly raw: Socket;
  private readonly sinceMs: number;
  private timeoutMs: number;
  private drainedAtMs = Number.POSITIVE_INFINITY;
  private bytes: Buffer | null = null;
  /** Where its place is, while it has one. */
  private budget: HandshakeBudget | null = null;
  private clientAuth: ClientAuth = 'none';
  private readonly onData = (chunk: Buffer): void => this.take(chunk);
  private readonly onEnd = (): void => this.connection.close('client-closed');
  private readonly onError = (error: Error): void => this.tell(error);

  constructor(connection: ServerConnection, owner: HandshakeOwner) {
    this.connection = connection;
    this.owner = owner;
    this.raw = connection.socket;
    this.sinceMs = connection.service.clock.now();
    this.timeoutMs = owner.termination.settings.handshakeTimeoutMs;
    connection.activity = 'handshake';
    this.raw.on('data', this.onData).on('end', this.onEnd);
  }

  private take(chunk: Buffer): void {
    const bytes = this.bytes === null ? chunk : Buffer.concat([this.bytes, chunk]);
    this.bytes = bytes;
    const hello = readClientHello(bytes);
    if (hello === 'incomplete') return;
    this.raw.off('data', this.onData);
    if (hello === 'not-tls') this.refusePlain(bytes);
    else this.begin(bytes, hello);
  }

  private begin(bytes: Buffer, hello: ClientHello): void {
    const { connection, owner, raw } = this;
    const { budget, settings } = owner.termination;
    const refusal = budget.acquire(connection.service.clock.now(), this);
    if (refusal !== null) {
      owner.countRefused(connection, refusal);
      connection.close('handshake-refused');
      return;
    }
    this.budget = budget;
    this.clientAuth = settings.clientAuth;
    raw.off('end', this.onEnd);
    raw.pause();
    raw.unshift(bytes);
    this.bytes = null;
    let socket: TLSSocket;
    try {
      socket = owner.termination.begin(raw, hello);
    } catch (error) {
      this.refuse(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    // Before the connection hears of an error: ours says more.
    socket.on('error', this.onError).on('end', this.onEnd);
    socket.once('secure', () => this.finish(socket));
    connection.secure(socket);
  }

  private finish(socket: TLSSocket): void {
    const { connection, clientAuth } = this;
    this.release();
    socket.off('error', this.onError).off('end', this.onEnd);
    if (clientAuth !== 'none') {
      const certificate = socket.getPeerX509Certificate();
      const verified = certificate !== undefined && isVerified(socket);
      if (clientAuth === 'require' && !verified) {
        this.refuse(new Error('the client certificate is not signed by an authority of `ca`'));
        return;
      }
      if (certificate !== undefined) connection.peer.show(certificate, verified);
    }
    const protocol = typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : null;
    const runner = this.owner.runnerFor(protocol);
    if (runner === null) {
      this.refuse(new Error('the client has agreed on no protocol (ALPN), and HTTP/1.1 is not offered'));
      return;
    }
    connection.activity = 'reading';
    runner.run(connection);
  }

  private refuse(why: Error): void {
    this.tell(why);
    this.connection.close('handshake-failed');
  }

  private tell(error: Error): void {
    if (!failed.heard) return;
    const { id, peer } = this.connection;
    failed.publish({ listener: this.owner.name, connectionId: id, peer: peer.address, error });
  }

  /** Plain HTTP gets an answer; anything else is closed. */
  private refusePlain(bytes: Buffer): void {
    this.tell(new Error('the client does not speak TLS'));
    if (!/^[A-Z]/.test(bytes.toString('latin1', 0, 1))) {
      this.connection.close('handshake-failed');
      return;
    }
    this.connection.reason = 'bad-request';
    this.timeoutMs = this.connection.service.clock.now() - this.sinceMs + LINGER_MS;
    this.raw.end(NOT_TLS, 'latin1');
    this.raw.resume();
  }

  get answered(): boolean {
    return this.raw.bytesWritten > 0;
  }

  giveUp(): void {
    this.budget = null;
    this.connection.close('handshake-timeout');
  }

  sweep(nowMs: number): void {
    const silent = this.bytes === null && this.budget === null;
    if (nowMs - this.sinceMs >= this.timeoutMs) this.connection.close('handshake-timeout');
    else if (silent && nowMs - Math.max(this.sinceMs, this.drainedAtMs) >= this.connection.service.quietMs) {
      this.connection.close('drained-idle');
    }
  }

  drain(): void {
    this.drainedAtMs = this.connection.service.clock.now();
    this.sweep(this.drainedAtMs);
  }

  abort(): void {}

  closed(): void {
    this.release();
  }

  inFlight(): readonly RequestInFlight[] {
    return [];
  }

  private release(): void {
    this.budget?.release(this);
    this.budget = null;
  }
}
