import type { OutgoingRequest, ResponseObserver } from '../../core/client.ts';
import { passed } from '../../core/deadlines.ts';
import { Failure } from '../../core/failure.ts';

/** A request that asks for another protocol. */
export interface UpgradeAsk {
  readonly request: OutgoingRequest;
  readonly observer: ResponseObserver;
}

/** Extended CONNECT may not be sent before the server's first SETTINGS have said that it is understood (RFC 8441 §3). */
export class UpgradeQueue {
  private asks: UpgradeAsk[] = [];
  private sinceMs: number | null = null;

  get count(): number {
    return this.asks.length;
  }

  push(request: OutgoingRequest, observer: ResponseObserver): void {
    this.asks.push({ request, observer });
  }

  /** Takes one out again; `false` when it is not here. */
  remove(observer: ResponseObserver): boolean {
    const countBefore = this.asks.length;
    this.asks = this.asks.filter((ask) => ask.observer !== observer);
    if (this.asks.length === 0) this.sinceMs = null;
    return this.asks.length < countBefore;
  }

  /** Takes all of them out. */
  takeAll(): readonly UpgradeAsk[] {
    const { asks } = this;
    this.asks = [];
    this.sinceMs = null;
    return asks;
  }

  /** Whether they have waited too long. */
  overdue(nowMs: number, timeoutMs: number | null): boolean {
    if (this.asks.length === 0) return false;
    this.sinceMs ??= nowMs;
    return passed(this.sinceMs, timeoutMs, nowMs);
  }
}

export const unsupportedUpgrade = (): Failure =>
  new Failure('upgrade-unsupported', 'The upstream does not offer it over HTTP/2 (RFC 8441).');
