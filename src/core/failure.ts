/** Who is to blame for a failure. */
export type Blame = 'client' | 'server' | 'upstream';

/**
 * Whether the same request may be sent again (RFC 9110 §9.2.2).
 * `safe`: nothing of it reached an upstream, any method may be repeated. `idempotent`: only idempotent methods.
 */
export type RetryClass = 'never' | 'safe' | 'idempotent';

export interface Fault {
  /** The status a client sees, where an answer is still possible. */
  readonly status: number;
  readonly blame: Blame;
  readonly retry: RetryClass;
  /** One line for people; sent as the body of the answer. */
  readonly what: string;
}

const client = (status: number, what: string): Fault => ({ status, blame: 'client', retry: 'never', what });
const server = (status: number, what: string): Fault => ({ status, blame: 'server', retry: 'never', what });
const upstream = (status: number, retry: RetryClass, what: string): Fault => ({
  status,
  blame: 'upstream',
  retry,
  what,
});

/** Every way to fail. `docs/failures.md` is generated from this table. */
export const FAULTS = {
  'request-line-invalid': client(400, 'The request line is not valid (RFC 9112 §3).'),
  'header-invalid': client(400, 'A header line is not valid (RFC 9112 §5).'),
  'host-invalid': client(400, 'The host header is missing, repeated or not valid (RFC 9112 §3.2).'),
  'target-invalid': client(400, 'The request target is not valid (RFC 9112 §3.2).'),
  'content-length-invalid': client(400, 'The content-length is not valid (RFC 9112 §6.3).'),
  'framing-ambiguous': client(400, 'The length of the body is ambiguous (RFC 9112 §6.3).'),
  'chunk-invalid': client(400, 'The chunked body is not valid (RFC 9112 §7.1).'),
  'body-truncated': client(400, 'The connection ended before the body did.'),
  'body-invalid': client(400, 'The body is not of the form its content-type promises.'),
  'method-refused': client(405, 'This method is not allowed.'),
  'head-timeout': client(408, 'The request head took too long.'),
  'body-timeout': client(408, 'The request body arrived too slowly.'),
  'body-too-large': client(413, 'The request body is too large.'),
  'target-too-long': client(414, 'The request target is too long.'),
  'expectation-failed': client(417, 'The expectation cannot be met (RFC 9110 §10.1.1).'),
  'rate-limited': client(429, 'Too many requests (RFC 6585 §4).'),
  'head-too-large': client(431, 'The request head is too large.'),
  'header-count-exceeded': client(431, 'The request has too many header lines.'),
  'client-gone': client(499, 'The client closed the connection before the answer.'),
  'handler-failed': server(500, 'The server failed to answer.'),
  'response-invalid': server(500, 'The server made an answer that cannot be sent.'),
  'method-unsupported': server(501, 'This method is not supported here.'),
  'transfer-coding-unknown': server(501, 'The transfer coding is not supported (RFC 9112 §6.1).'),
  'upgrade-unsupported': server(501, 'Upgrading the connection is not supported on this route.'),
  'connection-budget-exceeded': server(503, 'Too many connections.'),
  'peer-budget-exceeded': server(503, 'Too many connections from this address.'),
  'request-budget-exceeded': server(503, 'Too many requests in flight.'),
  overloaded: server(503, 'The server has too much to do.'),
  'server-draining': server(503, 'The server is shutting down.'),
  'handler-timeout': server(504, 'The server took too long to answer.'),
  'version-unsupported': server(505, 'The HTTP version is not supported.'),
  'proxy-loop': server(508, 'This request has passed through this proxy before.'),
  'upstream-connect': upstream(502, 'safe', 'The upstream could not be reached.'),
  'upstream-connect-timeout': upstream(504, 'safe', 'The upstream could not be reached in time.'),
  /** Why is in the failure's cause, which is for logs. */
  'upstream-tls': upstream(502, 'safe', 'No secure connection to the upstream could be made.'),
  /** A reused connection that ended before any byte of the answer: the upstream may or may not have seen the request. */
  'upstream-stale': upstream(502, 'idempotent', 'The upstream closed a reused connection before it answered.'),
  'upstream-reset': upstream(502, 'idempotent', 'The upstream closed the connection before it answered.'),
  'upstream-truncated': upstream(502, 'never', 'The upstream closed the connection in the middle of its answer.'),
  /** REFUSED_STREAM, or a stream above the last one that GOAWAY names (RFC 9113 §8.7). */
  'upstream-refused': upstream(502, 'safe', 'The upstream did not take the request.'),
  'upstream-invalid': upstream(502, 'never', 'The upstream sent an answer that is not valid HTTP.'),
  'upstream-head-timeout': upstream(504, 'idempotent', 'The upstream took too long to answer.'),
  'upstream-body-timeout': upstream(504, 'never', 'The upstream stopped sending in the middle of its answer.'),
  'upstream-deadline': upstream(504, 'never', 'There was no time left for an answer.'),
  'upstream-unavailable': upstream(503, 'safe', 'No server of the upstream takes requests now.'),
  'upstream-queue-full': upstream(503, 'safe', 'Too many requests wait for the upstream.'),
  'upstream-queue-timeout': upstream(503, 'safe', 'No connection to the upstream was free in time.'),
  'upstream-closed': upstream(503, 'safe', 'The upstream takes no requests any more.'),
} as const satisfies Record<string, Fault>;

export type FaultCode = keyof typeof FAULTS;

/** The one error class Sluice throws while it serves; `code` is stable and listed in docs/failures.md. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: FaultCode;

  constructor(code: FaultCode, detail?: string, options?: ErrorOptions) {
    super(detail === undefined ? FAULTS[code].what : `${FAULTS[code].what} ${detail}`, options);
    this.code = code;
  }

  get status(): number {
    return FAULTS[this.code].status;
  }

  get blame(): Blame {
    return FAULTS[this.code].blame;
  }

  get retry(): RetryClass {
    return FAULTS[this.code].retry;
  }
}
