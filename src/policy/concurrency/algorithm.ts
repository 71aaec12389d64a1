/** What was seen in one window of time. */
export interface ConcurrencySample {
  /** The least round trip, or the percentile asked for. */
  readonly rttMs: number;
  /** The most requests that ran at once. */
  readonly inFlightMaxCount: number;
  /** A request was dropped for overload: timed out, refused, 503. */
  readonly dropped: boolean;
}

/** Where an algorithm stands. Only `limit` means something to others; it has fractions, of which the whole part counts. */
export interface ConcurrencyState {
  readonly limit: number;
}

/** An algorithm that finds how many requests should run at once. Pure: the state goes in and comes out. */
export interface ConcurrencyAlgorithm<State extends ConcurrencyState> {
  readonly start: State;
  next(state: State, sample: ConcurrencySample, nowMs: number): State;
}

/** The limit that stays what it is. */
export function fixedLimit(requestMaxCount: number): ConcurrencyAlgorithm<ConcurrencyState> {
  return { start: { limit: requestMaxCount }, next: (state) => state };
}
