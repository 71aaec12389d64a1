import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { reportFailure } from '../../core/answer.ts';
import type { DrainNotice } from '../../core/message.ts';
import type { HttpRequest } from '../../core/request.ts';
import { Inbox, type MessageListener, type WebSocketMessage } from './inbox.ts';
import type { Watched } from './keep-alive.ts';
import type { WebSocketSettings } from './options.ts';
import type { ServerWebSocket, WebSocketEnd } from './socket.ts';
import { TextGuard } from './text-guard.ts';

/** Close codes (RFC 6455 §7.4.1). */
const GOING_AWAY = 1001;
const NO_TEXT = 1007;
const TOO_BIG = 1009;
const INTERNAL_ERROR = 1011;

/** With more than this on its way, who sends should wait. */
const HIGH_WATER_BYTES = 65_536;
/** The most of a drain's grace that is kept for the closing handshake. */
const CLOSING_MAX_MS = 2000;
const OPEN = 1;

/** A WebSocket, as its handler and its endpoint see it. */
export class WebSocketSession implements ServerWebSocket, Watched {
  readonly request: HttpRequest;
  readonly protocol: string | null;
  private readonly settings: WebSocketSettings;
  private readonly webSocket: WebSocket;
  private readonly inbox: Inbox;
  private paused = false;
  private heard = false;
  private active = false;
  private ended: WebSocketEnd | null = null;
  private room: PromiseWithResolvers<void> | null = null;
  private closeListeners: ((end: WebSocketEnd) => void)[] = [];
  private drainListeners: ((drain: DrainNotice) => void)[] = [];
  /** When a drain's grace ends, on the clock. */
  private graceEndsMs: number | null = null;
  private readonly onSent = (): void => this.sent();

  /** Begins: from now on messages come. `transport` carries the frames of `webSocket`. */
  constructor(webSocket: WebSocket, transport: Duplex, request: HttpRequest, settings: WebSocketSettings) {
    this.request = request;
    this.protocol = webSocket.protocol === '' ? null : webSocket.protocol;
    this.settings = settings;
    this.webSocket = webSocket;
    this.inbox = new Inbox({
      setPaused: (paused) => this.setPaused(paused),
      failed: (error) => this.fail(error),
    });
    webSocket.on('message', (data, isBinary) => {
      if (!(data instanceof Buffer)) return;
      this.active = true;
      this.inbox.push(isBinary ? data : data.toString());
    });
    // What is wrong with a client's frames is told to the client, as a Close; here only the end matters.
    webSocket.on('error', () => undefined);
    webSocket.on('close', (code, reason) => this.end({ code, reason: reason.toString() }));
    this.lookAt(transport, settings.frameMaxBytes);
  }

  get open(): boolean {
    return this.webSocket.readyState === OPEN;
  }

  get bufferedBytes(): number {
    return this.webSocket.bufferedAmount;
  }

  send(message: string | Uint8Array): boolean {
    const { sendBufferMaxBytes } = this.settings;
    if (!this.open) return false;
    if (sendBufferMaxBytes !== null && this.bufferedBytes > sendBufferMaxBytes) {
      this.cut();
      return false;
    }
    this.active = true;
    this.webSocket.send(message, { binary: typeof message !== 'string' }, this.onSent);
    return this.bufferedBytes < HIGH_WATER_BYTES;
  }

  ready(): Promise<void> {
    if (!this.open || this.bufferedBytes < HIGH_WATER_BYTES) return Promise.resolve();
    this.room ??= Promise.withResolvers();
    return this.room.promise;
  }

  onMessage(listener: MessageListener): void {
    this.inbox.listen(listener);
  }

  [Symbol.asyncIterator](): AsyncGenerator<WebSocketMessage, void, undefined> {
    return this.inbox.loop();
  }

  onClose(listener: (end: WebSocketEnd) => void): void {
    if (this.ended === null) this.closeListeners.push(listener);
    else listener(this.ended);
  }

  onDrain(listener: (drain: DrainNotice) => void): void {
    const { graceEndsMs } = this;
    if (graceEndsMs === null) this.drainListeners.push(listener);
    else listener({ graceMs: Math.max(0, graceEndsMs - this.settings.clock.now()) });
  }

  close(code = 1000, reason = ''): void {
    this.webSocket.close(code, reason);
    this.inbox.end();
    // The client's own Close can only be read from a socket that flows.
    this.setPaused(false);
  }

  cut(): void {
    this.webSocket.terminate();
  }

  // ── for the endpoint ────────────────────────────────────────────────────────────────────────────────────────────

  /** A drain has begun. */
  drain({ graceMs }: DrainNotice): void {
    if (this.graceEndsMs !== null || this.ended !== null) return;
    const { clock } = this.settings;
    this.graceEndsMs = clock.now() + graceMs;
    const listeners = this.drainListeners;
    this.drainListeners = [];
    if (listeners.length === 0) {
      this.close(GOING_AWAY);
      return;
    }
    const timer = clock.after(Math.max(graceMs - CLOSING_MAX_MS, graceMs / 2), () => this.close(GOING_AWAY));
    this.onClose(() => timer.cancel());
    for (const listener of listeners) this.guard(() => listener({ graceMs }));
  }

  /** The handler is done; messages that nobody takes by now are not kept. */
  settled(): void {
    this.inbox.giveUp();
  }

  /** Something of ours has failed: the client is told with 1011, and the operator what it was. */
  fail(error: unknown): void {
    reportFailure(error, this.request);
    if (this.open) this.close(INTERNAL_ERROR);
  }

  get closing(): boolean {
    return !this.open;
  }

  takeHeard(): boolean {
    // Who is held back by us cannot be heard.
    const heard = this.heard || this.paused;
    this.heard = false;
    return heard;
  }

  takeActive(): boolean {
    const { active } = this;
    this.active = false;
    return active;
  }

  ping(): void {
    this.webSocket.ping();
  }

  idle(): void {
    this.close(GOING_AWAY, 'idle');
  }

  /** Looks at the bytes that come, too: that some do, how long frames are, and at text before it is complete. */
  private lookAt(transport: Duplex, frameMaxBytes: number | null): void {
    const guard = new TextGuard();
    transport.prependListener('data', (bytes: Buffer) => {
      this.heard = true;
      if (!this.open) return;
      guard.take(bytes);
      if (frameMaxBytes !== null && guard.longestPayloadBytes > frameMaxBytes) this.close(TOO_BIG);
    });
    // After `ws`, so that the messages before it have been delivered.
    transport.on('data', () => {
      if (guard.broken && this.open) this.close(NO_TEXT);
    });
  }

  private sent(): void {
    if (this.room === null || this.bufferedBytes >= HIGH_WATER_BYTES) return;
    this.room.resolve();
    this.room = null;
  }

  private setPaused(paused: boolean): void {
    if (paused === this.paused) return;
    this.paused = paused;
    if (paused) this.webSocket.pause();
    else this.webSocket.resume();
  }

  private guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.fail(error);
    }
  }

  private end(end: WebSocketEnd): void {
    this.ended = end;
    this.inbox.end();
    this.room?.resolve();
    this.room = null;
    const listeners = this.closeListeners;
    this.closeListeners = [];
    for (const listener of listeners) this.guard(() => listener(end));
  }
}
