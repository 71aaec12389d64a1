import type { Clock } from '../../core/clock.ts';
import { channel, type LimitReason } from '../../core/events.ts';
import { Failure } from '../../core/failure.ts';
import type { Handler, Layer } from '../../core/handler.ts';
import { withBodyMode } from '../../core/handler.ts';
import type { HttpResponse } from '../../core/message.ts';
import type { Measure, Measured } from '../../core/metrics.ts';
import type { HttpRequest, RequestClass } from '../../core/request.ts';
import type { QueueControl } from '../../policy/codel.ts';
import type { ConcurrencyOutcome } from '../../policy/concurrency/limiter.ts';
import type { Answer } from '../response.ts';
import {
  type AnyLimiter,
  type ConcurrencyLimitOptions,
  concurrencyOptions,
  makeLimiter,
  makeQueueControl,
} from './concurrency-options.ts';
import { ConcurrencyQueue } from './concurrency-queue.ts';
import { LimitCounts } from './limit-counts.ts';
import { overloadRefusal } from './refusal.ts';
import { classReader } from './shed-class.ts';
import { outcomeOfError, Visit, type VisitOwner } from './visit.ts';
import type { Waiting } from './waiting.ts';

const admits = channel('limit:admit');
const refuses = channel('limit:refuse');
const changes = channel('limit:change');

/** How a concurrency limit stands. */
export interface ConcurrencyStatus {
  /** Requests that may run at once now. */
  readonly limitCount: number;
  readonly inFlightCount: number;
  readonly waitingCount: number;
  /** Tenants of whom something waits. */
  readonly waitingTenantCount: number;
  readonly admittedCount: number;
  /** Of these, those that had to wait. */
  readonly delayedCount: number;
  readonly refusedCount: number;
}

/** The layer, and how it stands. */
export interface ConcurrencyLimit extends Layer, Measured {
  status(): ConcurrencyStatus;
}

/**
 * Lets so many requests run at once; more wait in a bounded queue for their turn, or are answered 503 (`overloaded`) with
 * `retry-after`. A place is kept until the answer has been sent to its end; a body that is whole, and a long-lived
 * stream (WebSocket, server-sent events, tunnel) give it back with the answer's head.
 *
 * All handlers that one layer is put around share its places. Bodies that are read for a handler are read before it takes
 * a place. Throws `TypeError` for wrong options.
 */
export function concurrencyLimit(given?: Partial<ConcurrencyLimitOptions>): ConcurrencyLimit {
  const places = new Places(concurrencyOptions(given));
  const layer: Layer = (inner) => withBodyMode((request) => places.answer(request, inner), inner.bodyMode);
  return Object.assign(layer, {
    status: () => places.status(),
    measure: (take: Measure, place = '') => places.measure(take, place),
  });
}

class Places implements VisitOwner {
  readonly clock: Clock;
  readonly abandonMs: number | null;
  private readonly options: ConcurrencyLimitOptions;
  private readonly limiter: AnyLimiter;
  private readonly queue: ConcurrencyQueue | null;
  private readonly control: QueueControl | null;
  private readonly classOf: (request: HttpRequest) => RequestClass | null;
  private readonly refusal: HttpResponse;
  private readonly counts = new LimitCounts();
  /** A fixed limit learns nothing, so it need not know how long anything took. */
  private readonly learns: boolean;

  constructor(options: ConcurrencyLimitOptions) {
    const { queueMaxCount } = options;
    this.options = options;
    this.clock = options.clock;
    this.abandonMs = options.abandonMs;
    this.limiter = makeLimiter(options);
    this.control = makeQueueControl(options.codel);
    this.queue = queueMaxCount === null ? null : new ConcurrencyQueue(options, queueMaxCount);
    this.classOf = classReader(options);
    this.refusal = overloadRefusal(options.retryAfterMs);
    this.learns = options.adaptive !== null;
  }

  status(): ConcurrencyStatus {
    const { admittedCount, delayedCount, refusedCount } = this.counts;
    return {
      limitCount: this.limiter.limitCount,
      inFlightCount: this.limiter.inFlightCount,
      waitingCount: this.queue?.count ?? 0,
      waitingTenantCount: this.queue?.tenantCount ?? 0,
      admittedCount,
      delayedCount,
      refusedCount,
    };
  }

  measure(take: Measure, place: string): void {
    const at = { limit: this.options.name, place };
    const { limitCount, inFlightCount, waitingCount } = this.status();
    this.counts.measure(take, 'concurrencyLimit', at);
    take('sluice_concurrency_limit', at, limitCount);
    take('sluice_concurrency_requests_running', at, inFlightCount);
    take('sluice_concurrency_requests_waiting', at, waitingCount);
  }

  answer(request: HttpRequest, inner: Handler): Answer {
    const shedClass = this.classOf(request);
    if (shedClass === null) return inner(request);
    if (this.enter()) return this.run(request, inner, null);
    const place = this.queue?.offer(request, shedClass) ?? 'queue-full';
    return typeof place === 'string' ? this.refuse(request, place) : this.wait(request, inner, place);
  }

  now(): number {
    return this.learns ? this.clock.now() : 0;
  }

  leave(rttMs: number, outcome: ConcurrencyOutcome, nowMs: number): void {
    if (!this.learns) this.limiter.release(0, 'ignored', 0);
    else {
      const before = this.limiter.limitCount;
      this.limiter.release(rttMs, outcome, nowMs);
      const { limitCount } = this.limiter;
      if (limitCount !== before && changes.heard) changes.publish({ name: this.options.name, limitCount });
    }
    if (this.queue !== null && this.queue.count > 0) this.callIn(this.queue);
  }

  /** Takes a free place. While others wait there is none, so nobody passes them. */
  private enter(): boolean {
    if (!this.limiter.acquire()) return false;
    this.control?.refuse(0, this.clock.now(), 0);
    return true;
  }

  /** Gives free places to those who wait. They run in turns of their own, not in that of who has left. */
  private callIn(queue: ConcurrencyQueue): void {
    const nowMs = this.clock.now();
    while (queue.count > 0 && this.limiter.inFlightCount < this.limiter.limitCount) {
      const waiting = queue.take();
      if (waiting === undefined) return;
      if (this.control?.refuse(nowMs - waiting.sinceMs, nowMs, queue.count) === true) waiting.finish('codel');
      else {
        this.limiter.acquire();
        waiting.finish('turn');
      }
    }
  }

  private async wait(request: HttpRequest, inner: Handler, waiting: Waiting): Promise<HttpResponse> {
    const end = await waiting.ended;
    if (end instanceof Failure) throw end;
    if (end !== 'turn') return this.refuse(request, end, waiting.tenant);
    if (waiting.failure !== null) {
      this.leave(0, 'ignored', this.now());
      throw waiting.failure;
    }
    return this.run(request, inner, waiting);
  }

  /** `waited`: as what it has waited; `null`: not at all. */
  private run(request: HttpRequest, inner: Handler, waited: Waiting | null): Answer {
    const sinceMs = this.now();
    let answer: Answer;
    try {
      this.admit(request, waited);
      answer = inner(request);
    } catch (error) {
      const nowMs = this.now();
      this.leave(nowMs - sinceMs, outcomeOfError(error), nowMs);
      throw error;
    }
    const visit = new Visit(this, request, sinceMs);
    if (answer instanceof Promise) return visit.follow(answer);
    visit.end(answer);
    return answer;
  }

  private tenantOf(request: HttpRequest): string {
    return this.queue?.tenantOf(request) ?? '';
  }

  private refuse(request: HttpRequest, reason: LimitReason, tenant?: string): HttpResponse {
    this.counts.refuse(reason);
    if (refuses.heard) {
      const { name, retryAfterMs } = this.options;
      const key = tenant ?? this.tenantOf(request);
      refuses.publish({ layer: 'concurrencyLimit', name, requestId: request.id, key, reason, retryAfterMs });
    }
    return this.refusal;
  }

  private admit(request: HttpRequest, waited: Waiting | null): void {
    this.counts.admit(waited !== null);
    if (!admits.heard) return;
    const { name } = this.options;
    const key = waited?.tenant ?? this.tenantOf(request);
    const waitMs = waited === null ? 0 : this.clock.now() - waited.sinceMs;
    admits.publish({ layer: 'concurrencyLimit', name, requestId: request.id, key, waitMs });
  }
}
