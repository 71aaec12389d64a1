import { type Clock, systemClock } from '../../core/clock.ts';
import {
  either,
  flag,
  functionOr,
  isObject,
  listOf,
  matching,
  oneOf,
  token,
  wholeNumber,
} from '../../core/option-kind.ts';
import { type OptionRules, part, withDefaults } from '../../core/options.ts';
import type { HttpRequest } from '../../core/request.ts';

/** Compression of messages (RFC 7692). Each socket that agrees on it costs up to about 300 KiB with the widest window. */
export interface DeflateOptions {
  /** Shorter messages are sent as they are. */
  thresholdBytes: number;
  /** The widest window we compress with, and ask of clients that can narrow theirs: 9 to 15, as powers of two. */
  windowBits: number;
  /** What zlib keeps for finding repeats: 1 to 9. */
  memLevel: number;
  /** How hard zlib tries: 1 to 9. */
  level: number;
  /**
   * Whether a message may refer to the ones before it, in both directions. Smaller on the wire; the memory of both windows
   * is then kept for as long as the socket lives.
   */
  contextTakeover: boolean;
  /** Compressions that run at a time, in the whole process; the first endpoint that compresses sets it. */
  concurrencyMaxCount: number;
}

/** Which of the offered sub-protocols to speak; `null` for none of them. */
export type ProtocolChoice = (offered: readonly string[], request: HttpRequest) => string | null;

/** How an endpoint speaks WebSocket (RFC 6455). */
export interface WebSocketOptions {
  /** A longer message, after decompression, is answered with Close 1009. `null` is no limit. */
  messageMaxBytes: number | null;
  /** A longer frame is answered with Close 1009. `null`: only the message counts. */
  frameMaxBytes: number | null;
  /** A client that leaves more than this unread, before the next message is sent, is cut off. */
  sendBufferMaxBytes: number | null;
  /** After this long without a byte from the client it gets a ping; after as long again it is cut off. */
  pingIntervalMs: number | null;
  /** Close 1001 after this long without a message in either direction; pings are none. */
  idleTimeoutMs: number | null;
  /** How long a client has to answer a Close before it is cut off. */
  closeTimeoutMs: number;
  /** Compression, for clients that offer it. */
  deflate: boolean | Partial<DeflateOptions>;
  /** Sub-protocols we speak: the first of the client's that is among them is chosen. Or a function that chooses. */
  protocols: readonly string[] | ProtocolChoice;
  /**
   * The pages that may connect; others are answered 403. `same`: those from the host and port asked for. A list:
   * `https://example.com`. `null`: any. Clients that are no browsers send no origin, and may always connect.
   */
  origins: 'same' | readonly string[] | null;
  clock: Clock;
}

const WEBSOCKET_DEFAULTS: Readonly<WebSocketOptions> = {
  messageMaxBytes: 1_048_576,
  frameMaxBytes: null,
  sendBufferMaxBytes: 16_777_216,
  pingIntervalMs: 30_000,
  idleTimeoutMs: null,
  closeTimeoutMs: 10_000,
  deflate: false,
  protocols: [],
  origins: 'same',
  clock: systemClock,
};

const DEFLATE_DEFAULTS: Readonly<DeflateOptions> = {
  thresholdBytes: 1024,
  windowBits: 15,
  memLevel: 8,
  level: 6,
  contextTakeover: false,
  concurrencyMaxCount: 10,
};

/** The options of an endpoint, checked. */
export interface WebSocketSettings extends Omit<WebSocketOptions, 'deflate'> {
  readonly deflate: DeflateOptions | null;
}

const DEFLATE_KINDS = { windowBits: wholeNumber(9, 15), memLevel: wholeNumber(1, 9), level: wholeNumber(1, 9) };

const deflateSettings = (given: Partial<DeflateOptions>): DeflateOptions =>
  withDefaults('deflate', DEFLATE_DEFAULTS, given, { kinds: DEFLATE_KINDS });

const originList = listOf(matching('an origin such as https://example.com', /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+$/i));

const RULES: OptionRules<WebSocketOptions> = {
  offable: ['messageMaxBytes', 'sendBufferMaxBytes', 'pingIntervalMs', 'origins'],
  kinds: {
    messageMaxBytes: wholeNumber(1, Number.MAX_SAFE_INTEGER),
    deflate: either(isObject, part(deflateSettings), flag),
    protocols: functionOr(listOf(token('a name of a protocol'), 'a list of protocols')),
    origins: either(Array.isArray, originList, oneOf(['same'], 'a list of origins')),
  },
};

/** Fills options up. Throws `TypeError` naming every wrong field. */
export function websocketSettings(given: Partial<WebSocketOptions> | undefined): WebSocketSettings {
  const { deflate, origins, ...options } = withDefaults('websocket', WEBSOCKET_DEFAULTS, given, RULES);
  return {
    ...options,
    origins: origins === null || origins === 'same' ? origins : origins.map((origin) => origin.toLowerCase()),
    deflate: deflate === false ? null : deflateSettings(deflate === true ? {} : deflate),
  };
}
