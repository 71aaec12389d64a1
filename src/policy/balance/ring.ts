import type { HashTable, Member } from './hash.ts';
import { hashText, mix } from './identity.ts';

/** Points of a candidate of weight 1: the share of one strays from its due by about 1 / √128, nine per cent. */
const POINTS_PER_WEIGHT = 128;
/** Of all candidates together; weights that would need more are all halved until they do not. */
const POINT_MAX_COUNT = 2 ** 18;
/**
 * Consistent hashing (Karger et al. 1997) with several points for each candidate by its weight, as in ketama. A key
 * belongs to the next point at or after it.
 *
 * Points are made from a candidate's identity and weight alone: one that goes moves exactly the keys that it had, and
 * one that comes takes only those it gets.
 */
export function ring(members: readonly Member[]): HashTable {
  const weightSum = members.reduce((sum, { weight }) => sum + weight, 0);
  let perWeight = POINTS_PER_WEIGHT;
  while (weightSum * perWeight > POINT_MAX_COUNT) perWeight /= 2;
  const counts = members.map(({ weight }) => Math.max(1, Math.round(weight * perWeight)));
  const pointCount = counts.reduce((sum, count) => sum + count, 0);
  const positions = new Uint32Array(pointCount);
  const owners = new Uint32Array(pointCount);
  let filled = 0;
  for (const [owner, { id }] of members.entries()) {
    const step = hashText(id, 1) | 1;
    const end = filled + (counts[owner] ?? 0);
    for (let seed = hashText(id); filled < end; filled += 1) {
      positions[filled] = mix(seed);
      owners[filled] = owner;
      seed = (seed + step) | 0;
    }
  }
  return circle(positions, owners);
}

/**
 * The points in the order of their positions, and an index of these: more sections than points, so that sorting
 * takes O(n) and finding O(1), for positions are spread evenly. Equal ones keep the order of their owners.
 */
function circle(unsorted: Uint32Array, unsortedOwners: Uint32Array): HashTable {
  const { length } = unsorted;
  const shift = Math.clz32(Math.max(1, length));
  const starts = new Uint32Array(2 ** (32 - shift) + 1);
  for (const position of unsorted) add(starts, (position >>> shift) + 1, 1);
  for (let i = 1; i < starts.length; i += 1) add(starts, i, starts[i - 1] ?? 0);
  const free = starts.slice();
  const positions = new Uint32Array(length);
  const owners = new Uint32Array(length);
  for (let i = 0; i < length; i += 1) {
    const position = unsorted[i] ?? 0;
    const section = position >>> shift;
    let at = free[section] ?? 0;
    free[section] = at + 1;
    for (const first = starts[section] ?? 0; at > first && (positions[at - 1] ?? 0) > position; at -= 1) {
      positions[at] = positions[at - 1] ?? 0;
      owners[at] = owners[at - 1] ?? 0;
    }
    positions[at] = position;
    owners[at] = unsortedOwners[i] ?? 0;
  }
  const locate = (key: number): number => {
    const wanted = mix(key);
    let at = starts[wanted >>> shift] ?? 0;
    while (at < length && (positions[at] ?? 0) < wanted) at += 1;
    return at < length ? at : 0;
  };
  return { owners, locate };
}

function add(counts: Uint32Array, at: number, count: number): void {
  counts[at] = (counts[at] ?? 0) + count;
}
