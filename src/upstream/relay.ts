import type { Duplex } from 'node:stream';
import { FrameFollower } from '../protocol/websocket/frame-follower.ts';

/** How a direction of a tunnel is watched. */
interface RelayOwner {
  /** Bytes have passed. */
  passed(): void;
  /** In a direction that was closed on our word: its sender has said Close, too. */
  closeSeen(relay: Relay): void;
}

/** One direction of a tunnel: byte for byte, as fast as the receiver takes it, and its end with it. */
export class Relay {
  readonly from: Duplex;
  readonly to: Duplex;
  private readonly owner: RelayOwner;
  /** Where the WebSocket frames in it are; `null` when that is nobody's business. */
  private readonly follower: FrameFollower | null;
  /** A Close to be put in as soon as no message is in the way. */
  private close: Uint8Array | null = null;
  /** We have said the last word in this direction; what still comes goes nowhere. */
  private closed = false;

  /** `firstBytes` came from `from` before it flowed. `framed`: a Close can be put in later, with `sayClose`. */
  constructor(from: Duplex, to: Duplex, firstBytes: Uint8Array, framed: boolean, owner: RelayOwner) {
    this.from = from;
    this.to = to;
    this.owner = owner;
    this.follower = framed ? new FrameFollower() : null;
    if (firstBytes.length > 0) this.pass(firstBytes);
    from.on('data', (bytes: Buffer) => {
      owner.passed();
      this.pass(bytes);
    });
    from.on('end', () => to.end());
    to.on('drain', () => from.resume());
  }

  /** Ends the WebSocket in this direction with these bytes, between two messages, unless its sender has closed it. */
  sayClose(close: Uint8Array): void {
    const { follower } = this;
    if (follower === null || follower.closing || this.closed) return;
    if (follower.atBoundary) this.putIn(close);
    else this.close = close;
  }

  private pass(bytes: Uint8Array): void {
    const { follower } = this;
    if (follower === null) {
      this.write(bytes);
      return;
    }
    let at = 0;
    if (this.close !== null && !follower.closing) {
      // To the end of the message that is under way, and no further.
      at = follower.follow(bytes);
      this.write(bytes.subarray(0, at));
      if (!follower.atBoundary) return;
      if (!follower.closing) this.putIn(this.close);
    }
    const rest = bytes.subarray(at);
    follower.followAll(rest);
    if (!this.closed) this.write(rest);
    else if (follower.closing && follower.atBoundary) this.owner.closeSeen(this);
  }

  private putIn(close: Uint8Array): void {
    this.close = null;
    this.closed = true;
    this.write(close);
  }

  private write(bytes: Uint8Array): void {
    if (bytes.length > 0 && !this.to.writableEnded && !this.to.write(bytes)) this.from.pause();
  }
}
