import type { Clock, ClockTimer } from '../src/core/clock.ts';

/** Something that has arrived and waits for its turn. */
interface Task {
  run(): number;
  done(): void;
}

/**
 * The event loop of a process with one thread, as Node's: in each turn the timers that are due run, and then all that had arrived
 * when the turn began, one after the other. What takes time keeps everything else waiting, timers too. It is a clock:
 * that of the process.
 */
export class EventLoop implements Clock {
  private readonly outside: Clock;
  private due: (() => void)[] = [];
  private arrived: Task[] = [];
  private busy = false;

  /** `outside`: time as it passes whatever the process does. */
  constructor(outside: Clock) {
    this.outside = outside;
  }

  now(): number {
    return this.outside.now();
  }

  wallMs(): number {
    return this.outside.wallMs();
  }

  after(delayMs: number, run: () => void): ClockTimer {
    let cancelled = false;
    const timer = this.outside.after(delayMs, () => {
      this.due.push(() => {
        if (!cancelled) run();
      });
      this.wake();
    });
    return {
      cancel() {
        cancelled = true;
        timer.cancel();
      },
    };
  }

  /** The next period begins when it has run, as with `setInterval`. */
  every(periodMs: number, run: () => void): ClockTimer {
    const again = (): ClockTimer =>
      this.after(periodMs, () => {
        timer = again();
        run();
      });
    let timer = again();
    return { cancel: () => timer.cancel() };
  }

  /** Something arrives. `work` runs when it is its turn and says what it costs; resolves when that time is over. */
  arrive<Answer>(
    work: () => Answer | Promise<Answer>,
    costMs: (answer: Answer | Promise<Answer>) => number,
  ): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    let finish = (): void => {};
    this.arrived.push({
      run() {
        const answer = work();
        finish = () => resolve(answer);
        return costMs(answer);
      },
      done: () => finish(),
    });
    this.wake();
    return promise;
  }

  private wake(): void {
    if (this.busy) return;
    this.busy = true;
    this.turn();
  }

  private turn(): void {
    const { due } = this;
    this.due = [];
    for (const run of due) run();
    const batch = this.arrived;
    this.arrived = [];
    this.work(batch, 0);
  }

  private work(batch: readonly Task[], at: number): void {
    const task = batch[at];
    if (task !== undefined) {
      this.outside.after(task.run(), () => {
        task.done();
        this.work(batch, at + 1);
      });
    } else if (this.due.length > 0 || this.arrived.length > 0) this.turn();
    else this.busy = false;
  }
}
