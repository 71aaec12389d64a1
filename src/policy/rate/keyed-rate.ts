import { wholeNumber } from '../../core/option-kind.ts';
import { withDefaults } from '../../core/options.ts';
import { halfSipHash } from './half-sip-hash.ts';
import type { RateDecision, RateLimit } from './limit.ts';

export interface KeyedRateOptions {
  /** Keys that are told apart at once. The memory for them is taken at the start: 24 bytes each, 40 with a sliding window. */
  keyMaxCount: number;
}

export const KEYED_RATE_DEFAULTS: Readonly<KeyedRateOptions> = { keyMaxCount: 100_000 };

/** More is a mistake: these are 2.4 GB, with a sliding window 4, and what a runtime says to much more names no option. */
export const KEY_MAX_COUNT = 100_000_000;
export const KEYED_RATE_KINDS = { keyMaxCount: wholeNumber(1, KEY_MAX_COUNT) };

/** A key may be in any of the slots of its set; their tags are one cache line. */
const SLOTS_PER_SET = 16;
/** Twice as many slots as keys: with `keyMaxCount` busy keys, fewer than 1 in 1000 finds its set full. */
const KEYS_PER_SET = 8;
/** The tags of a set come first, in the room of so many words; its states follow, for both are read together. */
const TAG_WORDS = (SLOTS_PER_SET * Uint32Array.BYTES_PER_ELEMENT) / Float64Array.BYTES_PER_ELEMENT;

/**
 * One rate limit for many keys, in memory of a fixed size: a set-associative table, as in a processor's cache. A key
 * whose quota is whole again is like one never seen, so its slot is free from that instant: there is nothing to sweep,
 * no growing and no pause. Keys are known by 32 bits of a secret hash besides their set: two of a million share a limit
 * with a probability of 0.4 %.
 *
 * When a set is full of busy keys, the one that has used least is forgotten, and begins anew with a whole quota. So who
 * comes with more keys than fit makes the limit miss light users, himself among them with each new key (as with
 * any limit by key), but cannot have anybody refused, and cannot have a key forgotten that is at its limit:
 * all others in its set would have to be at theirs.
 */
export class KeyedRate {
  readonly limit: RateLimit;
  /** Busy keys that were forgotten for others. */
  evictedCount = 0;
  private readonly setCount: number;
  private readonly setWords: number;
  private readonly words: Float64Array;
  /** The same memory. */
  private readonly tags: Uint32Array;
  private readonly hash = new Uint32Array(2);
  private readonly key0: number;
  private readonly key1: number;

  /** `random` gives numbers from 0 to 1 and is asked twice, for the key of the hash. Throws `TypeError` for wrong options. */
  constructor(limit: RateLimit, random: () => number, given?: Partial<KeyedRateOptions>) {
    const { keyMaxCount } = withDefaults('rate limit keys', KEYED_RATE_DEFAULTS, given, { kinds: KEYED_RATE_KINDS });
    this.limit = limit;
    this.setCount = Math.ceil(keyMaxCount / KEYS_PER_SET);
    this.setWords = TAG_WORDS + SLOTS_PER_SET * limit.wordCount;
    this.words = new Float64Array(this.setCount * this.setWords);
    this.tags = new Uint32Array(this.words.buffer);
    this.key0 = (random() * 2 ** 32) | 0;
    this.key1 = (random() * 2 ** 32) | 0;
  }

  /** The memory for the keys. */
  get sizeBytes(): number {
    return this.words.byteLength;
  }

  /** Decides about a request that costs `cost`; the decision is good until the next one. */
  admit(key: string, nowMs: number, cost = 1): Readonly<RateDecision> {
    halfSipHash(key, this.key0, this.key1, this.hash);
    const tag = this.hash[0] ?? 0;
    const set = Math.floor(((this.hash[1] ?? 0) * this.setCount) / 2 ** 32) * this.setWords;
    const tagsAt = set * 2;
    let slot = 0;
    while (slot < SLOTS_PER_SET && this.tags[tagsAt + slot] !== tag) slot += 1;
    const at = slot < SLOTS_PER_SET ? this.stateAt(set, slot) : this.claim(set, tag, nowMs);
    return this.limit.admit(this.words, at, nowMs, cost);
  }

  /** Where the state in a slot begins. */
  private stateAt(set: number, slot: number): number {
    return set + TAG_WORDS + slot * this.limit.wordCount;
  }

  /** The state of a key that has none: in a free slot, or that of the key that has used least. */
  private claim(set: number, tag: number, nowMs: number): number {
    let least = 0;
    for (let slot = 1; slot < SLOTS_PER_SET; slot += 1)
      if (this.hasUsedLess(this.stateAt(set, slot), this.stateAt(set, least))) least = slot;
    const at = this.stateAt(set, least);
    if (!this.limit.idle(this.words, at, nowMs)) this.evictedCount += 1;
    this.words.fill(0, at, at + this.limit.wordCount);
    this.tags[set * 2 + least] = tag;
    return at;
  }

  private hasUsedLess(at: number, than: number): boolean {
    for (let word = 0; word < this.limit.wordCount; word += 1) {
      const difference = (this.words[at + word] ?? 0) - (this.words[than + word] ?? 0);
      if (difference !== 0) return difference < 0;
    }
    return false;
  }
}
