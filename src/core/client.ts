import type { Duplex } from 'node:stream';
import type { IncomingBody, ReadMemory } from './body.ts';
import type { Failure } from './failure.ts';
import type { HeaderFields } from './headers.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Protocol } from './request.ts';

/** Where the bytes of a connection come from. */
export interface ByteSource extends ReadMemory {
  /** Gets bytes as they arrive; they are gone when it returns, unless they were kept. */
  receiver: ((bytes: Buffer) => void) | null;
}

/** A request as a client connection sends it. The connection frames the body and writes the authority. */
export interface OutgoingRequest {
  readonly method: string;
  /** origin-form or `*`, sent byte for byte. */
  readonly target: string;
  /** The `host` field, or `:authority`. */
  readonly authority: string;
  /** End-to-end fields without `host`, `content-length` and `expect`, which the connection writes itself. */
  readonly headers: HeaderFields;
  /** Bytes when all of it is here, an IncomingBody when it is still arriving. */
  readonly body: Uint8Array | IncomingBody | null;
  /** Fields to send after a body that is sent in chunks; asked when it has ended. */
  trailers(): HeaderFields | null;
  /** The protocol to switch to: `upgrade` in HTTP/1.1, extended CONNECT in HTTP/2 (RFC 8441). There is no body then. */
  readonly upgrade: string | null;
  /** When the answer must have come to its end, on the clock that sweeps are told; `null`: whenever. */
  readonly deadlineMs: number | null;
  /** Hold the body back until the server asks for it (RFC 9110 §10.1.1). */
  readonly expectContinue: boolean;
}

/** Who asked. `onResponse` or `onFail` is called once, `onInform` any number of times before. */
export interface ResponseObserver {
  /** An informational response other than 100 and 101 (RFC 9110 §15.2). */
  onInform(status: number, headers: HeaderFields): void;
  /** The head of the final response. The body is bytes when all of it has arrived already. */
  onResponse(status: number, protocol: Protocol, headers: HeaderFields, body: Uint8Array | IncomingBody | null): void;
  /** In place of a response: the server has switched, and the bytes are the asker's. `firstBytes` came with the head. */
  onUpgrade(status: number, headers: HeaderFields, socket: Duplex, firstBytes: Uint8Array): void;
  /** There will be no response. A failure after the response is told by its body. */
  onFail(failure: Failure): void;
}

/** Why a client connection ended. */
export type ClientCloseReason =
  | 'peer-closed'
  | 'peer-error'
  | 'keep-alive-off'
  | 'idle-timeout'
  | 'unexpected-bytes'
  | 'invalid-answer'
  | 'answered-early'
  | 'timeout'
  | 'aborted'
  | 'drained'
  | 'closed';

/** One connection to a server, whatever its protocol. */
export interface ClientConnection {
  readonly life: Lifecycle;
  /** It has carried a request before: its peer may have closed it by now without our knowing. */
  readonly reused: boolean;
  /** How many more requests it can carry now: at most one in HTTP/1.1; 0 when it is about to end. */
  readonly availableCount: number;
  /** How long it may stay idle, as its peer has told; `null` when it has not. */
  readonly keepAliveMs: number | null;
  /** Sends a request. Only when it is free. */
  send(request: OutgoingRequest, observer: ResponseObserver): void;
  /** Gives up the exchange of this observer, which hears nothing more; nothing when that is over already. */
  abort(observer: ResponseObserver, failure: Failure): void;
  /** Regularly, to check deadlines. */
  sweep(nowMs: number): void;
  /** Ends it now. The first reason is kept. */
  close(reason: ClientCloseReason): void;
}

/** Who keeps a connection for reuse. */
export interface ClientConnectionOwner {
  /**
   * A request has ended on it, or it can carry more than before. Called before the observer hears of the response, where
   * all of it is here.
   */
  onFree(connection: ClientConnection): void;
  /** It is gone. Called once, after its exchange has failed. */
  onClose(connection: ClientConnection, reason: string): void;
}
