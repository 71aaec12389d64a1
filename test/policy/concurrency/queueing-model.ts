import type { ConcurrencyState } from '../../../src/policy/concurrency/algorithm.ts';
import type { ConcurrencyLimiter } from '../../../src/policy/concurrency/limiter.ts';

/** Workers that serve one request each at a time, and a queue before them: what a limit must find the knee of. */
export interface Service {
  readonly workerCount: number;
  readonly serviceMs: number;
  /** Every request is dropped after `serviceMs`. */
  readonly down?: boolean;
}

/** Services differ by so much, or all workers would step in time. */
const JITTER_RATIO = 0.2;

/** Requests come evenly and are admitted by a limiter; time is virtual, and chance the same in each run. */
export class QueueingModel {
  nowMs = 0;
  admittedCount = 0;
  refusedCount = 0;
  /** The least and the most that the limit was, in the last run. */
  limitMinCount = 0;
  limitMaxCount = 0;
  private seed = 1;
  private readonly limiter: ConcurrencyLimiter<ConcurrencyState>;
  private workersFreeMs: number[] = [];
  private running: { readonly beganMs: number; readonly endMs: number; readonly dropped: boolean }[] = [];

  constructor(limiter: ConcurrencyLimiter<ConcurrencyState>) {
    this.limiter = limiter;
  }

  /** Runs for `durationMs` with `requestsPerSec`. */
  run(service: Service, requestsPerSec: number, durationMs: number): void {
    const gapMs = 1000 / requestsPerSec;
    const untilMs = this.nowMs + durationMs;
    this.admittedCount = 0;
    this.refusedCount = 0;
    this.limitMinCount = Number.POSITIVE_INFINITY;
    this.limitMaxCount = 0;
    this.workersFreeMs = Array.from(
      { length: service.workerCount },
      (_, index) => this.workersFreeMs[index] ?? this.nowMs + (index * service.serviceMs) / service.workerCount,
    );
    for (; this.nowMs < untilMs; this.nowMs += gapMs) {
      this.finish();
      this.limitMinCount = Math.min(this.limitMinCount, this.limiter.limitCount);
      this.limitMaxCount = Math.max(this.limitMaxCount, this.limiter.limitCount);
      if (this.limiter.acquire()) this.begin(service);
      else this.refusedCount += 1;
    }
  }

  private begin(service: Service): void {
    this.admittedCount += 1;
    const freeMs = Math.min(...this.workersFreeMs);
    const endMs = Math.max(this.nowMs, freeMs) + service.serviceMs * (1 + JITTER_RATIO * (this.random() - 0.5));
    this.workersFreeMs[this.workersFreeMs.indexOf(freeMs)] = endMs;
    this.running.push({ beganMs: this.nowMs, endMs, dropped: service.down ?? false });
    this.running.sort((a, b) => a.endMs - b.endMs);
  }

  /** From 0 to 1, by the generator of Park and Miller. */
  private random(): number {
    this.seed = (this.seed * 48_271) % 2_147_483_647;
    return this.seed / 2_147_483_647;
  }

  private finish(): void {
    for (let first = this.running[0]; first !== undefined && first.endMs <= this.nowMs; first = this.running[0]) {
      this.running.shift();
      this.limiter.release(first.endMs - first.beganMs, first.dropped ? 'dropped' : 'success', first.endMs);
    }
  }
}
