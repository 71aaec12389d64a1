import { BALANCE_NAMES, createBalancer } from '../../../src/policy/balance/balancer.ts';
import type { Balancer, Candidate } from '../../../src/policy/balance/candidate.ts';
import { HashChoice } from '../../../src/policy/balance/hash.ts';

/** A candidate whose every value a test can set. */
export class Fake implements Candidate {
  readonly id: string;
  weight: number;
  loadCount = 0;
  latencyMs: number | null = null;

  constructor(id: string, weight = 1) {
    this.id = id;
    this.weight = weight;
  }
}

export const always = (): boolean => true;

/** Numbers in [0, 1) that are the same in each run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let hash = Math.imul(state ^ (state >>> 15), 1 | state);
    hash = (hash + Math.imul(hash ^ (hash >>> 7), 61 | hash)) ^ hash;
    return ((hash ^ (hash >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `w1` of the first weight, `w2` of the second … */
export const fakes = (weights: readonly number[]): Fake[] =>
  weights.map((weight, index) => new Fake(`w${index + 1}`, weight));

export function filled<Kind extends Balancer<Fake>>(balancer: Kind, items: Iterable<Fake>): Kind {
  for (const item of items) balancer.add(item);
  return balancer;
}

/** The ids of so many choices, one after the other, none of which adds to the load. */
export function picked(balancer: Balancer<Fake>, count: number, usable: (item: Fake) => boolean = always): string[] {
  const random = seeded(1);
  return Array.from({ length: count }, () => balancer.pick(usable, null, random)?.id ?? '-');
}

/** How often each id is among them. */
export function countOf(ids: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const id of ids) counts[id] = (counts[id] ?? 0) + 1;
  return counts;
}

/** Each policy, hashing in all its forms. */
export const EVERY_BALANCER: readonly (readonly [name: string, create: () => Balancer<Fake>])[] = [
  ...BALANCE_NAMES.map((name) => [name, () => createBalancer<Fake>(name)] as const),
  ['maglev', () => new HashChoice<Fake>({ table: 'maglev', slackRatio: null })],
  ['bounded ring', () => new HashChoice<Fake>({ table: 'ring', slackRatio: 0.25 })],
];
