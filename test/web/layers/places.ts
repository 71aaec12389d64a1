import { Failure } from '../../../src/core/failure.ts';
import type { Handler } from '../../../src/core/handler.ts';
import type { HttpResponse } from '../../../src/core/message.ts';
import { type ConcurrencyLimit, concurrencyLimit } from '../../../src/web/layers/concurrency-limit.ts';
import type { ConcurrencyLimitOptions } from '../../../src/web/layers/concurrency-options.ts';
import { reply } from '../../../src/web/reply.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { FakeExchange, makeRequest, type RequestParts } from '../../support/request.ts';

/** A request that was sent through a limit to a handler that answers when the test says. */
export class Sent {
  readonly exchange = new FakeExchange();
  /** The status, the name of what was thrown, or `null` while nothing is known. */
  outcome: number | string | null = null;
  response: HttpResponse | null = null;
  /** Set while its handler runs. */
  answer: ((response: HttpResponse) => void) | null = null;
  fail: ((error: unknown) => void) | null = null;
  readonly settled: Promise<void>;

  constructor(handler: Handler, path: string, parts: RequestParts, running: Map<FakeExchange, Sent>) {
    running.set(this.exchange, this);
    this.settled = Promise.try(() => handler(makeRequest('GET', path, { ...parts, exchange: this.exchange }))).then(
      (response) => {
        this.response = response;
        this.outcome = response.status;
      },
      (error: unknown) => {
        this.outcome = error instanceof Failure ? error.code : String(error);
      },
    );
  }

  get running(): boolean {
    return this.answer !== null;
  }

  /** Its handler answers, and the engine sends that. */
  async end(response: HttpResponse = reply.text('ok')): Promise<void> {
    this.answer?.(response);
    await turn();
    this.exchange.conclude();
  }

  /** The client leaves, and the handler stops as it should, or goes on. */
  async leave(stops = true, code: 'client-gone' | 'handler-timeout' = 'client-gone'): Promise<void> {
    const failure = new Failure(code);
    this.exchange.abort(failure);
    if (stops) this.fail?.(failure);
    await turn();
    this.exchange.conclude();
  }
}

/** A limit around a handler of the test's, on a clock that stands still. */
export class Limited {
  readonly clock = new ManualClock();
  readonly limit: ConcurrencyLimit;
  private readonly handler: Handler;
  private readonly sent = new Map<FakeExchange, Sent>();

  constructor(options: Partial<ConcurrencyLimitOptions>) {
    this.limit = concurrencyLimit({ clock: this.clock, ...options });
    this.handler = this.limit((request) => {
      const sent = [...this.sent.values()].find(({ exchange }) => request.signal === exchange.signal());
      return new Promise((resolve, reject) => {
        if (sent === undefined) return;
        sent.answer = resolve;
        sent.fail = reject;
      });
    });
  }

  send(parts: RequestParts = {}, path = '/'): Sent {
    return new Sent(this.handler, path, parts, this.sent);
  }

  /** How many run and wait now. */
  get counts(): readonly [running: number, waiting: number] {
    const { inFlightCount, waitingCount } = this.limit.status();
    return [inFlightCount, waitingCount];
  }
}

/** Lets promises settle. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
