import { FrameFollower, type FrameWatcher } from './frame-follower.ts';

const TEXT = 0x1;
const BINARY = 0x2;
const CLOSE = 0x8;
const COMPRESSED = 0x40;

/** Whether bytes are UTF-8 (RFC 3629), one after another: the first that cannot be is found at once. */
class Utf8Check {
  private missingCount = 0;
  private low = 0x80;
  private high = 0xbf;

  /** Whether this byte may come next. */
  take(byte: number): boolean {
    if (this.missingCount > 0) {
      if (byte < this.low || byte > this.high) return false;
      this.missingCount -= 1;
      this.low = 0x80;
      this.high = 0xbf;
      return true;
    }
    if (byte < 0x80) return true;
    if (byte < 0xc2 || byte > 0xf4) return false;
    this.missingCount = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    // No overlong forms, no surrogates, nothing above U+10FFFF.
    if (byte === 0xe0) this.low = 0xa0;
    else if (byte === 0xed) this.high = 0x9f;
    else if (byte === 0xf0) this.low = 0x90;
    else if (byte === 0xf4) this.high = 0x8f;
    return true;
  }
}

/**
 * Looks at what a client sends while it comes: whether the text of a message that is not complete yet can still be text
 * (RFC 6455 §8.1), and how long frames are. Whole messages are left to `ws`, which looks at them anyway, and so is
 * compressed text.
 */
export class TextGuard implements FrameWatcher {
  /** Some text cannot be UTF-8, whatever comes after it. */
  broken = false;
  private readonly follower = new FrameFollower(this);
  private check = new Utf8Check();
  private inText = false;
  private checking = false;
  private readonly mask = new Uint8Array(4);
  private maskAt = 0;

  /** The longest payload that a frame has announced. */
  get longestPayloadBytes(): number {
    return this.follower.longestPayloadBytes;
  }

  take(bytes: Uint8Array): void {
    this.follower.followAll(bytes);
  }

  frameBegun(head: Uint8Array, masked: boolean): void {
    const first = head[0] ?? 0;
    const opcode = first & 0x0f;
    if (opcode === TEXT || opcode === BINARY) {
      this.inText = opcode === TEXT && (first & COMPRESSED) === 0;
      this.check = new Utf8Check();
    }
    this.checking = this.inText && opcode < CLOSE && masked && !this.broken;
    this.mask.set(head.subarray(-4));
    this.maskAt = 0;
  }

  payload(bytes: Uint8Array, from: number, to: number, whole: boolean): void {
    if (!this.checking || whole) return;
    const { check, mask } = this;
    for (let at = from; at < to; at += 1) {
      const byte = (bytes[at] ?? 0) ^ (mask[this.maskAt & 3] ?? 0);
      this.maskAt += 1;
      if (check.take(byte)) continue;
      this.broken = true;
      this.checking = false;
      return;
    }
  }
}
