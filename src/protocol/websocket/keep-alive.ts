import type { Clock, ClockTimer } from '../../core/clock.ts';
import type { WebSocketSettings } from './options.ts';

const SWEEP_MAX_MS = 1000;

/** What is done for a socket when its time has come. */
export interface Watched {
  /** Bytes have come from the client since the last look; looking forgets it. */
  takeHeard(): boolean;
  /** A message went either way since the last look; looking forgets it. */
  takeActive(): boolean;
  /** A Close was sent or has come. */
  readonly closing: boolean;
  ping(): void;
  idle(): void;
  /** Ends the connection now. */
  cut(): void;
}

type Timeouts = Pick<WebSocketSettings, 'pingIntervalMs' | 'idleTimeoutMs' | 'closeTimeoutMs'>;

/** Since when a socket is as it is. No clock is read when bytes come: these are the times of sweeps. */
class Watch {
  private readonly watched: Watched;
  private heardMs: number;
  private activeMs: number;
  private pinged = false;
  private closingMs: number | null = null;

  constructor(watched: Watched, nowMs: number) {
    this.watched = watched;
    this.heardMs = nowMs;
    this.activeMs = nowMs;
  }

  sweep(nowMs: number, { pingIntervalMs, idleTimeoutMs, closeTimeoutMs }: Timeouts): void {
    const { watched } = this;
    if (watched.closing) {
      this.closingMs ??= nowMs;
      if (nowMs - this.closingMs >= closeTimeoutMs) watched.cut();
      return;
    }
    if (watched.takeActive()) this.activeMs = nowMs;
    if (watched.takeHeard()) {
      this.heardMs = nowMs;
      this.pinged = false;
    }
    if (idleTimeoutMs !== null && nowMs - this.activeMs >= idleTimeoutMs) watched.idle();
    else if (pingIntervalMs !== null && nowMs - this.heardMs >= pingIntervalMs) {
      if (this.pinged) watched.cut();
      else {
        this.pinged = true;
        this.heardMs = nowMs;
        watched.ping();
      }
    }
  }
}

/** One sweep for all sockets of an endpoint: who is silent is pinged, who stays silent is cut off. */
export class KeepAlive {
  private readonly watches = new Map<Watched, Watch>();
  private readonly timeouts: Timeouts;
  private readonly clock: Clock;
  private timer: ClockTimer | null = null;

  constructor(settings: WebSocketSettings) {
    this.timeouts = settings;
    this.clock = settings.clock;
  }

  add(watched: Watched): void {
    this.watches.set(watched, new Watch(watched, this.clock.now()));
    if (this.timer !== null) return;
    const { pingIntervalMs, idleTimeoutMs, closeTimeoutMs } = this.timeouts;
    const shortestMs = Math.min(pingIntervalMs ?? closeTimeoutMs, idleTimeoutMs ?? closeTimeoutMs, closeTimeoutMs);
    this.timer = this.clock.every(Math.max(1, Math.min(SWEEP_MAX_MS, shortestMs / 4)), () => this.sweep());
  }

  delete(watched: Watched): void {
    this.watches.delete(watched);
    if (this.watches.size > 0) return;
    this.timer?.cancel();
    this.timer = null;
  }

  private sweep(): void {
    const nowMs = this.clock.now();
    for (const watch of this.watches.values()) watch.sweep(nowMs, this.timeouts);
  }
}
