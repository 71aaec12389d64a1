/** How an endpoint's health is probed. */
export interface HealthOptions {
  intervalMs: number;
  /** The interval while it is unhealthy, not known yet, or about to change; never longer than `intervalMs`. */
  unhealthyIntervalMs: number;
  /** Each interval is shorter by up to this share of it, at random, so that probes of many endpoints spread. */
  jitterRatio: number;
  /** Probes in a row that must pass before an unhealthy one is healthy. */
  healthyCount: number;
  /** Probes in a row that must fail before a healthy one is unhealthy. */
  unhealthyCount: number;
  /** An endpoint that passes but takes so long or longer is degraded; `null` is off. */
  degradedLatencyMs: number | null;
}

export const HEALTH_DEFAULTS: Readonly<HealthOptions> = {
  intervalMs: 5000,
  unhealthyIntervalMs: 1000,
  jitterRatio: 0.2,
  healthyCount: 2,
  unhealthyCount: 3,
  degradedLatencyMs: null,
};

/** `degraded`: it answers, but others are to be preferred. `unknown`: no probe has ended yet. */
export type HealthState = 'unknown' | 'healthy' | 'degraded' | 'unhealthy';

/** How a probe ended; `degraded` when the endpoint says so of itself. */
export type ProbeResult = 'pass' | 'degraded' | 'fail';

/**
 * What probes say of an endpoint, with thresholds both ways as in HAProxy's rise and fall. The first probe decides at
 * once, so that a new endpoint does not wait. Among passes the last one says whether it is degraded.
 */
export class Health {
  private readonly options: Readonly<HealthOptions>;
  private readonly random: () => number;
  private current: HealthState = 'unknown';
  /** Probes in a row that were against the state it is in. */
  private againstCount = 0;
  private probeAtMs: number;

  constructor(options: Readonly<HealthOptions>, random: () => number, nowMs: number) {
    this.options = options;
    this.random = random;
    this.probeAtMs = nowMs + options.jitterRatio * random() * this.intervalMs;
  }

  get state(): HealthState {
    return this.current;
  }

  /** When the next probe is due. The first is soon, within the jitter of one interval. */
  get nextProbeMs(): number {
    return this.probeAtMs;
  }

  /** Begins with what is known of the same endpoint from elsewhere; the next probe is soon all the same. */
  adopt(previous: Health): void {
    this.current = previous.current;
    this.againstCount = previous.againstCount;
  }

  /** A probe has ended. Returns whether the state is another now. */
  observe(result: ProbeResult, latencyMs: number, nowMs: number): boolean {
    const before = this.current;
    const passed = result !== 'fail';
    const isUp = before === 'healthy' || before === 'degraded';
    if (before !== 'unknown' && passed === isUp) this.againstCount = 0;
    else this.againstCount += 1;
    if (
      before === 'unknown' ||
      this.againstCount >= (passed ? this.options.healthyCount : this.options.unhealthyCount)
    ) {
      this.current = passed ? 'healthy' : 'unhealthy';
      this.againstCount = 0;
    }
    if (passed && this.current !== 'unhealthy')
      this.current = this.isDegraded(result, latencyMs) ? 'degraded' : 'healthy';
    this.probeAtMs = nowMs + this.intervalMs * (1 - this.options.jitterRatio * this.random());
    return this.current !== before;
  }

  private isDegraded(result: ProbeResult, latencyMs: number): boolean {
    const { degradedLatencyMs } = this.options;
    return result === 'degraded' || (degradedLatencyMs !== null && latencyMs >= degradedLatencyMs);
  }

  private get intervalMs(): number {
    const { intervalMs, unhealthyIntervalMs } = this.options;
    const isSettled = this.againstCount === 0 && (this.current === 'healthy' || this.current === 'degraded');
    return isSettled ? intervalMs : Math.min(intervalMs, unhealthyIntervalMs);
  }
}
