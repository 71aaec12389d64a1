import type { Clock } from '../src/core/clock.ts';
import { type Condition, WELL } from './condition.ts';
import { type Random, serviceTime } from './random.ts';

/** What a server can do. */
export interface ServerOptions {
  /** Requests that it works at side by side. */
  readonly workerCount: number;
  /** Mean time for one. */
  readonly serviceMs: number;
  /** How regular that is; default 2: not very. */
  readonly stageCount?: number;
  /** Requests that may wait; more are answered with 503 at once. */
  readonly backlogMaxCount: number;
}

/** A connection as its server sees it. */
export interface ServerSide {
  /** Nobody waits for its answers any more. */
  readonly gone: boolean;
  /** It is to be closed when nothing is being answered on it. */
  leave(): void;
  reset(): void;
}

interface Job {
  readonly from: ServerSide;
  readonly respond: (status: number) => void;
}

/** A simulated server: workers, a queue before them, and what is wrong with it now. */
export class SimulatedServer {
  readonly connections = new Set<ServerSide>();
  condition: Condition = WELL;
  /** Requests that have arrived. */
  arrivedCount = 0;
  private readonly options: ServerOptions;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly waiting: Job[] = [];
  private busyCount = 0;
  /** Which life it is in: what a server worked at before it went down is lost. */
  private life = 0;

  constructor(options: ServerOptions, clock: Clock, random: Random) {
    this.options = options;
    this.clock = clock;
    this.random = random;
  }

  /** Requests that it has and has not answered. */
  get loadCount(): number {
    return this.busyCount + this.waiting.length;
  }

  become(condition: Partial<Condition>): void {
    this.condition = { ...WELL, ...condition };
    if (this.condition.reach === 'leaving') for (const connection of [...this.connections]) connection.leave();
    if (this.condition.reach !== 'down') return;
    this.life += 1;
    this.busyCount = 0;
    this.waiting.length = 0;
    for (const connection of [...this.connections]) connection.reset();
  }

  /** A request has arrived. */
  take(from: ServerSide, respond: (status: number) => void): void {
    this.arrivedCount += 1;
    if (this.condition.reach === 'hung') return;
    const failed = this.random() < this.condition.errorRatio;
    if (failed || this.waiting.length >= this.options.backlogMaxCount) {
      respond(503);
      return;
    }
    this.waiting.push({ from, respond });
    this.work();
  }

  private work(): void {
    const { serviceMs, stageCount, workerCount } = this.options;
    while (this.busyCount < workerCount) {
      const job = this.waiting.shift();
      if (job === undefined) return;
      // What nobody waits for is not begun; what has been begun is done, as most servers do.
      if (job.from.gone) continue;
      const { life } = this;
      this.busyCount += 1;
      this.clock.after(serviceTime(this.random, serviceMs, stageCount) * this.condition.slowness, () => {
        if (life !== this.life) return;
        this.busyCount -= 1;
        job.respond(200);
        this.work();
      });
    }
  }
}
