import type { Duplex } from 'node:stream';
import type { Handler } from '../../core/handler.ts';
import type { DrainNotice, HttpResponse } from '../../core/message.ts';
import type { HttpRequest } from '../../core/request.ts';
import { type Adopt, adopter } from './adopt.ts';
import { type Agreement, shakeHands } from './handshake.ts';
import { KeepAlive } from './keep-alive.ts';
import { type WebSocketOptions, type WebSocketSettings, websocketSettings } from './options.ts';
import { WebSocketSession } from './session.ts';
import type { ServerWebSocket } from './socket.ts';

/**
 * Called with each WebSocket that is opened, and the request that opened it. A throw or a rejection closes it with 1011
 * and is published as the event `request:error`.
 */
export type WebSocketHandler = (socket: ServerWebSocket, request: HttpRequest) => void | Promise<void>;

/**
 * A handler that opens WebSockets (RFC 6455), over HTTP/1.1 and HTTP/2 (RFC 8441), and refuses what is no request for
 * one. Throws `TypeError` on wrong options.
 */
export function websocket(handler: WebSocketHandler, options?: Partial<WebSocketOptions>): Handler {
  if (typeof handler !== 'function') throw new TypeError('websocket: the handler is not a function');
  const endpoint = new Endpoint(handler, websocketSettings(options));
  const handle = (request: HttpRequest): HttpResponse => endpoint.answer(request);
  return Object.assign(handle, { bodyMode: 'manual' } as const);
}

/** Where WebSockets are opened, and what they share. */
class Endpoint {
  private readonly handler: WebSocketHandler;
  private readonly settings: WebSocketSettings;
  private readonly adopt: Adopt;
  private readonly keepAlive: KeepAlive;

  constructor(handler: WebSocketHandler, settings: WebSocketSettings) {
    this.handler = handler;
    this.settings = settings;
    this.adopt = adopter(settings);
    this.keepAlive = new KeepAlive(settings);
  }

  answer(request: HttpRequest): HttpResponse {
    const result = shakeHands(request, this.settings);
    if ('refusal' in result) return result.refusal;
    const { agreement, headers } = result;
    let session: WebSocketSession | null = null;
    /** A drain that began before the socket was ours. */
    let notice: DrainNotice | null = null;
    return {
      status: 101,
      headers,
      takeover: (transport, firstBytes) => {
        session = this.open(transport, firstBytes, agreement, request);
        if (session !== null && notice !== null) session.drain(notice);
      },
      onDrain: (drain) => {
        notice = drain;
        session?.drain(drain);
      },
    };
  }

  /** `null` when the client has gone already. */
  private open(
    transport: Duplex,
    firstBytes: Uint8Array,
    agreement: Agreement,
    request: HttpRequest,
  ): WebSocketSession | null {
    const webSocket = this.adopt(transport, firstBytes, agreement);
    if (webSocket === null) {
      transport.destroy();
      return null;
    }
    const { keepAlive } = this;
    const session = new WebSocketSession(webSocket, transport, request, this.settings);
    keepAlive.add(session);
    session.onClose(() => keepAlive.delete(session));
    this.run(session, request);
    return session;
  }

  private run(session: WebSocketSession, request: HttpRequest): void {
    try {
      const done = this.handler(session, request);
      if (done instanceof Promise) {
        done.then(
          () => session.settled(),
          (error: unknown) => session.fail(error),
        );
      } else session.settled();
    } catch (error) {
      session.fail(error);
    }
  }
}
