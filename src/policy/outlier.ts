import { type OptionRules, withDefaults } from '../core/options.ts';
import { WindowCounts } from './window.ts';

/** When an endpoint is taken out because of how it answers requests, and for how long. `null` is off. */
export interface OutlierOptions {
  /** Failures in a row that the upstream is to blame for. */
  failureCount: number | null;
  /** Faults in a row on our side of it: no connection, a reset, a timeout. */
  localFailureCount: number | null;
  /** Share of failures in the window; local faults are no answers and do not count. */
  failureRatio: number | null;
  windowMs: number;
  /** Fewer answers in the window say nothing about ratio or latency. */
  volumeMinCount: number;
  /** Slow is one of whose latency the median of the group is this share or less: 0.25 is four times as slow. */
  latencyRatio: number | null;
  /** A lower latency is never too slow. */
  latencyMinMs: number;
  /** The first ejection takes so long, the n-th so many times that. */
  ejectMs: number;
  ejectMaxMs: number;
  /** Never more than this share of the group is out at once, and never all. */
  ejectedMaxRatio: number;
}

export const OUTLIER_DEFAULTS: Readonly<OutlierOptions> = {
  failureCount: 5,
  localFailureCount: 5,
  failureRatio: null,
  windowMs: 30_000,
  volumeMinCount: 20,
  latencyRatio: null,
  latencyMinMs: 100,
  ejectMs: 30_000,
  ejectMaxMs: 300_000,
  ejectedMaxRatio: 0.5,
};

const RULES: OptionRules<OutlierOptions> = {
  offable: ['failureCount', 'localFailureCount'],
  ordered: [['ejectMs', 'ejectMaxMs']],
};

/** Fills options up. Throws `TypeError` naming every wrong field. */
export const outlierOptions = (given: Partial<OutlierOptions>): OutlierOptions =>
  withDefaults('passive', OUTLIER_DEFAULTS, given, RULES);

/** How a request went: answered well, answered with a failure of the upstream's, or not answered for a local fault. */
export type AnswerOutcome = 'success' | 'failure' | 'local-fault';

export type EjectionReason = 'failures' | 'local-faults' | 'failure-ratio' | 'latency';

const ANSWERS = 0;
const FAILURES = 1;
/** Of successes, added up. */
const LATENCY_MS = 2;
const BUCKET_COUNT = 10;
/** A median of fewer is no measure of anything. */
const MEDIAN_MIN_COUNT = 3;

/** What a group knows and allows: asked by one that would be ejected. */
interface EjectionLimit {
  /** Answers of all members, and failures among them. */
  readonly answers: WindowCounts;
  mayEject(member: Outlier, nowMs: number): boolean;
  ejected(untilMs: number): void;
}

/**
 * Passive health of one endpoint (outlier detection as in Envoy, local faults kept apart). A member of an `OutlierGroup`.
 *
 * For failures it is ejected only when it fails clearly more often than the others do. Where all fail alike, as under too
 * many requests, none is an outlier, and the rest could carry its part no better.
 *
 * An ejection takes `ejectMs` × how many there were; of these one is forgotten for each `ejectMs` without another. What
 * ends while it is out is not counted, and it comes back with nothing against it.
 */
export class Outlier {
  private readonly options: Readonly<OutlierOptions>;
  private readonly limit: EjectionLimit;
  private readonly counts: WindowCounts;
  /** What it has added to the group's. */
  private readonly given: WindowCounts;
  private failuresInRow = 0;
  private localFaultsInRow = 0;
  private ejectionCount = 0;
  private untilMs = Number.NEGATIVE_INFINITY;
  private lastReason: EjectionReason | null = null;

  constructor(options: Readonly<OutlierOptions>, limit: EjectionLimit) {
    this.options = options;
    this.limit = limit;
    this.counts = new WindowCounts(options.windowMs / BUCKET_COUNT, BUCKET_COUNT, 3);
    this.given = answerCounts(options.windowMs);
  }

  /** Until when it is, or was last, ejected; -Infinity if it never was. */
  get ejectedUntilMs(): number {
    return this.untilMs;
  }

  /** Why it was ejected last. */
  get reason(): EjectionReason | null {
    return this.lastReason;
  }

  isEjected(nowMs: number): boolean {
    return nowMs < this.untilMs;
  }

  /** Begins with the ejections of another one of the same endpoint, if this group allows that. */
  adopt(previous: Outlier, nowMs: number): void {
    this.ejectionCount = previous.ejectionCount;
    this.lastReason = previous.lastReason;
    const isOut = previous.isEjected(nowMs) && this.limit.mayEject(this, nowMs);
    this.untilMs = isOut ? previous.untilMs : Math.min(previous.untilMs, nowMs);
    if (isOut) this.limit.ejected(this.untilMs);
  }

  /** A request has ended. Returns whether it is ejected for that. */
  observe(outcome: AnswerOutcome, latencyMs: number, nowMs: number): boolean {
    if (this.isEjected(nowMs)) return false;
    if (outcome === 'local-fault') {
      this.localFaultsInRow += 1;
      return reached(this.localFaultsInRow, this.options.localFailureCount) && this.eject('local-faults', nowMs);
    }
    this.localFaultsInRow = 0;
    this.count(ANSWERS, nowMs);
    if (outcome === 'success') {
      this.failuresInRow = 0;
      this.counts.add(LATENCY_MS, nowMs, latencyMs);
    } else {
      this.failuresInRow += 1;
      this.count(FAILURES, nowMs);
      const inRow = reached(this.failuresInRow, this.options.failureCount);
      if (inRow && this.standsOut(nowMs)) return this.eject('failures', nowMs);
    }
    return this.isFailing(nowMs) && this.standsOut(nowMs) && this.eject('failure-ratio', nowMs);
  }

  private count(kind: number, nowMs: number): void {
    this.counts.add(kind, nowMs);
    this.given.add(kind, nowMs);
    this.limit.answers.add(kind, nowMs);
  }

  /** Whether its share of failures is twice that of the others, or halfway from theirs to all where that is less. */
  private standsOut(nowMs: number): boolean {
    const { answers } = this.limit;
    const othersCount = answers.sum(ANSWERS, nowMs) - this.given.sum(ANSWERS, nowMs);
    if (othersCount < this.options.volumeMinCount) return true;
    const othersRatio = (answers.sum(FAILURES, nowMs) - this.given.sum(FAILURES, nowMs)) / othersCount;
    const ratio = this.counts.sum(FAILURES, nowMs) / this.counts.sum(ANSWERS, nowMs);
    return ratio >= Math.min(2 * othersRatio, (1 + othersRatio) / 2);
  }

  /** The average latency of its successes in the window, if there were enough answers to be judged by. */
  judgedLatencyMs(nowMs: number): number | null {
    const answerCount = this.counts.sum(ANSWERS, nowMs);
    if (this.isEjected(nowMs) || answerCount < this.options.volumeMinCount) return null;
    const successCount = answerCount - this.counts.sum(FAILURES, nowMs);
    return successCount > 0 ? this.counts.sum(LATENCY_MS, nowMs) / successCount : null;
  }

  /** Takes it out, if the group allows that. Returns whether it is out. */
  eject(reason: EjectionReason, nowMs: number): boolean {
    if (!this.limit.mayEject(this, nowMs)) return false;
    const { ejectMs, ejectMaxMs } = this.options;
    const forgottenCount = ejectMs > 0 ? Math.floor((nowMs - this.untilMs) / ejectMs) : 0;
    this.ejectionCount = Math.max(0, this.ejectionCount - forgottenCount) + 1;
    this.untilMs = nowMs + Math.min(ejectMaxMs, ejectMs * this.ejectionCount);
    this.lastReason = reason;
    this.failuresInRow = 0;
    this.localFaultsInRow = 0;
    this.counts.clear();
    this.limit.ejected(this.untilMs);
    return true;
  }

  private isFailing(nowMs: number): boolean {
    const { failureRatio, volumeMinCount } = this.options;
    if (failureRatio === null) return false;
    const failureCount = this.counts.sum(FAILURES, nowMs);
    const answerCount = this.counts.sum(ANSWERS, nowMs);
    return failureCount > 0 && answerCount >= volumeMinCount && failureCount / answerCount >= failureRatio;
  }
}

/** The endpoints that are compared with each other, and how many of them may be out at once. */
export class OutlierGroup implements EjectionLimit {
  readonly answers: WindowCounts;
  private readonly options: Readonly<OutlierOptions>;
  private readonly members = new Set<Outlier>();
  /** As of the last look; one of these has come back when `returnAtMs` is past. */
  private ejectedCount = 0;
  private returnAtMs = Number.POSITIVE_INFINITY;

  constructor(options: Readonly<OutlierOptions>) {
    this.options = options;
    this.answers = answerCounts(options.windowMs);
  }

  join(): Outlier {
    const member = new Outlier(this.options, this);
    this.members.add(member);
    return member;
  }

  /** It is no member any more; whether it was out does not count. */
  leave(member: Outlier): void {
    this.members.delete(member);
    // Counted anew at the next look.
    this.returnAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Ejects those that are too slow for the group, the slowest first. To be called now and then. Returns them. */
  sweep(nowMs: number): Outlier[] {
    const { latencyRatio, latencyMinMs } = this.options;
    if (latencyRatio === null) return [];
    const judged: { readonly member: Outlier; readonly latencyMs: number }[] = [];
    for (const member of this.members) {
      const latencyMs = member.judgedLatencyMs(nowMs);
      if (latencyMs !== null) judged.push({ member, latencyMs });
    }
    if (judged.length < MEDIAN_MIN_COUNT) return [];
    judged.sort((a, b) => b.latencyMs - a.latencyMs);
    // Of two in the middle the faster one.
    const medianMs = judged[judged.length >> 1]?.latencyMs ?? 0;
    return judged
      .filter(({ latencyMs }) => latencyMs >= latencyMinMs && medianMs <= latencyMs * latencyRatio)
      .map(({ member }) => member)
      .filter((member) => member.eject('latency', nowMs));
  }

  mayEject(member: Outlier, nowMs: number): boolean {
    if (!this.members.has(member)) return false;
    if (nowMs >= this.returnAtMs) this.look(nowMs);
    const allowedCount = Math.floor(this.members.size * this.options.ejectedMaxRatio);
    return this.ejectedCount < Math.min(allowedCount, this.members.size - 1);
  }

  ejected(untilMs: number): void {
    this.ejectedCount += 1;
    this.returnAtMs = Math.min(this.returnAtMs, untilMs);
  }

  private look(nowMs: number): void {
    this.ejectedCount = 0;
    this.returnAtMs = Number.POSITIVE_INFINITY;
    for (const member of this.members) {
      if (member.isEjected(nowMs)) this.ejected(member.ejectedUntilMs);
    }
  }
}

const answerCounts = (windowMs: number): WindowCounts => new WindowCounts(windowMs / BUCKET_COUNT, BUCKET_COUNT, 2);

function reached(count: number, limitCount: number | null): boolean {
  return limitCount !== null && count >= limitCount;
}
