import { IncomingBody } from '../core/body.ts';
import type { Failure, FaultCode } from '../core/failure.ts';

/** Methods that may be sent twice and mean the same (RFC 9110 §9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/**
 * A reused connection that ended before any byte of the answer is the ordinary race with the upstream's idle timeout:
 * the request was most likely never seen. One that the upstream has refused surely was not.
 */
const RETRIED: ReadonlySet<FaultCode> = new Set(['upstream-stale', 'upstream-refused']);

/** What must be known of a request to send it again. */
export interface Attempted {
  readonly method: string;
  readonly body: Uint8Array | IncomingBody | null;
  /** How often it has been sent again already. */
  readonly retryCount: number;
}

/** Whether a request that failed is sent once more. */
export function mayRetry(failure: Failure, { body, method, retryCount }: Attempted): boolean {
  if (!RETRIED.has(failure.code) || retryCount > 0) return false;
  // What has been read from the client is gone.
  const replayable = !(body instanceof IncomingBody && body.used);
  return replayable && (failure.retry === 'safe' || (failure.retry === 'idempotent' && IDEMPOTENT.has(method)));
}
