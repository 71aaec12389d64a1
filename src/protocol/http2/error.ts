/** Error codes of RST_STREAM and GOAWAY (RFC 9113 §7). */
export const ERROR = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  CONNECT_ERROR: 0xa,
  ENHANCE_YOUR_CALM: 0xb,
  INADEQUATE_SECURITY: 0xc,
  HTTP_1_1_REQUIRED: 0xd,
} as const;

export type ErrorName = keyof typeof ERROR;

/** What ends the whole connection (RFC 9113 §5.4.1): the peer gets GOAWAY with this code, and `message` as debug data. */
export class ConnectionError extends Error {
  readonly code: ErrorName;

  constructor(code: ErrorName, message: string) {
    super(message);
    this.code = code;
  }
}

/** What ends one stream (RFC 9113 §5.4.2): the peer gets RST_STREAM with this code. */
export class StreamError extends Error {
  readonly code: ErrorName;

  constructor(code: ErrorName, message: string) {
    super(message);
    this.code = code;
  }
}

/** A malformed message is a stream error (RFC 9113 §8.1.1). */
export const malformed = (what: string): StreamError => new StreamError('PROTOCOL_ERROR', what);

/** The name of a code that came over the wire; unknown ones mean INTERNAL_ERROR (RFC 9113 §7). */
export function errorName(code: number): string {
  const found = Object.entries(ERROR).find(([, value]) => value === code);
  return found === undefined ? `0x${code.toString(16)}` : found[0];
}
