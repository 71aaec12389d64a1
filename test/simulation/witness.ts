import type { NetworkWatcher, Sending } from '../../simulate/network.ts';
import type { ResponseObserver } from '../../src/core/client.ts';
import { Attempt } from '../../src/upstream/attempt.ts';

/** Sees every request that is sent to a server, and remembers what may not be. */
export class Witness implements Partial<NetworkWatcher> {
  /** The most attempts of one request that were under way at a time. */
  atOnceMaxCount = 0;
  /** The most that were under way at one server that had begun while its breaker was half-open. */
  trialMaxCount = 0;
  /** Requests to servers whose breakers were open, other than those that had been let through before they connected. */
  leakCount = 0;
  /** Attempts, and the requests that they are made for. */
  private readonly underWay = new Map<ResponseObserver, unknown>();
  /** Those that had begun while a breaker was half-open, and at which server. */
  private readonly trials = new Map<ResponseObserver, number>();

  readonly onSend = ({ endpoint, first, observer, server }: Sending): void => {
    const request = observer instanceof Attempt ? observer.owner : observer;
    this.underWay.set(observer, request);
    const atOnce = [...this.underWay.values()].filter((other) => other === request);
    this.atOnceMaxCount = Math.max(this.atOnceMaxCount, atOnce.length);
    const state = endpoint.standing.breaker?.state;
    if (state === 'open' && !first) this.leakCount += 1;
    if (state !== 'half-open') return;
    this.trials.set(observer, server);
    const count = [...this.trials.values()].filter((other) => other === server).length;
    this.trialMaxCount = Math.max(this.trialMaxCount, count);
  };

  readonly onEnd = (observer: ResponseObserver): void => {
    this.underWay.delete(observer);
    this.trials.delete(observer);
  };
}
