import { ConnectionError } from './error.ts';
import { MAX_31_BIT, settingsFrame, windowUpdateFrame } from './frame.ts';
import { FRAME_START_BYTES, type Http2Options, WINDOW_START_BYTES } from './options.ts';

/** Settings (RFC 9113 §6.5.2; RFC 8441 §3; RFC 9218 §2.1). */
const SETTING = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
  ENABLE_CONNECT_PROTOCOL: 0x8,
  NO_RFC7540_PRIORITIES: 0x9,
} as const;

const ENTRY_BYTES = 6;
const HEADER_TABLE_START_BYTES = 4096;

/** What the peer has announced that it takes. */
export class PeerSettings {
  headerTableBytes = HEADER_TABLE_START_BYTES;
  /** Streams that we may have open at once. */
  streamMaxCount = MAX_31_BIT;
  /** What every stream begins with. */
  streamWindowBytes = WINDOW_START_BYTES;
  frameMaxBytes = FRAME_START_BYTES;
  /** Extended CONNECT is understood (RFC 8441). */
  connectProtocol = false;

  /** Takes the payload of a SETTINGS frame. Throws the ConnectionError that a wrong value is. */
  apply(bytes: Buffer, start: number, end: number, fromServer: boolean): void {
    if ((end - start) % ENTRY_BYTES !== 0) {
      throw new ConnectionError('FRAME_SIZE_ERROR', 'SETTINGS are six octets each');
    }
    for (let at = start; at < end; at += ENTRY_BYTES) {
      this.set(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2), fromServer);
    }
  }

  private set(id: number, value: number, fromServer: boolean): void {
    switch (id) {
      case SETTING.HEADER_TABLE_SIZE:
        this.headerTableBytes = value;
        break;
      case SETTING.ENABLE_PUSH:
        checkFlag('ENABLE_PUSH', value);
        if (fromServer && value === 1) throw new ConnectionError('PROTOCOL_ERROR', 'a server enables push');
        break;
      case SETTING.MAX_CONCURRENT_STREAMS:
        this.streamMaxCount = value;
        break;
      case SETTING.INITIAL_WINDOW_SIZE:
        if (value > MAX_31_BIT) throw new ConnectionError('FLOW_CONTROL_ERROR', 'INITIAL_WINDOW_SIZE is too large');
        this.streamWindowBytes = value;
        break;
      case SETTING.MAX_FRAME_SIZE:
        if (value < FRAME_START_BYTES || value > 16_777_215) {
          throw new ConnectionError('PROTOCOL_ERROR', 'MAX_FRAME_SIZE is out of its range');
        }
        this.frameMaxBytes = value;
        break;
      case SETTING.ENABLE_CONNECT_PROTOCOL:
        checkFlag('ENABLE_CONNECT_PROTOCOL', value);
        if (this.connectProtocol && value === 0) {
          throw new ConnectionError('PROTOCOL_ERROR', 'ENABLE_CONNECT_PROTOCOL is taken back');
        }
        this.connectProtocol = value === 1;
        break;
      case SETTING.NO_RFC7540_PRIORITIES:
        checkFlag('NO_RFC7540_PRIORITIES', value);
        break;
      default: // Unknown ones mean nothing (RFC 9113 §6.5.2); MAX_HEADER_LIST_SIZE is a piece of advice.
    }
  }
}

function checkFlag(name: string, value: number): void {
  if (value > 1) throw new ConnectionError('PROTOCOL_ERROR', `${name} is neither 0 nor 1`);
}

/**
 * The first words of either side: SETTINGS with what differs from the start values, and the connection's window where it
 * is larger than every connection's, which SETTINGS cannot say (RFC 9113 §6.9.2).
 */
export function firstSettings(options: Http2Options, isServer: boolean): string {
  const settings: [number, number][] = [[SETTING.MAX_HEADER_LIST_SIZE, options.headerListMaxBytes]];
  if (isServer) {
    settings.push([SETTING.MAX_CONCURRENT_STREAMS, options.streamMaxCount]);
    settings.push([SETTING.ENABLE_CONNECT_PROTOCOL, 1], [SETTING.NO_RFC7540_PRIORITIES, 1]);
  } else settings.push([SETTING.ENABLE_PUSH, 0]);
  if (options.streamWindowBytes !== WINDOW_START_BYTES) {
    settings.push([SETTING.INITIAL_WINDOW_SIZE, options.streamWindowBytes]);
  }
  if (options.frameMaxBytes !== FRAME_START_BYTES) settings.push([SETTING.MAX_FRAME_SIZE, options.frameMaxBytes]);
  if (options.headerTableMaxBytes !== HEADER_TABLE_START_BYTES) {
    settings.push([SETTING.HEADER_TABLE_SIZE, options.headerTableMaxBytes]);
  }
  const moreBytes = options.connectionWindowBytes - WINDOW_START_BYTES;
  return settingsFrame(settings) + (moreBytes > 0 ? windowUpdateFrame(0, moreBytes) : '');
}
