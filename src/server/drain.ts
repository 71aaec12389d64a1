import type { Clock, ClockTimer } from '../core/clock.ts';
import { channel } from '../core/events.ts';
import type { Lifecycle } from '../core/lifecycle.ts';
import {
  type Activity,
  CLOSE_REASONS,
  type CloseReason,
  type RequestInFlight,
  type WorkInFlight,
  type WorkShare,
} from '../core/runner.ts';
import type { ServerConnection } from './connection.ts';
import type { Listener } from './listener.ts';
import type { DrainOptions } from './options.ts';

const stages = channel('drain:stage');

/** How far a drain is. */
export type DrainStage = 'notice' | 'refuse' | 'finish' | 'force' | 'done';

/** A request or a stream that was cut off at the end of its grace, or a connection that was none of them yet or any more. */
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
  private readonly noted = new WeakSet<WorkInFlight | ServerConnection>();
  private unansweredCount = 0;
  private readonly graceTimers = new Map<WorkShare, ClockTimer>();
  /** When the grace of each share ends, once it has begun. */
  private readonly ends = { requests: Number.POSITIVE_INFINITY, streams: Number.POSITIVE_INFINITY };
  private readonly plannedStreamEndMs: number;
  private forcedAll = false;
  private noticeTimer: ClockTimer | null = null;
  private endNotice: (() => void) | null = null;

  constructor(server: string, life: Lifecycle, listeners: readonly Listener[], clock: Clock, options: DrainOptions) {
    this.server = server;
    this.life = life;
    this.listeners = listeners;
    this.clock = clock;
    this.quietMs = options.quietMs;
    this.startMs = clock.now();
    this.plannedStreamEndMs = this.startMs + options.noticeMs + (options.streamGraceMs ?? options.graceMs);
    this.servedBefore = finishedCount(listeners);
    this.closedBefore = closedCounts(listeners);
    this.report = this.run(options);
  }

  /** What is left of the grace of streams. */
  get streamGraceLeftMs(): number {
    return Math.max(0, Math.min(this.ends.streams, this.plannedStreamEndMs) - this.clock.now());
  }

  /** Ends the notice and the quiet window now, and the grace after `graceMs` if that is sooner than planned. */
  hasten(graceMs: number | undefined): void {
    this.quietMs = 0;
    this.endNotice?.();
    if (graceMs === undefined || this.over) return;
    this.startGrace('requests', graceMs);
    this.startGrace('streams', graceMs);
  }

  /** Ends the grace of everything now. */
  force(reason: 'drain-forced' | 'server-closed' = 'drain-forced'): void {
    if (this.over) return;
    this.forcedAll = true;
    this.cut('all', reason);
  }

  /** Ends the grace of one share; when that of the other is over too, of everything. */
  private expire(share: 'requests' | 'streams'): void {
    const nowMs = this.clock.now();
    if (this.ends.requests <= nowMs && this.ends.streams <= nowMs) this.force();
    else this.cut(share, 'drain-forced');
  }

  private cut(share: WorkShare, reason: 'drain-forced' | 'server-closed'): void {
    const concerned = (connection: ServerConnection): boolean => isOf(share, connection);
    this.enter('force');
    this.endNotice?.();
    if (share === 'all') for (const timer of this.graceTimers.values()) timer.cancel();
    for (const listener of this.listeners) listener.stopListening();
    this.life.drain('drain');
    const connections = this.listeners.flatMap((listener) => [...listener.connections]);
    this.note(share);
    for (const connection of connections) connection.abort(share);
    for (const listener of this.listeners) listener.refuseHeld();
    // One turn, so that a handler that heeds its signal can still answer.
    setImmediate(() => {
      // What has begun in that turn is cut off as well.
      this.note(share);
      for (const connection of connections) this.unansweredCount += connection.cutOffShare(share, reason);
      const over = connections.filter(concerned);
      for (const connection of over) {
        this.unansweredCount += connection.inFlight().length;
        connection.cutOff(reason);
      }
      // A runner may have taken the socket's events away; the end of a drain does not depend on them.
      setImmediate(() => {
        for (const connection of over) connection.release();
      });
    });
  }

  /** Lists what is about to be cut off, each once. */
  private note(share: WorkShare): void {
    for (const listener of this.listeners) {
      for (const connection of listener.connections) {
        const underWay = connection.underWay(share);
        for (const work of underWay) this.noteOnce(work, listener, connection, work.activity, work);
        if (underWay.length > 0 || !connection.occupied || !isOf(share, connection)) continue;
        const [request] = connection.inFlight();
        this.noteOnce(connection, listener, connection, connection.activity, request);
      }
    }
  }

  private noteOnce(
    what: WorkInFlight | ServerConnection,
    listener: Listener,
    connection: ServerConnection,
    activity: Activity,
    request: RequestInFlight | undefined,
  ): void {
    if (this.noted.has(what)) return;
    this.noted.add(what).add(connection);
    this.forced.push({
      listener: listener.name,
      connectionId: connection.id,
      peer: connection.peer.address,
      activity,
      method: request?.method ?? null,
      target: request?.target ?? null,
      ageMs: request === undefined ? null : this.clock.now() - request.sinceMs,
    });
  }

  private async run(options: DrainOptions): Promise<DrainReport> {
    this.life.notice();
    this.enter('notice');
    if (options.noticeMs > 0) await this.notice(options.noticeMs);
    if (!this.over) {
      this.startGrace('requests', options.graceMs);
      this.startGrace('streams', options.streamGraceMs ?? options.graceMs);
      this.enter('refuse');
      // Stop listening first, then say close: otherwise clients reconnect into a queue that is about to go away.
      await Promise.all(this.listeners.map((listener) => listener.stopAccepting()));
      if (!this.over) this.enter('finish');
      this.life.drain('drain');
      for (const listener of this.listeners) listener.proceed();
    }
    await this.life.closed();
    for (const timer of this.graceTimers.values()) timer.cancel();
    this.enter('done');
    return this.summary();
  }

  private get over(): boolean {
    return this.forcedAll || this.stage === 'done';
  }

  private startGrace(share: 'requests' | 'streams', graceMs: number): void {
    const endsMs = this.clock.now() + graceMs;
    if (endsMs >= this.ends[share]) return;
    this.ends[share] = endsMs;
    this.graceTimers.get(share)?.cancel();
    this.graceTimers.set(
      share,
      this.clock.after(graceMs, () => this.expire(share)),
    );
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
    if (this.stage === stage && stage !== 'notice') return;
    this.stage = stage;
    if (!stages.heard) return;
    const liveCount = this.listeners.reduce((sum, listener) => sum + listener.connections.size, 0);
    stages.publish({ server: this.server, stage, liveCount });
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
      finishedCount: finishedCount(this.listeners) - this.servedBefore - this.unansweredCount,
      closed,
      mayHaveLostCount,
      forced: this.forced,
    };
  }
}

/** Whether all that a connection does is of a share. */
const isOf = (share: WorkShare, { activity }: ServerConnection): boolean =>
  share === 'all' || (share === 'streams') === (activity === 'stream');

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
