import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Clock, ClockTimer } from '../core/clock.ts';
import { Relay } from './relay.ts';

/** How a tunnel is kept. */
export interface TunnelOptions {
  /** A tunnel through which no byte goes, in either direction, for this long is cut off. `null`: never. */
  tunnelIdleTimeoutMs: number | null;
  /**
   * In a drain, WebSockets are closed with 1001 towards both sides, as soon as no message is in the way. Their frames are
   * followed for that from the beginning. Otherwise they go on until the drain's `streamGraceMs` is over.
   */
  drainClose: boolean;
  clock: Clock;
}

const SWEEP_MAX_MS = 15_000;
/** Close with 1001, "going away" (RFC 6455 §7.4.1), as a server sends it. */
const CLOSE_TO_CLIENT = Uint8Array.of(0x88, 2, 0x03, 0xe9);

/** The same from a client, whose frames are masked with a key nobody can foresee (RFC 6455 §5.3). */
function closeToServer(): Uint8Array {
  const [a = 0, b = 0, c = 0, d = 0] = randomBytes(4);
  return Uint8Array.of(0x88, 0x82, a, b, c, d, 0x03 ^ a, 0xe9 ^ b);
}

/**
 * The bytes between a client and an upstream once they speak no HTTP any more: both directions, each with backpressure
 * and an end of its own. When one side is gone, so is the other.
 */
export class Tunnel {
  private readonly client: Duplex;
  private readonly upstream: Duplex;
  private readonly up: Relay;
  private readonly down: Relay;
  private readonly framed: boolean;
  private active = false;
  private timer: ClockTimer | null = null;

  /**
   * `early` is what the client has sent, and `firstBytes` what the upstream has, before the tunnel began. `framed`: what
   * passes are WebSocket frames.
   */
  constructor(
    client: Duplex,
    early: Uint8Array,
    upstream: Duplex,
    firstBytes: Uint8Array,
    framed: boolean,
    options: TunnelOptions,
  ) {
    this.client = client;
    this.upstream = upstream;
    this.framed = framed && options.drainClose;
    const owner = {
      passed: () => {
        this.active = true;
      },
      // Its part is done, and so is ours towards it.
      closeSeen: ({ from }: Relay) => void from.end(),
    };
    this.down = new Relay(upstream, client, firstBytes, this.framed, owner);
    this.up = new Relay(client, upstream, early, this.framed, owner);
    this.follow(client, upstream);
    this.follow(upstream, client);
    if (options.tunnelIdleTimeoutMs !== null) this.watch(options.tunnelIdleTimeoutMs, options.clock);
  }

  /** A drain has begun. What is not known to be a WebSocket goes on until it is cut off. */
  drain(): void {
    if (!this.framed) return;
    this.down.sayClose(CLOSE_TO_CLIENT);
    this.up.sayClose(closeToServer());
  }

  private follow(gone: Duplex, other: Duplex): void {
    gone.on('error', () => undefined);
    gone.on('close', () => {
      if (other.destroyed) {
        this.timer?.cancel();
        return;
      }
      // What it has said to its end is still delivered; nothing can be said to it any more.
      if (!gone.readableEnded || other.writableFinished) other.destroy();
      else other.once('finish', () => other.destroy());
    });
  }

  private watch(timeoutMs: number, clock: Clock): void {
    let activeMs = clock.now();
    let waitingBytes = 0;
    this.timer = clock.every(Math.max(1, Math.min(SWEEP_MAX_MS, timeoutMs / 4)), () => {
      const nowMs = clock.now();
      const waitedBytes = waitingBytes;
      waitingBytes = this.client.writableLength + this.upstream.writableLength;
      // What one side has said before it went is still on its way to the other.
      if (this.active || waitingBytes < waitedBytes) {
        this.active = false;
        activeMs = nowMs;
      } else if (nowMs - activeMs >= timeoutMs) {
        this.client.destroy();
        this.upstream.destroy();
      }
    });
  }
}
