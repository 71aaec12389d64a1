/** Spreads every bit of a 32-bit number over all of them (the finalizer of MurmurHash3, Appleby 2011). */
export function mix(value: number): number {
  let hash = value ^ (value >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A 32-bit hash of a text: FNV-1a over its UTF-16 units from a seed, then mixed. For spreading, not for secrets. */
export function hashText(text: string, seed = 0): number {
  let hash = 0x811c9dc5 ^ mix(seed);
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}
