/** A timer that was started on a clock. */
export interface ClockTimer {
  cancel(): void;
}

/** Time as the rest of the program sees it; tests put a manual one in its place. */
export interface Clock {
  /** Monotonic milliseconds; only differences mean anything. */
  now(): number;
  /** Milliseconds since 1970 UTC. */
  wallMs(): number;
  /** Runs once after `delayMs`. Keeps the process alive. */
  after(delayMs: number, run: () => void): ClockTimer;
  /** Runs every `periodMs`. Does not keep the process alive. */
  every(periodMs: number, run: () => void): ClockTimer;
}

/** What Node's timers can count to, almost 25 days; a longer delay would be taken for 1 ms. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, run) {
    if (delayMs > TIMER_MAX_MS) return inSteps(delayMs, run);
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  every(periodMs, run) {
    const timer = setInterval(run, Math.min(periodMs, TIMER_MAX_MS)).unref();
    return { cancel: () => clearInterval(timer) };
  },
};

/** A delay of several timers, one after the other. */
function inSteps(delayMs: number, run: () => void): ClockTimer {
  let leftMs = delayMs;
  const step = (): NodeJS.Timeout => {
    const stepMs = Math.min(leftMs, TIMER_MAX_MS);
    leftMs -= stepMs;
    return setTimeout(() => {
      if (leftMs > 0) timer = step();
      else run();
    }, stepMs);
  };
  let timer = step();
  return { cancel: () => clearTimeout(timer) };
}

/** The `date` header value (RFC 9110 §5.6.7), made once a second. */
export class DateValue {
  private readonly clock: Clock;
  private untilMs = Number.NEGATIVE_INFINITY;
  private text = '';

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** `nowMs` is a recent `clock.now()`, so that the caller's reading is reused. */
  at(nowMs: number): string {
    if (nowMs >= this.untilMs) {
      const wallMs = this.clock.wallMs();
      this.text = new Date(wallMs).toUTCString();
      this.untilMs = nowMs + 1000 - (wallMs % 1000);
    }
    return this.text;
  }
}
