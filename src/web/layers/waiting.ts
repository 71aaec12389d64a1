import type { Clock, ClockTimer } from '../../core/clock.ts';
import type { LimitReason } from '../../core/events.ts';
import type { Failure } from '../../core/failure.ts';
import type { HttpRequest } from '../../core/request.ts';
import type { FairPlace } from '../../policy/fair-queue.ts';

/** What ends a wait: its turn, a refusal, or the end of the request. */
export type WaitEnd = 'turn' | LimitReason | Failure;

/** A request in a queue. It has a timer and a listener of its own, until the first of three things ends its wait. */
export class Waiting {
  readonly tenant: string;
  readonly sinceMs: number;
  /** Resolves when the wait is over, and never rejects. */
  readonly ended: Promise<WaitEnd>;
  /** Where it waits; `null` before it is lined up. */
  place: FairPlace<Waiting> | null = null;
  /** Why the request has ended early, be it after its turn came: then nobody waits for what it would do. */
  failure: Failure | null = null;
  private over = false;
  private readonly timer: ClockTimer;
  private readonly resolve: (end: WaitEnd) => void;

  /** `withdraw` is called when the wait ends otherwise than by the queue. */
  constructor(
    request: HttpRequest,
    tenant: string,
    clock: Clock,
    timeoutMs: number,
    withdraw: (waiting: Waiting) => void,
  ) {
    const { promise, resolve } = Promise.withResolvers<WaitEnd>();
    this.tenant = tenant;
    this.sinceMs = clock.now();
    this.ended = promise;
    this.resolve = resolve;
    this.timer = clock.after(timeoutMs, () => {
      withdraw(this);
      this.finish('queue-timeout');
    });
    request.onAbort((failure) => {
      this.failure = failure;
      if (this.over) return;
      withdraw(this);
      this.finish(failure);
    });
  }

  finish(end: WaitEnd): void {
    this.over = true;
    this.timer.cancel();
    this.resolve(end);
  }
}
