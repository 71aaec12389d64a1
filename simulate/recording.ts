import type { EndpointStatus } from '../src/upstream/status.ts';
import type { Outcome } from './load.ts';

/** A second, or whatever a bin is. */
export interface Bin {
  askedCount: number;
  /** Answered well. */
  goodCount: number;
  errorCount: number;
  /** Requests sent to a server, and connections that could not be opened. */
  attemptCount: number;
  /** Of those that were answered well. */
  readonly latenciesMs: number[];
  /** Attempts, by server. */
  readonly shares: number[];
}

/** What an endpoint is taken for. */
export type EndpointState = 'well' | 'half-open' | 'open' | 'ejected' | 'unhealthy';

/** An endpoint is taken for something else from now on. */
export interface StateChange {
  readonly atMs: number;
  readonly server: number;
  readonly state: EndpointState;
}

/** A request is sent again: what has become of the attempt before. */
export interface Retry {
  readonly atMs: number;
  readonly code: string;
}

/** What happened in a run, as it happened. */
export class Recording {
  readonly bins: readonly Bin[];
  readonly binMs: number;
  readonly changes: StateChange[] = [];
  /** When requests came. */
  readonly askedMs: number[] = [];
  readonly retries: Retry[] = [];
  /** How often requests ended in other ways than well. */
  readonly errors = new Map<Outcome, number>();
  private readonly states: EndpointState[] = [];

  constructor(durationMs: number, binMs: number, serverCount: number) {
    this.binMs = binMs;
    this.bins = Array.from({ length: Math.ceil(durationMs / binMs) }, () => ({
      askedCount: 0,
      goodCount: 0,
      errorCount: 0,
      attemptCount: 0,
      latenciesMs: [],
      shares: new Array<number>(serverCount).fill(0),
    }));
  }

  asked(nowMs: number): void {
    this.askedMs.push(nowMs);
    const bin = this.bin(nowMs);
    if (bin !== undefined) bin.askedCount += 1;
  }

  attempted(server: number, nowMs: number): void {
    const bin = this.bin(nowMs);
    if (bin === undefined) return;
    bin.attemptCount += 1;
    bin.shares[server] = (bin.shares[server] ?? 0) + 1;
  }

  retried(code: string, atMs: number): void {
    this.retries.push({ atMs, code });
  }

  /** Ends are counted where the request began, so that a bin adds up. */
  ended(outcome: Outcome, latencyMs: number, nowMs: number): void {
    const bin = this.bin(nowMs - latencyMs);
    if (bin === undefined) return;
    if (outcome === 200) {
      bin.goodCount += 1;
      bin.latenciesMs.push(latencyMs);
      return;
    }
    bin.errorCount += 1;
    this.errors.set(outcome, (this.errors.get(outcome) ?? 0) + 1);
  }

  /** How endpoints stand now, each with the number of its server. */
  looked(endpoints: readonly (readonly [server: number, endpoint: EndpointStatus])[], nowMs: number): void {
    for (const [server, endpoint] of endpoints) {
      const state = stateOf(endpoint);
      if (state === (this.states[server] ?? 'well')) continue;
      this.states[server] = state;
      this.changes.push({ atMs: nowMs, server, state });
    }
  }

  private bin(atMs: number): Bin | undefined {
    return this.bins[Math.min(Math.floor(atMs / this.binMs), this.bins.length - 1)];
  }
}

function stateOf({ breaker, ejectedForMs, health }: EndpointStatus): EndpointState {
  if (ejectedForMs !== null) return 'ejected';
  if (health === 'unhealthy') return 'unhealthy';
  return breaker === 'closed' ? 'well' : breaker;
}
