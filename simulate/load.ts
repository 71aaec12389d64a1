import type { Clock } from '../src/core/clock.ts';
import { Failure } from '../src/core/failure.ts';
import type { Handler } from '../src/core/handler.ts';
import { FakeExchange, makeRequest, type RequestParts } from '../test/support/request.ts';
import { exponential, type Random } from './random.ts';

/** How a request ended: with a status, or with the code of a failure. */
export type Outcome = number | string;

/** Who is told of requests. */
export interface LoadWatcher {
  onAsk(): void;
  onAnswer(outcome: Outcome, latencyMs: number): void;
}

/** So many requests per second come from one moment to another. */
export interface Phase {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly perSec: number;
}

/** What a request has besides its path, drawn for each. */
export type RequestMaker = (random: Random) => Omit<RequestParts, 'exchange'>;

/** Requests that come when they come, whatever becomes of those before (open loop; Poisson). */
export class Load {
  /** Requests that are not answered. */
  waitingCount = 0;
  private readonly handler: Handler;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly patienceMs: number;
  private readonly watcher: LoadWatcher;
  private readonly make: RequestMaker;

  /** After `patienceMs` a client goes away. */
  constructor(
    handler: Handler,
    clock: Clock,
    random: Random,
    patienceMs: number,
    watcher: LoadWatcher,
    make: RequestMaker = () => ({}),
  ) {
    this.handler = handler;
    this.clock = clock;
    this.random = random;
    this.patienceMs = patienceMs;
    this.watcher = watcher;
    this.make = make;
  }

  /** The same for each phase. */
  beginPhases(phases: readonly Phase[]): void {
    for (const { fromMs, untilMs, perSec } of phases) {
      this.clock.after(fromMs, () => this.begin(() => perSec, untilMs));
    }
  }

  /** Requests come until `untilMs`, so many per second at that time. */
  begin(perSecAt: (nowMs: number) => number, untilMs: number): void {
    const { clock, random } = this;
    const next = (): void => {
      const gapMs = exponential(random, 1000 / perSecAt(clock.now()));
      clock.after(gapMs, () => {
        if (clock.now() >= untilMs) return;
        void this.ask();
        next();
      });
    };
    next();
  }

  private async ask(): Promise<void> {
    const { clock, watcher } = this;
    const sinceMs = clock.now();
    const exchange = new FakeExchange();
    const patience = clock.after(this.patienceMs, () => exchange.abort(new Failure('client-gone')));
    this.waitingCount += 1;
    watcher.onAsk();
    const outcome = await this.outcomeOf(exchange);
    patience.cancel();
    exchange.conclude();
    this.waitingCount -= 1;
    watcher.onAnswer(outcome, clock.now() - sinceMs);
  }

  private async outcomeOf(exchange: FakeExchange): Promise<Outcome> {
    try {
      return (await this.handler(makeRequest('GET', '/', { ...this.make(this.random), exchange }))).status;
    } catch (error) {
      if (error instanceof Failure) return error.code;
      throw error;
    }
  }
}
