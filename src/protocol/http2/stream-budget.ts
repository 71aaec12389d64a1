import type { Http2Options } from './options.ts';

/** Streams of all connections of this process, and the connections that have any. */
let streamTotalCount = 0;
let busyConnectionCount = 0;

/** Why a stream is refused: for what the connection has itself, or for what it cannot know of. */
export type StreamRefusal = 'own' | 'shared';

/**
 * The share of one connection in the streams of the process. While there is plenty, a connection has what its own limit
 * allows; when half is used, none may have more than its fair part.
 */
export class StreamBudget {
  private readonly options: Http2Options;
  private count = 0;

  constructor(options: Http2Options) {
    this.options = options;
  }

  /** One more stream. Returns why it has to be refused, or `null`. */
  acquire(): StreamRefusal | null {
    const { streamMaxCount, streamTotalMaxCount } = this.options;
    if (this.count >= streamMaxCount) return 'own';
    if (streamTotalCount >= streamTotalMaxCount) return 'shared';
    const scarce = streamTotalCount >= streamTotalMaxCount / 2;
    const connectionCount = busyConnectionCount + (this.count === 0 ? 1 : 0);
    if (scarce && this.count >= Math.max(1, streamTotalMaxCount / connectionCount)) return 'shared';
    if (this.count === 0) busyConnectionCount += 1;
    this.count += 1;
    streamTotalCount += 1;
    return null;
  }

  /** A stream has ended. */
  release(): void {
    this.count -= 1;
    streamTotalCount -= 1;
    if (this.count === 0) busyConnectionCount -= 1;
  }
}
