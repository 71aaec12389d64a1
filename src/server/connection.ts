import type { Socket } from 'node:net';
import { Failure } from '../core/failure.ts';
import type { Lifecycle } from '../core/lifecycle.ts';
import type { Peer } from '../core/message.ts';
import type { Activity, CloseReason, Connection, ConnectionWork, Service, WorkShare } from '../core/runner.ts';

/** The other end of a socket; the kernel is asked for its address when somebody wants to know it. */
class SocketPeer implements Peer {
  readonly secure: boolean;
  readonly certificate = null;
  private readonly socket: Socket;
  private readonly unnamed: string;
  private known: string | null = null;

  constructor(socket: Socket, secure: boolean, unnamed: string) {
    this.socket = socket;
    this.secure = secure;
    this.unnamed = unnamed;
  }

  get address(): string {
    this.known ??= this.socket.remoteAddress ?? this.unnamed;
    return this.known;
  }

  get port(): number {
    return this.socket.remotePort ?? 0;
  }
}

/** Called when a connection's socket is closed. */
export type OnClosed = (connection: ServerConnection, reason: CloseReason) => void;

/** One accepted connection: owns the socket and its end, whatever protocol runs on it. */
export class ServerConnection implements Connection {
  readonly id: number;
  readonly socket: Socket;
  readonly peer: Peer;
  readonly life: Lifecycle;
  readonly service: Service;
  activity: Activity = 'reading';
  reason: CloseReason | null = null;
  /** What a reconciliation has found twice is released. */
  suspect = false;
  private released = false;
  private work: ConnectionWork | null = null;
  private readonly onClosed: OnClosed;

  /** `unnamed`: the peer's address where its socket has none, as on a unix socket or when it has gone already. */
  constructor(id: number, socket: Socket, parent: Lifecycle, service: Service, onClosed: OnClosed, unnamed: string) {
    this.id = id;
    this.socket = socket;
    this.peer = new SocketPeer(socket, false, unnamed);
    this.service = service;
    this.onClosed = onClosed;
    // Live from accept until its socket is closed: a drain waits for it even before its first byte.
    this.life = parent.open({ onDrain: () => this.work?.drain(), onClose: () => this.close('server-closed') }, true);
    socket.on('error', (error) => {
      this.reason ??= resetBy(error) ? 'client-reset' : 'socket-error';
    });
    socket.on('close', () => {
      this.release();
      // Node's handle holds a dead socket until the next full garbage collection; what we hung on it goes at once.
      socket.removeAllListeners();
    });
  }

  attend(work: ConnectionWork): void {
    this.work = work;
    if (this.life.phase === 'draining') work.drain();
  }

  sweep(nowMs: number): void {
    this.work?.sweep(nowMs);
  }

  inFlight(): ReturnType<ConnectionWork['inFlight']> {
    return this.work?.inFlight() ?? [];
  }

  /** Whether something would be lost if it were cut off now. Silent, idle and answered connections lose nothing. */
  get occupied(): boolean {
    const { socket, activity } = this;
    if (socket.destroyed) return false;
    if (socket.writableLength > 0) return true;
    if (this.reason !== null && activity !== 'stream') return false;
    return activity === 'reading' ? socket.bytesRead > 0 : activity !== 'idle';
  }

  /** Destroys the socket at the end of a drain's grace; the reason tells whether that lost something. */
  cutOff(reason: CloseReason): void {
    const cutsAnswer = this.inFlight().length > 0;
    if (cutsAnswer) this.reset(reason);
    else if (this.occupied) this.reason = reason;
    this.close('drained-idle');
  }

  /** Tells what is running that its time is over. */
  abort(share: WorkShare): void {
    this.work?.abort(new Failure('server-draining'), share);
  }

  unsentBytes(): number {
    // Node counts a write as done only when the kernel has taken all of it; the handle knows what it has taken so far.
    // Without this (private) figure only whole writes count as progress.
    const handle: unknown = Reflect.get(this.socket, '_handle');
    const queued: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'writeQueueSize') : 0;
    return this.socket.writableLength + (typeof queued === 'number' ? queued : 0);
  }

  close(reason: CloseReason): void {
    this.reason ??= reason;
    this.socket.destroy();
  }

  reset(reason: CloseReason): void {
    this.reason = reason;
    // Only TCP knows a reset.
    if (this.socket.remoteFamily === undefined) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  /** Lets go of everything; idempotent, so that a reconciliation can do what a lost event did not. */
  release(): void {
    if (this.released) return;
    this.released = true;
    const { work } = this;
    this.work = null;
    const reason = this.reason ?? 'client-closed';
    this.reason = reason;
    work?.closed();
    this.onClosed(this, reason);
    this.life.close(reason);
  }
}

function resetBy(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}
