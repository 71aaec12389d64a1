/** More candidates than this in one bucket are left to a `Map`. */
const CROWD_COUNT = 8;

/**
 * Texts (paths, host names) that are looked up whole. A `Map` hashes every character of a text just received, which
 * costs more than the rest of a look-up; three characters and the length find the few candidates here, and comparing decides.
 */
export class ExactTexts<Value> {
  private readonly all = new Map<string, Value>();
  private readonly buckets = new Map<number, { readonly text: string; readonly value: Value }[]>();

  get size(): number {
    return this.all.size;
  }

  /** Adds a text; one that is there already keeps its value. */
  add(text: string, value: Value): void {
    if (this.all.has(text)) return;
    this.all.set(text, value);
    const mark = hash(text);
    const bucket = this.buckets.get(mark);
    if (bucket === undefined) this.buckets.set(mark, [{ text, value }]);
    else bucket.push({ text, value });
  }

  get(text: string): Value | null {
    const bucket = this.buckets.get(hash(text));
    if (bucket === undefined) return null;
    if (bucket.length > CROWD_COUNT) return this.all.get(text) ?? null;
    for (let i = 0; i < bucket.length; i += 1) {
      const entry = bucket[i];
      if (entry !== undefined && entry.text === text) return entry.value;
    }
    return null;
  }

  has(text: string): boolean {
    return this.all.has(text);
  }
}

function hash(text: string): number {
  const { length } = text;
  return (
    (length << 21) ^
    (text.charCodeAt(length - 1) << 14) ^
    (text.charCodeAt((3 * length) >> 2) << 7) ^
    text.charCodeAt(length >> 1)
  );
}
