import type { Balancer, Candidate } from './candidate.ts';
import { HASH_DEFAULTS, HashChoice, type HashOptions } from './hash.ts';
import { LeastLoaded } from './least-loaded.ts';
import { PowerOfTwo } from './power-of-two.ts';
import { RandomChoice } from './random.ts';
import { RoundRobin } from './round-robin.ts';
import { WeightedRoundRobin } from './weighted-round-robin.ts';

export const BALANCE_NAMES = [
  'round-robin',
  'weighted-round-robin',
  'least-loaded',
  'weighted-least-loaded',
  'random',
  'power-of-two',
  'hash',
] as const;
export type BalanceName = (typeof BALANCE_NAMES)[number];

/** The balancing policy of that name, without candidates. `hash` is read by the policy `hash` only. */
export function createBalancer<Item extends Candidate>(
  name: BalanceName,
  hash: Readonly<HashOptions> = HASH_DEFAULTS,
): Balancer<Item> {
  switch (name) {
    case 'round-robin':
      return new RoundRobin();
    case 'weighted-round-robin':
      return new WeightedRoundRobin();
    case 'least-loaded':
      return new LeastLoaded(false);
    case 'weighted-least-loaded':
      return new LeastLoaded(true);
    case 'random':
      return new RandomChoice();
    case 'power-of-two':
      return new PowerOfTwo();
    case 'hash':
      return new HashChoice(hash);
  }
}
