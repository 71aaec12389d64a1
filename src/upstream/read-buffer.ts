import type { OnReadOpts } from 'node:net';
import type { ByteSource } from '../core/client.ts';

const BLOCK_BYTES = 65_536;
/** Fewer bytes than this are copied when they must last: a whole block for them would be waste. */
const COPIED_MAX_BYTES = 16_384;
/** Blocks that wait for their next use, over all connections. */
const SPARE_MAX_COUNT = 64;

const spares: Buffer[] = [];
/** Blocks that were given up for kept bytes, and come back when those are released. */
const lent = new WeakSet<ArrayBufferLike>();

/**
 * What one socket reads into. Node would otherwise take 64 KiB anew for each read, which costs more, in garbage
 * collection, than everything else a proxy does with a large answer.
 *
 * A block is read into again only when nobody can still see the bytes before: whoever needs them longer has kept them.
 */
export class ReadBuffer implements ByteSource {
  receiver: ((bytes: Buffer) => void) | null = null;
  /** For `net.connect`. */
  readonly onread: OnReadOpts;
  private block: Buffer = spares.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);

  constructor() {
    this.onread = {
      buffer: () => this.block,
      callback: (count) => {
        const { block } = this;
        this.receiver?.(count === block.length ? block : block.subarray(0, count));
        return true;
      },
    };
  }

  keep(chunk: Uint8Array): Uint8Array {
    // Another part of the block was kept before; the block is not ours any more and will not change.
    if (chunk.buffer !== this.block.buffer) return chunk;
    if (chunk.length < COPIED_MAX_BYTES) return Buffer.from(chunk);
    lent.add(this.block.buffer);
    this.giveUp();
    return chunk;
  }

  release(chunk: Uint8Array): void {
    if (!lent.delete(chunk.buffer)) return;
    if (spares.length < SPARE_MAX_COUNT) spares.push(Buffer.from(chunk.buffer));
  }

  pin(chunk: Uint8Array): void {
    lent.delete(chunk.buffer);
    if (chunk.buffer === this.block.buffer) this.giveUp();
  }

  /** The socket is closed and will not be read from again. */
  close(): void {
    this.receiver = null;
    if (spares.length < SPARE_MAX_COUNT) spares.push(this.block);
    this.block = Buffer.alloc(0);
  }

  private giveUp(): void {
    this.block = spares.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
  }
}
