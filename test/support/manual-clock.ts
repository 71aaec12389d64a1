import type { Clock, ClockTimer } from '../../src/core/clock.ts';

interface Due {
  atMs: number;
  readonly periodMs: number | null;
  readonly run: () => void;
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  private nowMs = 0;
  private readonly startMs: number;
  private readonly timers = new Set<Due>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.startMs = startMs;
  }

  /** Timers that have been started and neither ran out nor were cancelled. */
  get timerCount(): number {
    return this.timers.size;
  }

  now(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return this.startMs + this.nowMs;
  }

  after(delayMs: number, run: () => void): ClockTimer {
    return this.start({ atMs: this.nowMs + delayMs, periodMs: null, run });
  }

  every(periodMs: number, run: () => void): ClockTimer {
    return this.start({ atMs: this.nowMs + periodMs, periodMs, run });
  }

  /** Moves time on. What falls due on the way runs in order of time, each at its own moment. */
  advance(byMs: number): void {
    const untilMs = this.nowMs + byMs;
    for (;;) {
      const [due] = [...this.timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      if (due === undefined) break;
      this.nowMs = Math.max(this.nowMs, due.atMs);
      if (due.periodMs === null) this.timers.delete(due);
      else due.atMs += Math.max(due.periodMs, 1);
      due.run();
    }
    this.nowMs = untilMs;
  }

  private start(due: Due): ClockTimer {
    this.timers.add(due);
    return { cancel: () => this.timers.delete(due) };
  }
}
