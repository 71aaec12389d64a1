import { millisecondsOrNone, wholeNumber } from '../../core/option-kind.ts';
import { withDefaults } from '../../core/options.ts';
import type { ConcurrencyAlgorithm, ConcurrencyState } from './algorithm.ts';
import { SampleWindow, type SampleWindowOptions } from './sample-window.ts';

/**
 * How an admitted request ended: `dropped` for overload (a timeout, a refusal, 503), `ignored` when its time says nothing
 * about the load (the client left, a stream, an error before anything was sent).
 */
export type ConcurrencyOutcome = 'success' | 'dropped' | 'ignored';

const SAMPLE_WINDOW_DEFAULTS: Readonly<SampleWindowOptions> = {
  windowMs: 100,
  sampleMinCount: 10,
  percentileRatio: 0,
};

/** A window may last for no time: it ends with its last sample then. */
const KINDS = { windowMs: millisecondsOrNone, sampleMinCount: wholeNumber(1, 256) };

/** Admits as many requests at once as its algorithm says, and tells it what became of them. */
export class ConcurrencyLimiter<State extends ConcurrencyState> {
  inFlightCount = 0;
  private readonly algorithm: ConcurrencyAlgorithm<State>;
  private readonly window: SampleWindow;
  private state: State;

  /** Throws `TypeError` for wrong options. */
  constructor(algorithm: ConcurrencyAlgorithm<State>, given?: Partial<SampleWindowOptions>) {
    const options = withDefaults('concurrency window', SAMPLE_WINDOW_DEFAULTS, given, { kinds: KINDS });
    this.algorithm = algorithm;
    this.window = new SampleWindow(options);
    this.state = algorithm.start;
  }

  /** The requests that may run at once now. */
  get limitCount(): number {
    return Math.floor(this.state.limit);
  }

  /** Whether one more may run. Who got `true` calls `release` exactly once. */
  acquire(): boolean {
    if (this.inFlightCount >= Math.floor(this.state.limit)) return false;
    this.inFlightCount += 1;
    this.window.observeInFlight(this.inFlightCount);
    return true;
  }

  /** An admitted request has ended, `rttMs` after it was admitted. */
  release(rttMs: number, outcome: ConcurrencyOutcome, nowMs: number): void {
    if (outcome !== 'ignored') {
      const sample = this.window.add(rttMs, outcome === 'dropped', this.inFlightCount, nowMs);
      if (sample !== null) this.state = this.algorithm.next(this.state, sample, nowMs);
    }
    this.inFlightCount -= 1;
  }
}
