import { HTTP2_DEFAULTS, type SessionOptions } from './options.ts';

/** What one HTTP/2 connection to a server allows its peer, beyond `Http2Options`. `null` is off. */
export interface Http2ClientLimits {
  /** Header lines in a head; more is `upstream-invalid`. */
  headerMaxCount: number;
  /** Request sent to head of the answer. Informational responses and a drip do not restart it. */
  headTimeoutMs: number | null;
  /** Between two bytes of an answer's body, and while the peer takes none of the request's. Not while our reader is the slow one. */
  bodyTimeoutMs: number | null;
  /** How long a body waits for `100 Continue`: not every server knows the expectation (RFC 9110 §10.1.1). */
  continueTimeoutMs: number;
  /** When a request has timed out, the server is asked by PING whether it is still there; this long it may stay silent. */
  pingTimeoutMs: number;
}

export const HTTP2_CLIENT_DEFAULTS: Readonly<Http2ClientLimits> = {
  headerMaxCount: 200,
  headTimeoutMs: 60_000,
  bodyTimeoutMs: 60_000,
  continueTimeoutMs: 1000,
  pingTimeoutMs: 5000,
};

/**
 * What we allow servers. With the windows that the RFC begins with, one answer over a way of 10 ms gets 6 MB/s; with
 * what these grow to it gets 50. A window is also what an answer may occupy here while its reader is slow, so it grows
 * only as it is read.
 */
export const HTTP2_CLIENT_OPTIONS: Readonly<SessionOptions> = {
  ...HTTP2_DEFAULTS,
  connectionWindowBytes: 4_194_304,
  streamWindowMaxBytes: 524_288,
  windowRefillThresholdBytes: 131_072,
  headerListMaxBytes: 65_536,
};
