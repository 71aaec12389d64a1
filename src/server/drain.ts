import type { Clock, ClockTimer } from '../core/clock.ts';
import { channel } from '../core/events.ts';
import type { Lifecycle } from '../core/lifecycle.ts';
import { type Activity, CLOSE_REASONS, type CloseReason } from '../core/runner.ts';
import type { ServerConnection } from './connection.ts';
import type { Listener } from './listener.ts';
import type { DrainOptions } from './options.ts';

const stages = channel('drain:stage');

/** How far a drain is. */
export type DrainStage = 'notice' | 'refuse' | 'finish' | 'force' | 'done';

/** A connection that was cut off at the end of the grace. */
export interface ForcedConnection {
  readonly listener: string;
  readonly connectionId: number;
  readonly peer: string;
  readonly activity: Activity;
  /** The request it was cut off in, where there was one. */
  readonly method: string | null;
  readonly target: string | null;
  readonly ageMs: number | null;
}

/** What a drain did. */
export interface DrainReport {
  /** `forced` when somebody was cut off in the middle of something. */
  readonly outcome: 'clean' | 'forced';
  readonly durationMs: number;
  /** Requests that were answered while it ran. */
  readonly finishedCount: number;
  /** Connections that ended while it ran, by reason. */
  readonly closed: Readonly<Partial<Record<CloseReason, number>>>;
  /** How many of those may have lost a request. */
  readonly mayHaveLostCount: number;
  readonly forced: readonly ForcedConnection[];
}

/** One drain: notice → refuse → finish → force → done. A server has at most one. */
export class Drain {
  stage: DrainStage = 'notice';
  readonly report: Promise<DrainReport>;
  quietMs: number;
  private readonly server: string;
  private readonly listeners: readonly Listener[];
  private readonly life: Lifecycle;
  private readonly clock: Clock;
  private readonly startMs: number;
  private readonly servedBefore: number;
  private readonly closedBefore: ReadonlyMap<CloseReason, number>;
  private readonly forced: ForcedConnection[] = [];
  private graceTimer: ClockTimer | null = null;
  private noticeTimer: ClockTimer | null = null;
  private endNotice: (() => void) | null = null;

  constructor(server: string, life: Lifecycle, listeners: readonly Listener[], clock: Clock, options: DrainOptions) {
    this.server = server;
    this.life = life;
    this.listeners = listeners;
    this.clock = clock;
    this.quietMs = options.quietMs;
    this.startMs = clock.now();
    this.servedBefore = finishedCount(listeners);
    this.closedBefore = closedCounts(listeners);
    this.report = this.run(options);
  }

  /** Ends the grace now. */
  force(): void {
    this.endNotice?.();
    if (this.stage === 'force' || this.stage === 'done') return;
    this.enter('force');
    this.graceTimer?.cancel();
    for (const listener of this.listeners) listener.stopListening();
    this.life.drain('drain');
    const connections = this.listeners.flatMap((listener) => [...listener.connections]);
    const nowMs = this.clock.now();
    for (const listener of this.listeners) {
      for (const connection of listener.connections) this.record(listener, connection, nowMs);
    }
    for (const connection of connections) connection.abort();
    // One turn, so that a handler that heeds its signal can still answer.
    setImmediate(() => {
      for (const connection of connections) connection.close('drain-forced');
    });
  }

  private record(listener: Listener, connection: ServerConnection, nowMs: number): void {
    if (connection.activity === 'idle' || (connection.reason !== null && connection.activity !== 'stream')) return;
    if (connection.activity === 'reading' && connection.socket.bytesRead === 0) return; // accepted, and silent ever since
    const request = connection.inFlight();
    this.forced.push({
      listener: listener.name,
      connectionId: connection.id,
      peer: connection.peer.address,
      activity: connection.activity,
      method: request?.method ?? null,
      target: request?.target ?? null,
      ageMs: request === null ? null : nowMs - request.sinceMs,
    });
  }

  private async run(options: DrainOptions): Promise<DrainReport> {
    this.life.notice();
    this.enter('notice');
    if (options.noticeMs > 0) await this.notice(options.noticeMs);
    if (this.life.phase === 'accepting' && !this.forcing) {
      this.graceTimer = this.clock.after(options.graceMs, () => this.force());
      this.enter('refuse');
      // Stop listening first, then say close: otherwise clients reconnect into a queue that is about to go away.
      await Promise.all(this.listeners.map((listener) => listener.stopAccepting()));
      if (!this.forcing) this.enter('finish');
      this.life.drain('drain');
    }
    await this.life.closed();
    this.graceTimer?.cancel();
    this.enter('done');
    return this.summary();
  }

  private get forcing(): boolean {
    return this.stage === 'force';
  }

  private notice(noticeMs: number): Promise<void> {
    return new Promise<void>((resolve) => {
      this.endNotice = resolve;
      this.noticeTimer = this.clock.after(noticeMs, resolve);
    }).then(() => {
      this.endNotice = null;
      this.noticeTimer?.cancel();
    });
  }

  private enter(stage: DrainStage): void {
    this.stage = stage;
    if (stages.heard) stages.publish({ server: this.server, stage, liveCount: this.life.liveCount });
  }

  private summary(): DrainReport {
    const closed: Partial<Record<CloseReason, number>> = {};
    let mayHaveLostCount = 0;
    for (const [reason, count] of closedCounts(this.listeners)) {
      const during = count - (this.closedBefore.get(reason) ?? 0);
      if (during === 0) continue;
      closed[reason] = during;
      if (CLOSE_REASONS[reason].mayHaveLostRequest) mayHaveLostCount += during;
    }
    return {
      outcome: this.forced.length === 0 ? 'clean' : 'forced',
      durationMs: this.clock.now() - this.startMs,
      finishedCount: finishedCount(this.listeners) - this.servedBefore,
      closed,
      mayHaveLostCount,
      forced: this.forced,
    };
  }
}

function finishedCount(listeners: readonly Listener[]): number {
  return listeners.reduce((sum, listener) => sum + listener.servedCount - listener.inFlightCount, 0);
}

function closedCounts(listeners: readonly Listener[]): ReadonlyMap<CloseReason, number> {
  const counts = new Map<CloseReason, number>();
  for (const listener of listeners) {
    for (const [reason, count] of listener.closed) counts.set(reason, (counts.get(reason) ?? 0) + count);
  }
  return counts;
}
