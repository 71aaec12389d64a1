import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { asBuffer } from '../../core/body-source.ts';
import type { Agreement } from './handshake.ts';
import type { WebSocketSettings } from './options.ts';

/** A message may come in this many frames whatever its size … */
const FRAMES_MAX_COUNT = 16_384;
/** … and in one frame for so many of its bytes: more frames than that is somebody who wants our memory. */
const BYTES_PER_FRAME = 32;
/** `ws` keeps lengths in 32 bits. */
const LENGTH_MAX_BYTES = 2 ** 31 - 1;
/** Any key: its answer goes nowhere. */
const KEY = 'AAAAAAAAAAAAAAAAAAAAAA==';

/** Makes a socket that has been agreed on into one of `ws`; `null` when the client has gone already. */
export type Adopt = (socket: Duplex, firstBytes: Uint8Array, agreement: Agreement) => WebSocket | null;

/**
 * The frames are `ws`'s. It only gives its sockets out of `handleUpgrade`, which validates a request and writes the 101;
 * here that has been done (an engine has written the head, or has sent 200 over HTTP/2). So it is given a request made of
 * what was agreed, and what it writes during that call, which is synchronous, is thrown away. Everything else it does is
 * its public interface.
 */
export function adopter(settings: WebSocketSettings): Adopt {
  const { deflate } = settings;
  const maxBytes = Math.min(settings.messageMaxBytes ?? 0, LENGTH_MAX_BYTES);
  const options = {
    noServer: true,
    clientTracking: false,
    maxPayload: maxBytes,
    maxFragments: Math.max(
      FRAMES_MAX_COUNT,
      Math.ceil((maxBytes === 0 ? LENGTH_MAX_BYTES : maxBytes) / BYTES_PER_FRAME),
    ),
    // We have a deadline of our own for the closing handshake, on our own clock.
    closeTimeout: LENGTH_MAX_BYTES,
    perMessageDeflate:
      deflate === null
        ? false
        : {
            threshold: deflate.thresholdBytes,
            concurrencyLimit: deflate.concurrencyMaxCount,
            zlibDeflateOptions: { level: deflate.level, memLevel: deflate.memLevel },
          },
  };
  const server = new WebSocketServer(options);
  return (socket, firstBytes, agreement) => {
    let adopted: WebSocket | null = null;
    muted(socket, () => {
      server.handleUpgrade(agreedRequest(agreement), socket, asBuffer(firstBytes), (webSocket) => {
        adopted = webSocket;
      });
    });
    return adopted;
  };
}

function agreedRequest({ protocol, extensions }: Agreement): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  request.method = 'GET';
  request.headers = { upgrade: 'websocket', 'sec-websocket-key': KEY, 'sec-websocket-version': '13' };
  if (protocol !== null) request.headers['sec-websocket-protocol'] = protocol;
  // What was agreed is the one offer that it can take as it is.
  if (extensions !== null) request.headers['sec-websocket-extensions'] = extensions;
  return request;
}

/** Runs with a socket that takes writes and sends none. */
function muted(socket: Duplex, run: () => void): void {
  Object.defineProperty(socket, 'write', { configurable: true, value: () => true });
  try {
    run();
  } finally {
    Reflect.deleteProperty(socket, 'write');
  }
}
