import type { CloseReason } from '../../core/runner.ts';
import type { Http1Exchange } from './exchange.ts';
import type { Intake } from './intake.ts';

/** How things stand as an answer is about to be sent. */
export interface Persistence {
  readonly draining: boolean;
  /** Bytes of a next request are here already. */
  readonly more: boolean;
  /** The answer's body is the request's. */
  readonly echoes: boolean;
}

/** Whether the connection stays open after this answer, as its head must say (RFC 9112 §9.3). */
export function mayPersist(exchange: Http1Exchange, intake: Intake, { draining, more, echoes }: Persistence): boolean {
  if (!exchange.keepAlive || exchange.last || intake.broken || (intake.ended && !more)) return false;
  // The client of a tunnel that is not opened may have sent its bytes already.
  if (exchange.head.method === 'CONNECT') return false;
  // A request that is here already is answered too, even in a drain; the last answer says close.
  if (draining && !more) return false;
  const { body } = exchange;
  const read = body === null || echoes || (body.used && body.failure === null);
  return read || !intake.inBody || (!exchange.expectsContinue && intake.discardable);
}

/** Why a connection ends after an answer that has said so. */
export function lastReason(exchange: Http1Exchange, intake: Intake, draining: boolean): CloseReason {
  if (draining) return 'drained-answered';
  if (intake.broken) return 'bad-request';
  return exchange.keepAlive && exchange.last ? 'requests-exhausted' : 'keep-alive-off';
}
