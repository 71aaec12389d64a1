import type { HashTable, Member } from './hash.ts';
import { hashText, mix } from './identity.ts';

/** Places in the table; prime, so that every step visits all of them. The paper's own size. */
const SLOT_COUNT = 65_537;
/** What sums of rounded fractions may be off by. */
const ROUNDING = 1e-9;

/**
 * Maglev hashing (Eisenbud et al. 2016, §3.4): each candidate fills the places of a table in an order of its own, in
 * turns, as often as its weight allows. Shares are as even as whole places can be, and finding one is a single look. One
 * that goes moves its own keys, and a few of others.
 */
export function maglev(members: readonly Member[]): HashTable {
  const weightMax = members.reduce((max, { weight }) => Math.max(max, weight), 0);
  const owners = new Uint32Array(SLOT_COUNT);
  const taken = new Uint8Array(SLOT_COUNT);
  const slots = Uint32Array.from(members, ({ id }) => hashText(id) % SLOT_COUNT);
  const steps = Uint32Array.from(members, ({ id }) => (hashText(id, 1) % (SLOT_COUNT - 1)) + 1);
  const shares = Float64Array.from(members, ({ weight }) => weight / weightMax);
  /** A place may be taken at 1: by everyone in the first round, so that none is without. */
  const credits = shares.map((share) => 1 - share);
  let emptyCount = members.length === 0 ? 0 : SLOT_COUNT;
  while (emptyCount > 0) {
    for (let owner = 0; owner < members.length && emptyCount > 0; owner += 1) {
      const credit = (credits[owner] ?? 0) + (shares[owner] ?? 0);
      credits[owner] = credit;
      if (credit < 1 - ROUNDING) continue;
      let slot = slots[owner] ?? 0;
      const step = steps[owner] ?? 1;
      while (taken[slot] === 1) slot = slot + step < SLOT_COUNT ? slot + step : slot + step - SLOT_COUNT;
      slots[owner] = slot;
      credits[owner] = credit - 1;
      taken[slot] = 1;
      owners[slot] = owner;
      emptyCount -= 1;
    }
  }
  return { owners: members.length === 0 ? owners.subarray(0, 0) : owners, locate: (key) => mix(key) % SLOT_COUNT };
}
