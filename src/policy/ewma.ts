/** How a latency is averaged. */
export interface EwmaOptions {
  /** An answer of this long ago counts 1 / e of one now. */
  decayMs: number;
  /** Whether one that is slower than the average becomes the average at once, as in Finagle's Peak EWMA. */
  peak: boolean;
}

const EWMA_DEFAULTS: Readonly<EwmaOptions> = { decayMs: 10_000, peak: true };

/** Each failure in a row doubles what one is taken for, so many times at most; each of these times halves it again. */
const DOUBLING_MAX_COUNT = 10;
const HALVING_MS = 1000;

/** However close two answers are, the later one counts as if so much time had passed. */
const STEP_MIN_MS = 1;

/**
 * An average of latencies in which older ones count less and less (exponentially weighted by time, not by number). With
 * `peak` it rises at once and falls slowly: one slow answer is enough to be careful.
 */
export class Ewma {
  private readonly options: Readonly<EwmaOptions>;
  private averageMs: number | null = null;
  private atMs = 0;
  /** Doublings as of the last failure; none after a success. */
  private doublingCount = 0;
  private failedAtMs = 0;

  constructor(options: Readonly<EwmaOptions> = EWMA_DEFAULTS) {
    this.options = options;
  }

  /** The average as it was after the last answer; `null` before the first. */
  get latencyMs(): number | null {
    return this.averageMs;
  }

  /** A request was answered. */
  observe(latencyMs: number, nowMs: number): void {
    this.doublingCount = 0;
    const { averageMs } = this;
    const { decayMs, peak } = this.options;
    if (averageMs === null || (peak && latencyMs > averageMs)) this.averageMs = latencyMs;
    else {
      const stepMs = Math.max(nowMs - this.atMs, STEP_MIN_MS);
      this.averageMs = latencyMs + (averageMs - latencyMs) * Math.exp(-stepMs / decayMs);
    }
    this.atMs = Math.max(this.atMs, nowMs);
  }

  /** A request has failed, however soon: who fails fast must not be taken for fast. */
  fail(nowMs: number): void {
    this.doublingCount = Math.min(DOUBLING_MAX_COUNT, this.doublingsAt(nowMs) + 1);
    this.failedAtMs = nowMs;
  }

  /**
   * What is to be expected: the average, more after failures, and less and less while nothing is asked, so that one that
   * was slow is tried again; `null` before the first answer or failure.
   */
  at(nowMs: number): number | null {
    const { averageMs, doublingCount } = this;
    if (averageMs === null && doublingCount === 0) return null;
    const idleMs = Math.max(0, nowMs - this.atMs);
    const fadedMs = averageMs === null ? STEP_MIN_MS : averageMs * Math.exp(-idleMs / this.options.decayMs);
    return doublingCount === 0 ? fadedMs : Math.max(fadedMs, STEP_MIN_MS) * 2 ** this.doublingsAt(nowMs);
  }

  private doublingsAt(nowMs: number): number {
    return Math.max(0, this.doublingCount - Math.max(0, nowMs - this.failedAtMs) / HALVING_MS);
  }
}
