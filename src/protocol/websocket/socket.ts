import type { DrainNotice } from '../../core/message.ts';
import type { HttpRequest } from '../../core/request.ts';
import type { MessageListener, WebSocketMessage } from './inbox.ts';

/** How a WebSocket ended. */
export interface WebSocketEnd {
  /** The client's (RFC 6455 §7.4); 1005 when it gave none, 1006 when the connection ended without a Close. */
  readonly code: number;
  readonly reason: string;
}

/**
 * One WebSocket, on the server's side. Messages are taken with `onMessage` or in a loop (`for await (… of socket)`);
 * those that come before somebody takes them are kept until the handler has returned, and its promise has settled.
 */
export interface ServerWebSocket extends AsyncIterable<WebSocketMessage> {
  /** The request that opened it. */
  readonly request: HttpRequest;
  /** The sub-protocol that was chosen, or `null`. */
  readonly protocol: string | null;
  /** Neither side has said Close. */
  readonly open: boolean;
  /** Bytes that were sent and the kernel has not taken yet. */
  readonly bufferedBytes: number;

  /**
   * Sends text, or bytes as a binary message. `false`: the client is slow, wait for `ready()` before the next one. A
   * client that leaves more than `sendBufferMaxBytes` unread is cut off. Does nothing once the socket closes.
   */
  send(message: string | Uint8Array): boolean;

  /** Resolves when there is room for another message, at once where there is; also when the socket has closed. */
  ready(): Promise<void>;

  /**
   * Takes the messages. A listener that returns a promise gets the next message when that has settled. A throw or a
   * rejection closes the socket with 1011. Throws `TypeError` when somebody takes them already.
   */
  onMessage(listener: MessageListener): void;

  /** The messages until the socket closes; the client is held back while they are not taken. */
  [Symbol.asyncIterator](): AsyncGenerator<WebSocketMessage, void, undefined>;

  /** Calls `listener` once, when the socket has closed. */
  onClose(listener: (end: WebSocketEnd) => void): void;

  /**
   * Calls `listener` when a drain begins: say goodbye and `close()` within `graceMs`. A socket that has not, is closed
   * with 1001 shortly before; one without a listener at once.
   */
  onDrain(listener: (drain: DrainNotice) => void): void;

  /**
   * Begins the closing handshake; messages that still come are dropped. 1000 without arguments. Throws on codes that
   * must not be sent, and on a reason of more than 123 bytes (RFC 6455 §5.5).
   */
  close(code?: number, reason?: string): void;

  /** Ends the connection now, without a word. */
  cut(): void;
}
