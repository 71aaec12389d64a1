import type { FaultCode } from '../core/failure.ts';
import { Tally } from '../core/metrics.ts';
import type { BreakerState } from '../policy/breaker.ts';
import type { ProbeResult } from '../policy/health.ts';
import type { EjectionReason } from '../policy/outlier.ts';

/** What has been counted of an upstream. One that takes the place of another counts on. */
export class UpstreamCounts {
  requestCount = 0;
  deniedRetryCount = 0;
  /** Further attempts, by the code or status that the one before ended with. */
  readonly retries = new Tally<string>();
  readonly failures = new Tally<FaultCode>();
}

/** The same for one of its endpoints. */
export class EndpointCounts {
  attemptCount = 0;
  /** Answers, at the first digit of their status. */
  readonly answers = new Float64Array(6);
  /** Attempts that came to nothing. */
  readonly failures = new Tally<FaultCode>();
  readonly probes = new Tally<ProbeResult>();
  /** By the state that its breaker came to. */
  readonly breakerChanges = new Tally<BreakerState>();
  readonly ejections = new Tally<EjectionReason>();

  answered(status: number): void {
    const digit = Math.floor(status / 100);
    this.answers[digit] = (this.answers[digit] ?? 0) + 1;
  }
}
