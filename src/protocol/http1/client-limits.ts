/** What one HTTP/1.1 connection to a server allows its peer. `null` is off. */
export interface Http1ClientLimits {
  /** Status line and header lines together; more is `upstream-invalid`. */
  headMaxBytes: number;
  /** Header lines in a head; more is `upstream-invalid`. */
  headerMaxCount: number;
  /** Request sent to head of the answer. Informational responses and a drip do not restart it. */
  headTimeoutMs: number | null;
  /** Between two bytes of an answer's body, and while the peer takes none of the request's. Not while our reader is the slow one. */
  bodyTimeoutMs: number | null;
  /** How long a body waits for `100 Continue`: not every server knows the expectation (RFC 9110 §10.1.1). */
  continueTimeoutMs: number;
}

export const HTTP1_CLIENT_DEFAULTS: Readonly<Http1ClientLimits> = {
  headMaxBytes: 65_536,
  headerMaxCount: 200,
  headTimeoutMs: 60_000,
  bodyTimeoutMs: 60_000,
  continueTimeoutMs: 1000,
};
