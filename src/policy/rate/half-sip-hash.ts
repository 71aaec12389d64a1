/**
 * HalfSipHash-1-3 (Aumasson and Bernstein) over the UTF-16 units of `text`, two to a word: 64 bits into `out`. Who does
 * not know the 64-bit key cannot choose texts that collide, so nobody can pick a key that shares a limit with another's.
 */
export function halfSipHash(text: string, key0: number, key1: number, out: Uint32Array): void {
  let v0 = key0;
  let v1 = key1 ^ 0xee;
  let v2 = key0 ^ 0x6c796765;
  let v3 = key1 ^ 0x74656462;
  const lastWordAt = text.length & ~1;
  // A round for each word, the last with the length in it; then three for each half of the result.
  for (let at = 0; at <= lastWordAt + 12; at += 2) {
    let word = 0;
    if (at < lastWordAt) word = text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16);
    else if (at === lastWordAt) word = (text.length << 25) | (at === text.length ? 0 : text.charCodeAt(at));
    else if (at === lastWordAt + 2) v2 ^= 0xee;
    else if (at === lastWordAt + 8) {
      out[0] = v1 ^ v3;
      v1 ^= 0xdd;
    }
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  out[1] = v1 ^ v3;
}
