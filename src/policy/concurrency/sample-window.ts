import type { ConcurrencySample } from './algorithm.ts';

/** A percentile is that of so many last round trips of a window. */
const KEPT_COUNT = 256;
/** The clock's grain and the event loop's own delay: a shorter round trip, or difference, tells nothing. */
const RTT_MIN_MS = 1;
/** After so many window lengths with nothing running, what was seen before says nothing about now. */
const STALE_WINDOW_COUNT = 10;

export interface SampleWindowOptions {
  /** A window lasts this long at least. */
  windowMs: number;
  /** And until it has seen so many requests; 1 to 256. */
  sampleMinCount: number;
  /**
   * Which of the round trips stands for the window: 0 the least, 0.5 the median. The least is not misled by requests
   * that are slow in themselves; where cheap requests overtake the queue (a cache), take more.
   */
  percentileRatio: number;
}

/** Collects round trips until there are enough for a sample. Its memory is fixed. */
export class SampleWindow {
  private readonly options: SampleWindowOptions;
  private readonly rttsMs = new Float64Array(KEPT_COUNT);
  private count = 0;
  private dropped = false;
  private inFlightMaxCount = 0;
  private beginMs = Number.NaN;
  private lastMs = Number.NaN;

  constructor(options: SampleWindowOptions) {
    this.options = options;
  }

  /** So many requests run at once now. */
  observeInFlight(inFlightCount: number): void {
    if (inFlightCount > this.inFlightMaxCount) this.inFlightMaxCount = inFlightCount;
  }

  /** A request has ended, of `inFlightCount` that ran with it. The sample, when the window is full. */
  add(rttMs: number, dropped: boolean, inFlightCount: number, nowMs: number): ConcurrencySample | null {
    const beganMs = nowMs - rttMs;
    const stale = beganMs - this.lastMs > this.options.windowMs * STALE_WINDOW_COUNT;
    if (stale || Number.isNaN(this.beginMs)) this.begin(beganMs, inFlightCount);
    this.lastMs = nowMs;
    this.rttsMs[this.count % KEPT_COUNT] = Math.max(rttMs, RTT_MIN_MS);
    this.count += 1;
    this.dropped ||= dropped;
    if (nowMs - this.beginMs < this.options.windowMs || this.count < this.options.sampleMinCount) return null;
    const sample = { rttMs: this.rttMs(), inFlightMaxCount: this.inFlightMaxCount, dropped: this.dropped };
    this.begin(nowMs, inFlightCount - 1);
    return sample;
  }

  private begin(beginMs: number, inFlightCount: number): void {
    this.beginMs = beginMs;
    this.count = 0;
    this.dropped = false;
    this.inFlightMaxCount = inFlightCount;
  }

  private rttMs(): number {
    const kept = this.rttsMs.subarray(0, Math.min(this.count, KEPT_COUNT)).sort();
    return kept[Math.min(kept.length - 1, Math.floor(kept.length * this.options.percentileRatio))] ?? RTT_MIN_MS;
  }
}
