import type { Socket } from 'node:net';
import type { Connection, ConnectionRunner, ConnectionWork, RequestInFlight } from '../core/runner.ts';
import { PREFACE } from '../protocol/http2/frame.ts';

/** Tells HTTP/2 with prior knowledge from HTTP/1.1 on a plaintext connection, by its first bytes (RFC 9113 §3.3). */
export function sniffingRunner(http1: ConnectionRunner, http2: ConnectionRunner): ConnectionRunner {
  return {
    name: 'h2, http1',
    run(connection) {
      connection.attend(new Sniff(connection, http1, http2));
    },
    refuse(socket, reason) {
      http1.refuse(socket, reason);
    },
  };
}

/** A connection that has not said enough yet. */
class Sniff implements ConnectionWork {
  private readonly connection: Connection;
  private readonly socket: Socket;
  private readonly http1: ConnectionRunner;
  private readonly http2: ConnectionRunner;
  private readonly sinceMs: number;
  private drainedAtMs = Number.POSITIVE_INFINITY;
  private bytes: Buffer | null = null;
  private readonly onData = (chunk: Buffer): void => this.take(chunk);
  private readonly onEnd = (): void => this.leave();

  constructor(connection: Connection, http1: ConnectionRunner, http2: ConnectionRunner) {
    this.connection = connection;
    this.socket = connection.socket;
    this.http1 = http1;
    this.http2 = http2;
    this.sinceMs = connection.service.clock.now();
    this.socket.on('data', this.onData).on('end', this.onEnd);
  }

  private take(chunk: Buffer): void {
    const bytes = this.bytes === null ? chunk : Buffer.concat([this.bytes, chunk]);
    this.bytes = bytes;
    const begun = bytes.toString('latin1', 0, PREFACE.length);
    if (begun.length === PREFACE.length && begun === PREFACE) this.decide(this.http2);
    else if (!PREFACE.startsWith(begun)) this.decide(this.http1);
  }

  private decide(runner: ConnectionRunner): void {
    const { bytes, socket } = this;
    socket.off('data', this.onData).off('end', this.onEnd);
    // Handed on as if nobody had looked: the runner reads these bytes first.
    if (bytes !== null) {
      socket.pause();
      socket.unshift(bytes);
    }
    runner.run(this.connection);
    if (bytes !== null) socket.resume();
  }

  /** The client has said all that it will say. Bytes cannot be put back behind their end, and these are no request. */
  private leave(): void {
    if (this.bytes !== null) {
      this.connection.close('client-closed');
      return;
    }
    this.decide(this.http1);
    this.socket.emit('end');
  }

  sweep(nowMs: number): void {
    const { limits, quietMs } = this.connection.service;
    const timeoutMs = this.bytes === null ? limits.idleTimeoutMs : limits.headTimeoutMs;
    if (timeoutMs !== null && nowMs - this.sinceMs >= timeoutMs) {
      this.connection.close(this.bytes === null ? 'idle-timeout' : 'request-timeout');
    } else if (this.bytes === null && nowMs - this.drainedAtMs >= quietMs) this.connection.close('drained-idle');
  }

  drain(): void {
    this.drainedAtMs = this.connection.service.clock.now();
    this.sweep(this.drainedAtMs);
  }

  abort(): void {}

  closed(): void {}

  inFlight(): readonly RequestInFlight[] {
    return [];
  }
}
