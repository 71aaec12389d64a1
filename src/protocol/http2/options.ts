import { type OptionKind, wholeNumber } from '../../core/option-kind.ts';
import { withDefaults } from '../../core/options.ts';
import { MAX_31_BIT } from './frame.ts';

/** What one HTTP/2 connection allows its peer, beyond the limits that hold for every protocol. */
export interface Http2Options {
  /** Body bytes of all streams together that a peer may send ahead of our WINDOW_UPDATE; 65 535 or more. */
  connectionWindowBytes: number;
  /** The same for one stream: what an unread body may occupy. */
  streamWindowBytes: number;
  /** A window is refilled when this much of it has been used; never more than half of it. */
  windowRefillThresholdBytes: number;
  /** Streams open at once on one connection; one more is REFUSED_STREAM. */
  streamMaxCount: number;
  /** The largest frame payload that is taken: 16 384 to 16 777 215; larger is FRAME_SIZE_ERROR. */
  frameMaxBytes: number;
  /** A header section, counted as RFC 9113 §6.5.2 does (names, values, 32 for each line); larger is 431. */
  headerListMaxBytes: number;
  /** The dynamic table that the peer may use to compress what it sends. */
  headerTableMaxBytes: number;
  /** Streams open at once in the whole process; one more is REFUSED_STREAM. */
  streamTotalMaxCount: number;
}

/** What one end of a connection goes by. */
export interface SessionOptions extends Http2Options {
  /** What the window of a stream may grow to while its reader keeps up; without it none grows. */
  readonly streamWindowMaxBytes?: number;
}

/** The windows that every connection begins with (RFC 9113 §6.9.2). */
export const WINDOW_START_BYTES = 65_535;
export const FRAME_START_BYTES = 16_384;
const FRAME_LIMIT_BYTES = 16_777_215;

export const HTTP2_DEFAULTS: Readonly<Http2Options> = {
  connectionWindowBytes: WINDOW_START_BYTES,
  streamWindowBytes: WINDOW_START_BYTES,
  windowRefillThresholdBytes: 32_768,
  streamMaxCount: 128,
  frameMaxBytes: FRAME_START_BYTES,
  headerListMaxBytes: 16_384,
  headerTableMaxBytes: 4096,
  streamTotalMaxCount: 100_000,
};

/** What each may be. */
export const HTTP2_RANGES: Readonly<Record<keyof Http2Options, readonly [min: number, max: number]>> = {
  connectionWindowBytes: [WINDOW_START_BYTES, MAX_31_BIT],
  streamWindowBytes: [1, MAX_31_BIT],
  windowRefillThresholdBytes: [1, MAX_31_BIT],
  streamMaxCount: [1, MAX_31_BIT],
  frameMaxBytes: [FRAME_START_BYTES, FRAME_LIMIT_BYTES],
  headerListMaxBytes: [1024, MAX_31_BIT],
  headerTableMaxBytes: [0, 1_048_576],
  streamTotalMaxCount: [1, MAX_31_BIT],
};

const inRange = (name: keyof Http2Options): OptionKind => wholeNumber(...HTTP2_RANGES[name]);

const KINDS = {
  connectionWindowBytes: inRange('connectionWindowBytes'),
  streamWindowBytes: inRange('streamWindowBytes'),
  windowRefillThresholdBytes: inRange('windowRefillThresholdBytes'),
  streamMaxCount: inRange('streamMaxCount'),
  frameMaxBytes: inRange('frameMaxBytes'),
  headerListMaxBytes: inRange('headerListMaxBytes'),
  headerTableMaxBytes: inRange('headerTableMaxBytes'),
  streamTotalMaxCount: inRange('streamTotalMaxCount'),
} satisfies Record<keyof Http2Options, OptionKind>;

/** Fills the options up. Throws `TypeError` naming every wrong field. */
export const http2Options = (what: string, given: Partial<Http2Options> | undefined): Http2Options =>
  withDefaults(what, HTTP2_DEFAULTS, given, { kinds: KINDS });

/** The limits of a listener that hold for HTTP/2 requests as well; `null` is off. */
export interface Http2Limits {
  readonly headerMaxCount: number;
  readonly targetMaxBytes: number;
  readonly bodyMaxBytes: number | null;
  readonly headTimeoutMs: number | null;
  readonly idleTimeoutMs: number | null;
  readonly dataRateMinBytesPerSec: number | null;
  readonly writeStallTimeoutMs: number | null;
  readonly requestsPerConnectionMaxCount: number | null;
  readonly handlerTimeoutMs: number | null;
}

/** How long after the first GOAWAY the second one waits for the peer's PING at most. */
export const GOAWAY_PING_MAX_MS = 1000;
/** How long a closing connection still reads, so that its GOAWAY is not lost to a reset. */
export const LINGER_MS = 2000;
/** Bytes that wait for the kernel before no more DATA is written. */
export const OUTPUT_MAX_BYTES = 131_072;
/** Bytes that wait for the kernel before nothing more is read: a peer that takes no answers asks no more. */
export const UNSENT_MAX_BYTES = 1_048_576;
/** Body bytes of one stream that wait for their turn before the source is told to wait. */
export const QUEUED_MAX_BYTES = 65_536;
/** A body up to this size leaves as text, in one string with its frame headers. */
export const COPIED_MAX_BYTES = 4096;
