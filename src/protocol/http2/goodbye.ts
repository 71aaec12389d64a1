import { ERROR } from './error.ts';
import { goawayFrame, MAX_31_BIT, pingFrame } from './frame.ts';
import { GOAWAY_PING_MAX_MS } from './options.ts';

/** How far the end of a connection is announced. */
export type GoodbyeStage = 'none' | 'announced' | 'final';

/** What our PING carries; its acknowledgement says that the peer has read the GOAWAY before it. */
const OPAQUE = 'goodbye!';

/**
 * The end without a lost request (RFC 9113 §6.8): GOAWAY with the largest identifier says that the end is near, and
 * everything is still taken; when the PING behind it has come back, or after a second, GOAWAY with the last stream
 * that was taken says where it was. What the peer has begun later it may safely send elsewhere.
 */
export class Goodbye {
  stage: GoodbyeStage = 'none';
  /** Streams above this one are not taken. */
  lastStreamId = MAX_31_BIT;
  private sinceMs = 0;

  /** The first step; returns what to write. Nothing when it is taken already. */
  announce(nowMs: number): string {
    if (this.stage !== 'none') return '';
    this.stage = 'announced';
    this.sinceMs = nowMs;
    return goawayFrame(MAX_31_BIT, ERROR.NO_ERROR) + pingFrame(0, OPAQUE);
  }

  /** Whether this acknowledges our PING. */
  isAnswer(opaque: string): boolean {
    return this.stage === 'announced' && opaque === OPAQUE;
  }

  /** Whether the peer has had time enough. */
  due(nowMs: number): boolean {
    return this.stage === 'announced' && nowMs - this.sinceMs >= GOAWAY_PING_MAX_MS;
  }

  /** The last step; returns what to write. After it there may still be an error to tell. */
  conclude(lastStreamId: number, code: number, debug = ''): string {
    if (this.stage === 'final' && code === ERROR.NO_ERROR) return '';
    this.stage = 'final';
    // What was said not to be taken stays so (RFC 9113 §6.8).
    this.lastStreamId = Math.min(this.lastStreamId, lastStreamId);
    return goawayFrame(this.lastStreamId, code, debug);
  }
}
