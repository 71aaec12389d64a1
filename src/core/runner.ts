import type { Socket } from 'node:net';
import type { Clock, DateValue } from './clock.ts';
import type { Failure, FaultCode } from './failure.ts';
import type { Handler } from './handler.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Peer } from './message.ts';

/** What a connection is doing, as `status()` counts it. */
export type Activity = 'handshake' | 'reading' | 'in-flight' | 'idle' | 'stream';

/** Why a connection ended. `mayHaveLostRequest` reasons are counted apart. */
export const CLOSE_REASONS = {
  'client-closed': { mayHaveLostRequest: false },
  'client-reset': { mayHaveLostRequest: false },
  'keep-alive-off': { mayHaveLostRequest: false },
  'idle-timeout': { mayHaveLostRequest: false },
  'requests-exhausted': { mayHaveLostRequest: false },
  'bad-request': { mayHaveLostRequest: false },
  'request-timeout': { mayHaveLostRequest: false },
  /** It broke a rule of HTTP/2 that every stream depends on; what ran was cut off. */
  'protocol-error': { mayHaveLostRequest: false },
  /** It did too much of what costs us more than it costs the client. */
  'enhance-your-calm': { mayHaveLostRequest: false },
  'write-stall': { mayHaveLostRequest: true },
  'response-broken': { mayHaveLostRequest: true },
  'drained-idle': { mayHaveLostRequest: false },
  /** Bytes came in after an idle connection had been closed: a request may have been under way. */
  'drained-raced': { mayHaveLostRequest: true },
  'drained-answered': { mayHaveLostRequest: false },
  /** Cut off in the middle of something at the end of a drain's grace. */
  'drain-forced': { mayHaveLostRequest: true },
  /** Cut off in the middle of something by `close()`. */
  'server-closed': { mayHaveLostRequest: true },
  'handshake-failed': { mayHaveLostRequest: false },
  'handshake-timeout': { mayHaveLostRequest: false },
  /** Over `handshakeMaxCount` or `handshakeMaxPerSec`. */
  'handshake-refused': { mayHaveLostRequest: false },
  'taken-over': { mayHaveLostRequest: false },
  'socket-error': { mayHaveLostRequest: true },
  reconciled: { mayHaveLostRequest: true },
} as const satisfies Record<string, { mayHaveLostRequest: boolean }>;

export type CloseReason = keyof typeof CLOSE_REASONS;

/** A request in flight, as a drain report names it. */
export interface RequestInFlight {
  readonly method: string;
  readonly target: string;
  readonly sinceMs: number;
}

/** A request, or what has become of one, among others on the same connection. */
export interface WorkInFlight extends RequestInFlight {
  readonly activity: Extract<Activity, 'in-flight' | 'stream'>;
}

/** Which of a connection's work: long-lived streams have a grace of their own. */
export type WorkShare = 'requests' | 'streams' | 'all';

/** What a runner lets its connection ask of it. */
export interface ConnectionWork {
  /** Regularly, to check deadlines. */
  sweep(nowMs: number): void;
  /** A drain has begun: finish what is begun, say close, then close. */
  drain(): void;
  /** The grace of these is over: tell what is running. What is left of it one turn later is cut off. */
  abort(failure: Failure, share: WorkShare): void;
  /**
   * That turn later, where a protocol can cut off requests by themselves: does so, with a word to the peer. Returns how
   * many requests that were (a tunnel is none any more), `null` when there was nothing. The connection itself is cut off
   * only if all of its work was concerned.
   */
  cutOff?(share: WorkShare): number | null;
  /** What of a share is under way, tunnels included, the oldest first; where a protocol carries several at once. */
  underWay?(share: WorkShare): readonly WorkInFlight[];
  /** The socket is closed: let go of everything. Called once. */
  closed(): void;
  /** The admitted requests in flight, the oldest first. */
  inFlight(): readonly RequestInFlight[];
}

/** A request's leave to begin. It keeps the handler it began with, whatever is reloaded meanwhile. */
export interface Admission {
  readonly handler: Handler;
  /** The request is over, however it went. Called once. */
  end(): void;
}

/** See the listener's `limits`. */
export interface ConnectionLimits {
  readonly headTimeoutMs: number | null;
  readonly idleTimeoutMs: number | null;
}

/** What a listener does for its connections. */
export interface Service {
  readonly clock: Clock;
  readonly date: DateValue;
  /** A request begins. `null` when too many are in flight: answer 503 and keep the connection. */
  admit(): Admission | null;
  /** The deadlines that hold whatever protocol runs; `null` is off. */
  readonly limits: ConnectionLimits;
  /** How long an idle connection may still send a request once a drain has begun. */
  readonly quietMs: number;
  /** In a drain: how long streams may still go on, from now. */
  readonly streamGraceMs: number;
}

/** One accepted connection, as a runner sees it. The connection owns the socket and its end. */
export interface Connection {
  readonly id: number;
  readonly socket: Socket;
  readonly peer: Peer;
  readonly life: Lifecycle;
  readonly service: Service;
  activity: Activity;
  /** Why it will have ended, once its socket closes by itself. */
  reason: CloseReason | null;
  /** The runner takes the connection, until another runner does. */
  attend(work: ConnectionWork): void;
  /** Bytes written that the kernel has not taken yet. */
  unsentBytes(): number;
  /** Destroys the socket. A reason that is set already is kept. */
  close(reason: CloseReason): void;
  /** Cuts the peer off so that it sees it: a FIN would make an answer that ends with the connection look complete. */
  reset(reason: CloseReason): void;
}

/** Why a connection was refused. */
export type Refusal = Extract<FaultCode, 'connection-budget-exceeded' | 'peer-budget-exceeded'>;

/** One protocol on one accepted connection. */
export interface ConnectionRunner {
  readonly name: string;
  run(connection: Connection): void;
  /** Called synchronously when a connection is over a budget; must end the socket itself. */
  refuse(socket: Socket, reason: Refusal): void;
}
