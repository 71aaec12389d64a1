import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Failure } from '../core/failure.ts';
import type { Lifecycle } from '../core/lifecycle.ts';
import type { Peer, PeerCertificate } from '../core/message.ts';
import type {
  Activity,
  CloseReason,
  Connection,
  ConnectionWork,
  Service,
  WorkInFlight,
  WorkShare,
} from '../core/runner.ts';
import { peerCertificate } from '../transport/tls/peer-certificate.ts';

/** What a listener knows of all its peers. */
export interface PeerFacts {
  readonly secure: boolean;
  /** Their address where a socket has none, as on a unix socket or when the peer has gone already. */
  readonly unnamed: string;
}

/** The other end of a socket; the kernel is asked for its address when somebody wants to know it. */
class SocketPeer implements Peer {
  readonly secure: boolean;
  private readonly socket: Socket;
  private readonly unnamed: string;
  private known: string | null = null;
  private shown: { readonly certificate: X509Certificate; readonly verified: boolean } | null = null;
  private made: PeerCertificate | null = null;

  constructor(socket: Socket, { secure, unnamed }: PeerFacts) {
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

  get certificate(): PeerCertificate | null {
    if (this.shown !== null) this.made ??= peerCertificate(this.shown.certificate, this.shown.verified);
    return this.made;
  }

  /** It has shown a certificate in its handshake. */
  show(certificate: X509Certificate, verified: boolean): void {
    this.shown = { certificate, verified };
  }
}

/** Called when a connection's socket is closed. */
export type OnClosed = (connection: ServerConnection, reason: CloseReason) => void;

/** One accepted connection: owns the socket and its end, whatever protocol runs on it. */
export class ServerConnection implements Connection {
  readonly id: number;
  /** What the protocol reads and writes: the accepted socket, or the TLS on it. */
  socket: Socket;
  readonly peer: SocketPeer;
  readonly life: Lifecycle;
  readonly service: Service;
  activity: Activity = 'reading';
  reason: CloseReason | null = null;
  /** What a reconciliation has found twice is released. */
  suspect = false;
  private released = false;
  private work: ConnectionWork | null = null;
  /** What was accepted. */
  private readonly raw: Socket;
  private readonly onClosed: OnClosed;

  constructor(id: number, socket: Socket, parent: Lifecycle, service: Service, onClosed: OnClosed, facts: PeerFacts) {
    this.id = id;
    this.socket = socket;
    this.raw = socket;
    this.peer = new SocketPeer(socket, facts);
    this.service = service;
    this.onClosed = onClosed;
    // Live from accept until its socket is closed: a drain waits for it even before its first byte.
    this.life = parent.open({ onDrain: () => this.work?.drain(), onClose: () => this.close('server-closed') }, true);
    socket.on('error', this.onError);
    socket.on('close', () => {
      this.release();
      // Node's handle holds a dead socket until the next full garbage collection; what we hung on it goes at once.
      socket.removeAllListeners();
    });
  }

  private readonly onError = (error: Error): void => {
    const failed = this.activity === 'handshake' ? 'handshake-failed' : 'socket-error';
    this.reason ??= resetBy(error) ? 'client-reset' : failed;
  };

  /** From now on everything goes through TLS. */
  secure(socket: TLSSocket): void {
    this.socket = socket;
    socket.on('error', this.onError);
    // As below; but what was being written when it was cut off fails afterwards, and says so.
    socket.on('close', () => socket.removeAllListeners().on('error', ignore));
    // Once hands are shaken, Node reports what is wrong with a record by this event only, and closes nothing.
    socket.on('_tlsError', () => {
      if (this.activity !== 'handshake') this.close('socket-error');
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

  underWay(share: WorkShare): readonly WorkInFlight[] {
    return this.socket.destroyed ? [] : (this.work?.underWay?.(share) ?? []);
  }

  /** Whether something would be lost if it were cut off now. Silent, idle and answered connections lose nothing. */
  get occupied(): boolean {
    const { socket, activity } = this;
    if (socket.destroyed) return false;
    if (socket.writableLength > 0) return true;
    if (this.reason !== null && activity !== 'stream') return false;
    if (activity === 'handshake') return this.raw.bytesRead > 0;
    return activity === 'reading' ? socket.bytesRead > 0 : activity !== 'idle';
  }

  /** Cuts off the requests of one share, where the protocol can do that by itself. Returns how many. */
  cutOffShare(share: WorkShare, reason: CloseReason): number {
    const { reason: before } = this;
    this.reason = reason;
    const count = this.work?.cutOff?.(share) ?? null;
    if (count === null) this.reason = before;
    return count ?? 0;
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
    const handle: unknown = Reflect.get(this.raw, '_handle');
    const queued: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'writeQueueSize') : 0;
    return this.socket.writableLength + (typeof queued === 'number' ? queued : 0);
  }

  close(reason: CloseReason): void {
    this.reason ??= reason;
    this.socket.destroy();
  }

  reset(reason: CloseReason): void {
    this.reason = reason;
    // Only TCP knows a reset. TLS goes with the socket it is on, and without the alert that says that all was well.
    if (this.raw.remoteFamily === undefined) this.raw.destroy();
    else this.raw.resetAndDestroy();
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

const ignore = (): void => undefined;

function resetBy(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}
