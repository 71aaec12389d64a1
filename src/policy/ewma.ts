/** How a latency is averaged. */
export interface EwmaOptions {
  /** An answer of this long ago counts 1 / e of one now. */
  decayMs: number;
  /** Whether one that is slower than the average becomes the average at once, as in Finagle's Peak EWMA. */
  peak: boolean;
}

const EWMA_DEFAULTS: Readonly<EwmaOptions> = { decayMs: 10_000, peak: true };

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

  constructor(options: Readonly<EwmaOptions> = EWMA_DEFAULTS) {
    this.options = options;
  }

  /** The average as it was after the last answer; `null` before the first. */
  get latencyMs(): number | null {
    return this.averageMs;
  }

  observe(latencyMs: number, nowMs: number): void {
    const { averageMs } = this;
    const { decayMs, peak } = this.options;
    if (averageMs === null || (peak && latencyMs > averageMs)) this.averageMs = latencyMs;
    else {
      const stepMs = Math.max(nowMs - this.atMs, STEP_MIN_MS);
      this.averageMs = latencyMs + (averageMs - latencyMs) * Math.exp(-stepMs / decayMs);
    }
    this.atMs = Math.max(this.atMs, nowMs);
  }

  /** The average, faded while nothing was asked, so that one that was slow is tried again; `null` before the first. */
  at(nowMs: number): number | null {
    if (this.averageMs === null || nowMs <= this.atMs) return this.averageMs;
    return this.averageMs * Math.exp((this.atMs - nowMs) / this.options.decayMs);
  }
}
