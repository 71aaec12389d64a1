const GAP_MAX_COUNT = 16;

/**
 * The stream identifiers that a peer has passed over (RFC 9113 §5.1.1): closed now, though there never was a stream.
 * Only the latest gaps are kept; few peers leave any.
 */
export class IdGaps {
  private readonly gaps: (readonly [afterId: number, beforeId: number])[] = [];

  /** A stream has begun; `lastId` is the one before it, 0 when there is none. */
  observe(lastId: number, id: number): void {
    if (id === 1 || (lastId > 0 && id === lastId + 2)) return;
    this.gaps.push([lastId, id]);
    if (this.gaps.length > GAP_MAX_COUNT) this.gaps.shift();
  }

  has(id: number): boolean {
    return this.gaps.some(([afterId, beforeId]) => id > afterId && id < beforeId);
  }
}
