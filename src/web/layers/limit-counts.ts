import type { LimitDecision, LimitReason } from '../../core/events.ts';
import { type Measure, Tally } from '../../core/metrics.ts';

/** What a limit has decided so far. */
export class LimitCounts {
  admittedCount = 0;
  /** Of these, those that had to wait. */
  delayedCount = 0;
  refusedCount = 0;
  private readonly refused = new Tally<LimitReason>();

  admit(delayed: boolean): void {
    this.admittedCount += 1;
    if (delayed) this.delayedCount += 1;
  }

  refuse(reason: LimitReason): void {
    this.refusedCount += 1;
    this.refused.add(reason);
  }

  measure(take: Measure, layer: LimitDecision['layer'], at: { readonly limit: string; readonly place: string }): void {
    take('sluice_limit_admitted_total', { ...at, layer }, this.admittedCount);
    take('sluice_limit_delayed_total', { ...at, layer }, this.delayedCount);
    for (const [reason, count] of this.refused.entries())
      take('sluice_limit_refused_total', { ...at, layer, reason }, count);
  }
}
