/** What one HTTP/1.1 connection allows its peer. All belong to a listener (`limits:`); `null` is off. */
export interface Http1Limits {
  /** First byte of the request line to the empty line, both included; over it is 431 (RFC 6585 §5). */
  headMaxBytes: number;
  /** Header lines in a head; over it is 431. */
  headerMaxCount: number;
  /** Request target; over it is 414. */
  targetMaxBytes: number;
  /** Request body; over it is 413, before reading where the length says so. A proxied route streams and has no limit. */
  bodyMaxBytes: number | null;
  /** First byte to end of head. A drip does not restart it; over it is 408. */
  headTimeoutMs: number | null;
  /** Idle time before the first and between two requests (RFC 9112 §9.5); over it is a silent close. */
  idleTimeoutMs: number | null;
  /** The least a peer must send while a head or body is being read, averaged, after the first three seconds; below is 408. */
  dataRateMinBytesPerSec: number | null;
  /** A peer that takes no byte of an answer for this long is cut off. */
  writeStallTimeoutMs: number | null;
  /** The last request a connection may carry is answered with `connection: close`. */
  requestsPerConnectionMaxCount: number | null;
  /** From head to answer; over it is 504 and the request's signal aborts. */
  handlerTimeoutMs: number | null;
}

export const HTTP1_DEFAULTS: Readonly<Http1Limits> = {
  headMaxBytes: 16_384,
  headerMaxCount: 100,
  targetMaxBytes: 8192,
  bodyMaxBytes: 10_485_760,
  headTimeoutMs: 30_000,
  idleTimeoutMs: 60_000,
  dataRateMinBytesPerSec: 100,
  writeStallTimeoutMs: 30_000,
  requestsPerConnectionMaxCount: null,
  handlerTimeoutMs: null,
};

/** The limits that `null` turns off, besides those that are off by default. */
export const HTTP1_OFFABLE = [
  'bodyMaxBytes',
  'headTimeoutMs',
  'idleTimeoutMs',
  'dataRateMinBytesPerSec',
  'writeStallTimeoutMs',
] as const satisfies readonly (keyof Http1Limits)[];

/** Bytes of chunk extensions in one body: they mean nothing to anybody, so a flood of them is an attack. */
export const CHUNK_EXTENSION_MAX_BYTES = 4096;
/** Unread body bytes that are thrown away to keep a connection; more, and it is closed after the answer. */
export const DISCARD_MAX_BYTES = 262_144;
/** How long a closing connection still reads, so that the last answer is not lost to a reset (RFC 9112 §9.6). */
export const LINGER_MS = 2000;
/** Body bytes that wait for a reader before the socket is paused. */
export const READ_AHEAD_MAX_BYTES = 65_536;
/** The write after a probe meets the reset that the probe has provoked. */
export const PROBE_ECHO_MS = 250;
/** A client that has shut its sending side while a request runs is probed after this long, twice as long, and so on. */
export const HALF_CLOSE_PROBE_MS = 1000;
/** While a client leaves this much of its answers untaken, its next request waits. */
export const UNSENT_MAX_BYTES = 262_144;
