/** A piece of this size or more is kept as it is. */
const LARGE_BYTES = 1024;
/** Smaller ones are copied together into memory of this size. */
const BLOCK_BYTES = 16_384;

/**
 * Bytes that wait for their reader. A sender who cuts them into crumbs must not make each of them cost an object, so
 * small pieces are put together; the first one, which mostly is the only one, is not.
 */
export class Pieces {
  byteCount = 0;
  private list: Uint8Array[] = [];
  /** Where small pieces are put together: the last of the list is a view of its beginning. */
  private block: Buffer | null = null;
  private filledBytes = 0;

  /** Adds a small piece to those before it, by a copy. `false`: it is not small, or the first, and has to be added. */
  merge(piece: Uint8Array): boolean {
    if (piece.length >= LARGE_BYTES || this.list.length === 0) return false;
    if (this.block === null || this.filledBytes + piece.length > BLOCK_BYTES) {
      this.block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.filledBytes = 0;
      this.list.push(this.block);
    }
    this.block.set(piece, this.filledBytes);
    this.filledBytes += piece.length;
    this.byteCount += piece.length;
    this.list[this.list.length - 1] = this.block.subarray(0, this.filledBytes);
    return true;
  }

  /** Adds a piece as it is. */
  add(piece: Uint8Array): void {
    this.list.push(piece);
    this.byteCount += piece.length;
    this.block = null;
  }

  /** Takes all, in order. */
  take(): Uint8Array[] {
    const { list } = this;
    this.list = [];
    this.block = null;
    this.byteCount = 0;
    return list;
  }
}
