import type { Clock, ClockTimer } from '../core/clock.ts';
import { type Linked, LinkedList } from '../core/linked-list.ts';

/** A request that may be sent a second time. */
export interface Hedged {
  /** The endpoint that it asks has brought no answer for as long as was agreed. */
  onOverdue(): void;
}

/** A request that waits for its answer, among the others. Made by a Hedger. */
export class Patience implements Linked<Patience> {
  readonly request: Hedged;
  readonly untilMs: number;
  previous: Patience | null = null;
  next: Patience | null = null;

  constructor(request: Hedged, untilMs: number) {
    this.request = request;
    this.untilMs = untilMs;
  }
}

/**
 * Tells the requests of an upstream when their attempts have taken so long that a second one may be sent beside them. All
 * wait equally long, so they fall due in the order in which they began, and one timer serves them all; it is left to run
 * when the one that it was for is answered, so that requests that are answered in time touch none.
 */
export class Hedger {
  private readonly afterMs: number;
  private readonly clock: Clock;
  private readonly waiting = new LinkedList<Patience>();
  private timer: ClockTimer | null = null;

  constructor(afterMs: number, clock: Clock) {
    this.afterMs = afterMs;
    this.clock = clock;
  }

  /** An endpoint is asked. The request is told when it is overdue, once, unless its patience is ended before. */
  begin(request: Hedged): Patience {
    const patience = new Patience(request, this.clock.now() + this.afterMs);
    this.waiting.push(patience);
    this.timer ??= this.clock.after(this.afterMs, () => this.look());
    return patience;
  }

  /** Nothing is waited for any more; nothing if it was overdue before. */
  end(patience: Patience): void {
    this.waiting.remove(patience);
  }

  /** Nobody is told any more. */
  stop(): void {
    this.timer?.cancel();
  }

  private look(): void {
    const nowMs = this.clock.now();
    let { first } = this.waiting;
    for (; first !== null && first.untilMs <= nowMs; first = this.waiting.first) {
      this.waiting.remove(first);
      first.request.onOverdue();
    }
    this.timer = first === null ? null : this.clock.after(first.untilMs - nowMs, () => this.look());
  }
}
