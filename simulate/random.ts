/** Numbers in [0, 1). */
export type Random = () => number;

/**
 * A stream of numbers that a seed and a name decide (Mulberry32, seeded by FNV-1a). Each part of a simulation has its own,
 * so that the same requests come, whatever a policy draws.
 */
export function randomStream(seed: number, name: string): Random {
  let state = 2_166_136_261;
  for (const letter of `${seed}:${name}`) state = Math.imul(state ^ (letter.codePointAt(0) ?? 0), 16_777_619) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Times between the events of a Poisson process. */
export const exponential = (random: Random, mean: number): number => -mean * Math.log(1 - random());

/** As service times are: seldom much less than the mean, now and then more; the more stages, the less they differ (Erlang). */
export function serviceTime(random: Random, mean: number, stageCount = 2): number {
  let time = 0;
  for (let stage = 0; stage < stageCount; stage += 1) time += exponential(random, mean / stageCount);
  return time;
}

/** Has what draws its keys from the system's randomness draw them from a stream, so that the same seed gives the same run. */
export function withSystemRandom<Made>(random: Random, make: () => Made): Made {
  Object.defineProperty(crypto, 'getRandomValues', {
    configurable: true,
    value(array: Int32Array): Int32Array {
      for (let at = 0; at < array.length; at += 1) array[at] = Math.floor(random() * 2 ** 32);
      return array;
    },
  });
  try {
    return make();
  } finally {
    Reflect.deleteProperty(crypto, 'getRandomValues');
  }
}
