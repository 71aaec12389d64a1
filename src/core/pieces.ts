/** A piece of this size or more is not worth a copy by itself. */
const LARGE_BYTES = 1024;
/** Smaller ones are copied together into memory of this size. */
const BLOCK_BYTES = 16_384;
/** Memory up to this size may be held for any few bytes in it. */
const SMALL_MEMORY_BYTES = 4096;
const NO_BYTES = new Uint8Array(0);

/**
 * Bytes that wait for their reader, in memory that is not much larger than they are. A sender who cuts them into crumbs
 * must not make each of them cost an object, so small pieces are put together; one who strews them among other bytes must
 * not make each of them cost all that was read with it, so they are copied out of it once the next read has come. What is
 * taken before is not copied, nor is the first piece, which mostly is the only one.
 */
export class Pieces {
  byteCount = 0;
  private list: Uint8Array[] = [];
  /** Where small pieces are put together: the last of the list is a view of its beginning. */
  private block: Buffer | null = null;
  private filledBytes = 0;
  /** How many at the end of the list are views of one memory, which may hold much else. */
  private viewCount = 0;

  /** Adds a small piece to those before it, by a copy. `false`: it is not small, or the first, and has to be added. */
  merge(piece: Uint8Array): boolean {
    if (piece.length >= LARGE_BYTES || this.list.length === 0) return false;
    if (this.block === null || this.filledBytes + piece.length > BLOCK_BYTES) {
      this.settle();
      this.block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.filledBytes = 0;
      this.viewCount = 1;
      this.list.push(this.block);
    }
    this.block.set(piece, this.filledBytes);
    this.filledBytes += piece.length;
    this.byteCount += piece.length;
    this.list[this.list.length - 1] = this.block.subarray(0, this.filledBytes);
    return true;
  }

  /** Adds a piece as it is, for as long as it waits. */
  add(piece: Uint8Array): void {
    this.settle();
    this.list.push(piece);
    this.byteCount += piece.length;
  }

  /** Adds a piece that is a view of all that was read with it. */
  addView(piece: Uint8Array): void {
    if (this.viewCount > 0 && this.list[this.list.length - 1]?.buffer !== piece.buffer) this.settle();
    this.list.push(piece);
    this.byteCount += piece.length;
    this.viewCount += 1;
  }

  /** Takes all, in order. */
  take(): Uint8Array[] {
    const { list } = this;
    this.list = [];
    this.block = null;
    this.viewCount = 0;
    this.byteCount = 0;
    return list;
  }

  /** Takes the first piece, or so many bytes of it; what is taken is empty only when nothing is left. */
  takeFirst(maxBytes: number): Uint8Array {
    const { list } = this;
    const [first = NO_BYTES] = list;
    const piece = first.length <= maxBytes ? first : first.subarray(0, maxBytes);
    this.byteCount -= piece.length;
    // What is taken from stays as it is.
    if (list.length <= 1) this.block = null;
    if (piece === first) list.shift();
    else list[0] = first.subarray(maxBytes);
    this.viewCount = Math.min(this.viewCount, list.length);
    return piece;
  }

  /** Others follow: the last views are copied out of their memory, if that is much larger than they are. */
  private settle(): void {
    const { list, viewCount } = this;
    this.block = null;
    this.viewCount = 0;
    if (viewCount === 0) return;
    const views = list.slice(-viewCount);
    const byteCount = views.reduce((sum, view) => sum + view.length, 0);
    const memoryBytes = views[0]?.buffer.byteLength ?? 0;
    if (memoryBytes <= Math.max(SMALL_MEMORY_BYTES, 2 * byteCount)) return;
    const copy = Buffer.allocUnsafeSlow(byteCount);
    let at = 0;
    for (const view of views) {
      copy.set(view, at);
      at += view.length;
    }
    list.splice(-viewCount, viewCount, copy);
  }
}
