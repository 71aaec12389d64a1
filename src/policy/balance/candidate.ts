/** One that may be chosen to answer a request. What it says of itself may change; the balancer is then told so. */
export interface Candidate {
  /** Who it is, unlike any other. Hashing goes by this and not by the order in which candidates came. */
  readonly id: string;
  /** Its share relative to the others; counts from 0.001 to 1 000 000. */
  readonly weight: number;
  /** Requests it is answering, and those that wait until it can be reached. */
  readonly loadCount: number;
  /** Average of its recent answers, best one that fades while it is idle; `null` before the first. */
  readonly latencyMs: number | null;
}

/**
 * Chooses among candidates. What one decision costs does not grow with their number, or with its logarithm.
 *
 * `usable` is for what differs from request to request: has it been tried, has it room. Each candidate in the way that is
 * not usable costs a little, so one that is out for longer is better removed and added again.
 */
export interface Balancer<Item extends Candidate> {
  /** A candidate that is there already stays as it is. */
  add(item: Item): void;
  /** A candidate that is not there is no fault. */
  remove(item: Item): void;
  /** Its weight or load has changed: call it when a request begins, when it ends, and when a weight is set. */
  update(item: Item): void;
  /**
   * The best one that is usable now; `null` when none is. `key` is the 32-bit hash of what the request is pinned by,
   * `null` without one. `random` gives numbers in [0, 1). `takesTurn`: whether it uses up a turn where there are any; a
   * request that has had one and is sent again does not, or who fails would be first again with the next request.
   */
  pick(usable: (item: Item) => boolean, key: number | null, random: () => number, takesTurn?: boolean): Item | null;
}

const WEIGHT_MIN = 0.001;
const WEIGHT_MAX = 1_000_000;

/** The weight that counts: a finite number above 0, whatever the candidate says. */
export function weightOf(item: Candidate): number {
  const { weight } = item;
  // Written so that NaN is the least.
  return weight >= WEIGHT_MIN ? Math.min(weight, WEIGHT_MAX) : WEIGHT_MIN;
}
