import { onEvent } from '../../src/core/events.ts';
import { Failure } from '../../src/core/failure.ts';
import type { Handler } from '../../src/core/handler.ts';
import { proxy } from '../../src/upstream/forward.ts';
import { UpstreamGroup } from '../../src/upstream/group.ts';
import type { UpstreamOptions } from '../../src/upstream/options.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { FakeExchange, makeRequest, type RequestParts } from '../support/request.ts';
import { MemoryAttempt, type MemoryConnection } from './memory.ts';
import { turns } from './scripted.ts';

/** After so long another endpoint is asked, too. */
export const HEDGE_AFTER_MS = 50;

/** A request, and what has become of it. */
export class Asked {
  readonly exchange: FakeExchange;
  /** Statuses and failures that its client has got; one, once it has. */
  readonly outcomes: (number | string)[] = [];

  constructor(handler: Handler, method: string, parts: RequestParts) {
    this.exchange = new FakeExchange();
    const request = makeRequest(method, '/', { exchange: this.exchange, ...parts });
    Promise.try(() => handler(request)).then(
      ({ status }) => this.outcomes.push(status),
      (error: unknown) => this.outcomes.push(error instanceof Failure ? error.code : String(error)),
    );
  }

  /** Once promises have had their turn. */
  async outcome(): Promise<number | string | undefined> {
    await turns(1);
    return this.outcomes.length > 1 ? this.outcomes.join() : this.outcomes[0];
  }

  leave(): void {
    this.exchange.abort(new Failure('client-gone'));
  }
}

/** An upstream whose requests may be sent twice, over connections in memory. The n-th endpoint is http://127.0.0.1:n, from 1. */
export class Hedging implements Disposable {
  readonly clock = new ManualClock();
  readonly group: UpstreamGroup;
  readonly attempts: MemoryAttempt[] = [];
  /** What was said of hedges: where they went, and as which attempt. */
  readonly hedges: string[] = [];
  spentCount = 0;
  private readonly handler: Handler;
  private readonly connections = new Map<MemoryAttempt, MemoryConnection>();
  private readonly stops: (() => void)[];

  constructor({ retry, ...given }: Partial<UpstreamOptions> = {}, endpointCount = 2) {
    const endpoints = Array.from({ length: endpointCount }, (_, index) => `http://127.0.0.1:${index + 1}`);
    const hedging = { hedgeAfterMs: HEDGE_AFTER_MS, backoffMs: 0, ...retry };
    const options = { endpoints, clock: this.clock, random: () => 0, ...given, retry: hedging };
    this.group = new UpstreamGroup(options, (endpoint, observer) => {
      const attempt = new MemoryAttempt(endpoint, observer, this.group.life);
      this.attempts.push(attempt);
      return attempt;
    });
    this.handler = proxy(this.group, { via: 'me', upgrade: ['websocket'] });
    this.stops = [
      onEvent('upstream:hedge', ({ endpoint, attemptCount }) => this.hedges.push(`${endpoint.at(-1)} ${attemptCount}`)),
      onEvent('upstream:spent', ({ kind }) => (this.spentCount += kind === 'hedge' ? 1 : 0)),
    ];
  }

  ask(method = 'GET', parts: RequestParts = {}): Asked {
    return new Asked(this.handler, method, parts);
  }

  /** Asks, and time passes until another endpoint may be asked, too. Connections are opened as they are wanted. */
  askTwice(method = 'GET', parts: RequestParts = {}): Asked {
    const asked = this.ask(method, parts);
    this.open();
    this.clock.advance(HEDGE_AFTER_MS);
    this.open();
    return asked;
  }

  /** All connections that are being opened are. */
  open(): void {
    for (const attempt of this.attempts) if (attempt.open) this.connect(attempt);
  }

  connect(attempt: MemoryAttempt): void {
    this.connections.set(attempt, attempt.connect(1, false));
  }

  /** All connections that were opened. */
  get opened(): readonly MemoryConnection[] {
    return [...this.connections.values()];
  }

  /** The last connection to the n-th endpoint. */
  at(endpoint: number): MemoryConnection {
    const connection = [...this.connections].findLast(([attempt]) => attempt.endpoint.id.endsWith(`:${endpoint}`))?.[1];
    if (connection === undefined) throw new Error(`there is no connection to endpoint ${endpoint}`);
    return connection;
  }

  /** What each endpoint answers now. */
  get activeCounts(): number[] {
    return this.group.endpoints().map(({ activeCount }) => activeCount);
  }

  /** Whether nothing is left of any request: neither in the pool nor on the clock, but for its sweep. */
  get idle(): boolean {
    const { endpoints, waitingCount } = this.group.status();
    const openCount = endpoints.reduce((sum, { idleCount }) => sum + idleCount, 0);
    return (
      waitingCount === 0 && this.activeCounts.every((count) => count === 0) && this.group.life.liveCount === openCount
    );
  }

  [Symbol.dispose](): void {
    this.group.close();
    for (const stop of this.stops) stop();
  }
}
