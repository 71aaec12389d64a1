import type { ReadMemory } from '../../core/body.ts';

/** Fewer bytes than this are copied when they must last: a whole block of memory for them would be waste. */
const COPIED_MAX_BYTES = 16_384;

/**
 * The memory of a source whose reads hold bytes of many bodies. It can be read into again only when all of them are
 * done with it, and none knows of the others: so what must last is copied, or its block is never used again.
 */
export class SharedMemory implements ReadMemory {
  private readonly source: ReadMemory;

  constructor(source: ReadMemory) {
    this.source = source;
  }

  keep(chunk: Uint8Array): Uint8Array {
    if (chunk.length < COPIED_MAX_BYTES) return Buffer.from(chunk);
    this.source.pin(chunk);
    return chunk;
  }

  release(): void {}

  pin(chunk: Uint8Array): void {
    this.source.pin(chunk);
  }
}
