import type { Clock, ClockTimer } from '../core/clock.ts';
import { channel } from '../core/events.ts';
import { Lifecycle } from '../core/lifecycle.ts';
import type { HealthState, ProbeResult } from '../policy/health.ts';
import type { Dial } from './dial.ts';
import type { Endpoint } from './endpoint.ts';
import { Probe } from './probe.ts';
import { type ProbeOptions, ProbePlan } from './probe-options.ts';

const changes = channel('endpoint:health');

const TICK_MAX_MS = 100;

/**
 * Asks the endpoints of an upstream how they are, each when its health says so, and never twice at once.
 *
 * Probes have connections of their own, which count nowhere: neither a full pool nor a full queue keeps one from being
 * sent, and none of them is a request. One timer looks after all of them; it does not keep the process alive.
 */
export class Prober {
  private readonly upstream: string;
  private readonly plan: ProbePlan;
  private readonly clock: Clock;
  private readonly dial: Dial;
  /** The connections of probes are its children. */
  private readonly life = new Lifecycle();
  /** What is under way, by endpoint. */
  private readonly probes = new Map<Endpoint, Probe | null>();
  private readonly timer: ClockTimer;

  /** `dialFor`: how endpoints are reached, by connections that are the children of a lifecycle. */
  constructor(upstream: string, options: ProbeOptions, clock: Clock, dialFor: (life: Lifecycle) => Dial) {
    const { intervalMs, timeoutMs, unhealthyIntervalMs } = options;
    this.upstream = upstream;
    this.plan = new ProbePlan(options);
    this.clock = clock;
    this.dial = dialFor(this.life);
    const tickMs = Math.min(TICK_MAX_MS, intervalMs / 4, unhealthyIntervalMs / 4, timeoutMs / 4);
    this.timer = clock.every(Math.max(1, tickMs), () => this.tick());
  }

  add(endpoint: Endpoint): void {
    if (!this.probes.has(endpoint)) this.probes.set(endpoint, null);
  }

  leave(endpoint: Endpoint): void {
    this.probes.get(endpoint)?.cancel();
    this.probes.delete(endpoint);
  }

  /** No more probes; those under way come to nothing. */
  stop(): void {
    this.timer.cancel();
    for (const probe of this.probes.values()) probe?.cancel();
    this.probes.clear();
    this.life.close();
  }

  private tick(): void {
    const nowMs = this.clock.now();
    for (const [endpoint, probe] of this.probes) {
      if (probe !== null && nowMs - probe.sinceMs >= this.plan.options.timeoutMs) probe.expire();
      else if (probe === null && isDue(endpoint, nowMs)) this.ask(endpoint, nowMs);
    }
  }

  private ask(endpoint: Endpoint, nowMs: number): void {
    const probe = new Probe(endpoint, this.plan, this.dial, nowMs, (result, why) => {
      if (this.probes.get(endpoint) !== probe) return;
      this.probes.set(endpoint, null);
      this.answered(endpoint, result, why, nowMs);
    });
    this.probes.set(endpoint, probe);
  }

  private answered(endpoint: Endpoint, result: ProbeResult, why: string | null, sinceMs: number): void {
    const { standing } = endpoint;
    const { health } = standing;
    if (health === null) return;
    standing.counts.probes.add(result);
    const before: HealthState = health.state;
    const nowMs = this.clock.now();
    if (!health.observe(result, nowMs - sinceMs, nowMs)) return;
    standing.review(nowMs);
    if (!changes.heard) return;
    changes.publish({ upstream: this.upstream, endpoint: endpoint.id, state: health.state, before, why });
  }
}

const isDue = ({ standing }: Endpoint, nowMs: number): boolean =>
  standing.health !== null && nowMs >= standing.health.nextProbeMs;
