/** How a server and the way to it are at a moment. */
export interface Condition {
  /**
   * `open`: all is well. `down`: nothing listens, connections are refused, and those that were open are reset. `leaving`:
   * the same in an orderly manner: what is being answered is answered, and connections are closed when they are idle.
   * `cut`: no packet arrives in either direction. `hung`: connections are accepted, and what is asked is never answered.
   */
  readonly reach: 'open' | 'down' | 'leaving' | 'cut' | 'hung';
  /** So many times as long as usual is each request worked at. */
  readonly slowness: number;
  /** This share of requests is answered with 503 at once. */
  readonly errorRatio: number;
}

export const WELL: Condition = { reach: 'open', slowness: 1, errorRatio: 0 };

/** From this moment on these servers are in this condition. */
export interface Turn {
  readonly atMs: number;
  /** Numbers of servers, from 0. */
  readonly servers: readonly number[];
  /** What is not said is well. */
  readonly condition: Partial<Condition>;
}

/** Servers are in a condition for a while, and then well again. */
export function spell(
  fromMs: number,
  untilMs: number,
  servers: readonly number[],
  condition: Partial<Condition>,
): readonly Turn[] {
  return [
    { atMs: fromMs, servers, condition },
    { atMs: untilMs, servers, condition: {} },
  ];
}
