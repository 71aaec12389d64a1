import type { FaultCode } from '../core/failure.ts';
import { Tally } from '../core/metrics.ts';
import type { BreakerState } from '../policy/breaker.ts';
import type { ProbeResult } from '../policy/health.ts';
import type { EjectionReason } from '../policy/outlier.ts';

/** What has been counted of an upstream. One that takes the place of another counts on. */
export class UpstreamCounts {
  requestCount = 0;
  deniedRetryCount = 0;
  /** Further attempts, by the code or status that the one before ended with; `hedge`: it had not ended. */
  readonly retries = new Tally<string>();
  readonly failures = new Tally<FaultCode>();
}

/** The same for one of its endpoints. */
export class EndpointCounts {
  attemptCount = 0;
  /** Answers by the first digit of their status. Plain fields: they are written to for each request. */
  private answered1xx = 0;
  private answered2xx = 0;
  private answered3xx = 0;
  private answered4xx = 0;
  private answered5xx = 0;
  /** Attempts that came to nothing. */
  readonly failures = new Tally<FaultCode>();
  readonly probes = new Tally<ProbeResult>();
  /** By the state that its breaker came to. */
  readonly breakerChanges = new Tally<BreakerState>();
  readonly ejections = new Tally<EjectionReason>();

  answered(status: number): void {
    if (status < 200) this.answered1xx += 1;
    else if (status < 300) this.answered2xx += 1;
    else if (status < 400) this.answered3xx += 1;
    else if (status < 500) this.answered4xx += 1;
    else this.answered5xx += 1;
  }

  /** Answers by the class of their status, such as `2xx`. */
  get answers(): Readonly<Record<string, number>> {
    const { answered1xx, answered2xx, answered3xx, answered4xx, answered5xx } = this;
    return { '1xx': answered1xx, '2xx': answered2xx, '3xx': answered3xx, '4xx': answered4xx, '5xx': answered5xx };
  }
}
