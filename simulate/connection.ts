import type {
  ClientCloseReason,
  ClientConnection,
  ClientConnectionOwner,
  OutgoingRequest,
  ResponseObserver,
} from '../src/core/client.ts';
import { Failure } from '../src/core/failure.ts';
import { HeaderFields } from '../src/core/headers.ts';
import type { Lifecycle } from '../src/core/lifecycle.ts';
import type { Link } from './link.ts';
import type { ServerSide } from './server.ts';

const NO_HEADERS = HeaderFields.from({});

/** One request on a connection. */
interface Exchange {
  readonly observer: ResponseObserver;
  readonly deadlineMs: number | null;
  /** When the first sweep saw it: as with the real ones, no deadline comes early. */
  sinceMs: number | null;
  /** The server has it. */
  arrived: boolean;
}

/** Who is told what goes over a connection. */
export interface ConnectionWatcher {
  /** `first`: the first one on its connection. */
  onSend(observer: ResponseObserver, first: boolean, request: OutgoingRequest): void;
  onEnd(observer: ResponseObserver): void;
}

/** A connection to a simulated server, and what that server sees of it. */
export class SimulatedConnection implements ClientConnection, ServerSide {
  readonly life: Lifecycle;
  reused = false;
  readonly keepAliveMs = null;
  gone = false;
  private readonly link: Link;
  private readonly owner: ClientConnectionOwner;
  private readonly watcher: ConnectionWatcher;
  private readonly streamMaxCount: number;
  private readonly headTimeoutMs: number;
  private readonly running = new Map<ResponseObserver, Exchange>();
  private begun: boolean;
  private sentCount = 0;
  /** The server has closed its side. */
  private left = false;
  /** We know that it has. */
  private goingAway = false;

  /** `streamMaxCount`: 1 is HTTP/1.1. `begun`: a request is about to be sent. */
  constructor(
    link: Link,
    parent: Lifecycle,
    owner: ClientConnectionOwner,
    watcher: ConnectionWatcher,
    streamMaxCount: number,
    headTimeoutMs: number,
    begun: boolean,
  ) {
    this.link = link;
    this.owner = owner;
    this.watcher = watcher;
    this.streamMaxCount = streamMaxCount;
    this.headTimeoutMs = headTimeoutMs;
    this.begun = begun;
    link.server.connections.add(this);
    this.life = parent.open({ onClose: (reason) => this.closed(reason) }, begun);
  }

  get availableCount(): number {
    if (this.goingAway || this.life.phase !== 'accepting') return 0;
    return this.streamMaxCount - this.running.size;
  }

  send(request: OutgoingRequest, observer: ResponseObserver): void {
    const first = this.sentCount === 0;
    this.sentCount += 1;
    if (this.begun) this.begun = false;
    else if (!this.life.begin()) {
      observer.onFail(new Failure('upstream-stale'));
      return;
    }
    if (this.running.size >= this.streamMaxCount) throw new Error('a request on a connection that has no room for it');
    const exchange = { observer, deadlineMs: request.deadlineMs, sinceMs: null, arrived: false };
    this.running.set(observer, exchange);
    this.watcher.onSend(observer, first, request);
    this.link.carry(() => this.arrive(exchange));
  }

  abort(observer: ResponseObserver): void {
    if (!this.running.has(observer)) return;
    if (this.streamMaxCount > 1) this.finish(observer);
    else {
      this.forget(observer);
      this.close('aborted');
    }
  }

  sweep(nowMs: number): void {
    for (const exchange of [...this.running.values()]) {
      exchange.sinceMs ??= nowMs;
      if (exchange.deadlineMs !== null && nowMs >= exchange.deadlineMs) this.expire(exchange, 'upstream-deadline');
      else if (nowMs - exchange.sinceMs >= this.headTimeoutMs) this.expire(exchange, 'upstream-head-timeout');
    }
  }

  close(reason: ClientCloseReason): void {
    this.life.close(reason);
  }

  // ── the server's side ───────────────────────────────────────────────────────────────────────────────────────────

  private arrive(exchange: Exchange): void {
    const { server } = this.link;
    // Whoever closed it has told, or will.
    if (this.gone || this.left) return;
    if (server.condition.reach === 'down') {
      this.reset();
      return;
    }
    exchange.arrived = true;
    server.take(this, (status) => this.link.carry(() => this.deliver(exchange, status)));
  }

  leave(): void {
    if (this.left) return;
    this.left = true;
    this.link.server.connections.delete(this);
    this.link.carry(() => this.goAway());
  }

  reset(): void {
    if (this.gone) return;
    this.gone = true;
    this.link.server.connections.delete(this);
    this.link.carry(() => this.cutOff('peer-error'));
  }

  // ── what comes back ─────────────────────────────────────────────────────────────────────────────────────────────

  private deliver(exchange: Exchange, status: number): void {
    const { observer } = exchange;
    if (this.running.get(observer) !== exchange) return;
    this.reused = true;
    this.finish(observer);
    observer.onResponse(status, this.streamMaxCount > 1 ? 'HTTP/2' : 'HTTP/1.1', NO_HEADERS, null);
  }

  /** FIN, or GOAWAY: what the server had by then is still answered. */
  private goAway(): void {
    if (this.life.phase === 'closed') return;
    this.goingAway = true;
    const unseen = [...this.running.values()].filter(({ arrived }) => !arrived);
    if (this.streamMaxCount === 1) {
      if (unseen.length > 0) this.cutOff('peer-closed');
    } else {
      for (const { observer } of unseen) {
        this.finish(observer);
        observer.onFail(new Failure('upstream-refused'));
      }
    }
    this.closeIfDone();
  }

  private cutOff(reason: 'peer-closed' | 'peer-error'): void {
    if (this.life.phase === 'closed') return;
    this.failAll(() => new Failure(this.reused ? 'upstream-stale' : 'upstream-reset'), reason);
  }

  // ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────

  private expire({ observer }: Exchange, code: 'upstream-deadline' | 'upstream-head-timeout'): void {
    if (this.streamMaxCount === 1) this.failAll(() => new Failure(code), 'timeout');
    else {
      this.finish(observer);
      observer.onFail(new Failure(code));
    }
  }

  /** The order is that of the real ones: the connection is gone before its requests hear of it. */
  private failAll(failure: () => Failure, reason: ClientCloseReason): void {
    const observers = [...this.running.keys()];
    for (const observer of observers) this.forget(observer);
    this.close(reason);
    for (const observer of observers) observer.onFail(failure());
  }

  private forget(observer: ResponseObserver): void {
    this.running.delete(observer);
    this.watcher.onEnd(observer);
  }

  /** A request has come to its end, and the connection goes on. */
  private finish(observer: ResponseObserver): void {
    this.forget(observer);
    this.life.end();
    if (this.goingAway) this.closeIfDone();
    else if (this.life.phase === 'accepting') this.owner.onFree(this);
  }

  private closeIfDone(): void {
    if (this.running.size === 0) this.close('peer-closed');
  }

  private closed(reason: string): void {
    const observers = [...this.running.keys()];
    for (const observer of observers) this.forget(observer);
    this.link.carry(() => {
      this.gone = true;
      this.link.server.connections.delete(this);
    });
    for (const observer of observers) observer.onFail(new Failure('server-draining'));
    this.owner.onClose(this, reason);
  }
}
