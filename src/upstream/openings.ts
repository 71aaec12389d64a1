import type { Clock } from '../core/clock.ts';
import type { Failure } from '../core/failure.ts';
import { Connecting } from './connecting.ts';
import type { Dial, Dialled } from './dial.ts';
import type { Endpoint } from './endpoint.ts';

/** Who takes what an opening comes to. One of the two is called once for each, later, unless it is cancelled. */
export interface OpeningObserver {
  onConnected(connecting: Connecting, dialled: Dialled): void;
  onFailed(connecting: Connecting, failure: Failure): void;
}

/**
 * Connections that are being opened, and which of them one more request may wait for: where connections carry many, the last
 * one that was begun; elsewhere one that nobody waits for any more, because others have served them, or that was begun in
 * reserve.
 */
export class Openings {
  private readonly all = new Set<Connecting>();
  private readonly dial: Dial;
  private readonly clock: Clock;
  private readonly streamMaxCount: number;
  private readonly observer: OpeningObserver;

  constructor(dial: Dial, clock: Clock, streamMaxCount: number, observer: OpeningObserver) {
    this.dial = dial;
    this.clock = clock;
    this.streamMaxCount = streamMaxCount;
    this.observer = observer;
  }

  begin(endpoint: Endpoint): Connecting {
    const connecting = new Connecting(
      endpoint,
      this.clock.now(),
      this.dial,
      (self, dialled) => this.observer.onConnected(self, dialled),
      (self, failure) => this.observer.onFailed(self, failure),
    );
    this.all.add(connecting);
    endpoint.connectingCount += 1;
    if (endpoint.multiplexes) endpoint.opening = connecting;
    else endpoint.unwanted.push(connecting);
    return connecting;
  }

  /** It is over, however it went. */
  end(connecting: Connecting): void {
    const { endpoint } = connecting;
    this.all.delete(connecting);
    endpoint.connectingCount -= 1;
    if (endpoint.opening === connecting) endpoint.opening = null;
    takeOut(endpoint.unwanted, connecting);
  }

  /** What one more request to this endpoint may wait for. */
  joinable({ opening, unwanted }: Endpoint): Connecting | null {
    if (opening !== null && opening.waiterCount < this.streamMaxCount) return opening;
    return unwanted.at(-1) ?? null;
  }

  /** More requests wait for it, or fewer. */
  waitersChanged(connecting: Connecting): void {
    const { endpoint, waiterCount } = connecting;
    if (waiterCount > 0) takeOut(endpoint.unwanted, connecting);
    else if (this.all.has(connecting) && endpoint.opening !== connecting) endpoint.unwanted.push(connecting);
  }

  /** Gives up those that take longer. What becomes of them is for the caller, as with any other that has failed. */
  expire(connectMs: number, nowMs: number, expired: (connecting: Connecting) => void): void {
    for (const connecting of this.all) {
      if (nowMs - connecting.sinceMs < connectMs) continue;
      connecting.cancel();
      expired(connecting);
    }
  }

  /** Gives up those that nobody waits for, to one endpoint; `null`: all, whoever waits. */
  cancel(endpoint: Endpoint | null, cancelled: (connecting: Connecting) => void): void {
    for (const connecting of this.all) {
      if (endpoint !== null && (connecting.endpoint !== endpoint || connecting.waiterCount > 0)) continue;
      connecting.cancel();
      cancelled(connecting);
    }
  }
}

function takeOut(list: Connecting[], connecting: Connecting): void {
  const at = list.lastIndexOf(connecting);
  if (at !== -1) list.splice(at, 1);
}
