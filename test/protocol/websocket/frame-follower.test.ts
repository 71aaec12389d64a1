import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameFollower } from '../../../src/protocol/websocket/frame-follower.ts';
import { BINARY, CLOSE, CONTINUATION, closeFrame, frame, PING, TEXT } from './frames.ts';

/** Where the boundaries are that a follower finds in bytes cut at these places. */
function boundaries(bytes: Uint8Array, cuts: readonly number[]): number[] {
  const follower = new FrameFollower();
  const found: number[] = [];
  const ends = [...new Set([...cuts.filter((cut) => cut < bytes.length), bytes.length])].sort((a, b) => a - b);
  let from = 0;
  for (const end of ends) {
    const piece = bytes.subarray(from, end);
    for (let at = 0; at < piece.length; ) {
      at = follower.follow(piece, at);
      if (follower.atBoundary) found.push(from + at);
    }
    from = end;
  }
  return found;
}

test('a boundary is where a message or a control frame outside of one ends', () => {
  const pieces = [
    frame(TEXT, 'one'),
    frame(TEXT, 'two', { fin: false }),
    frame(PING, 'in between'),
    frame(CONTINUATION, '', { fin: false }),
    frame(CONTINUATION, 'x'.repeat(300)),
    frame(PING),
    frame(BINARY, Buffer.alloc(70_000)),
    frame(BINARY, '', { masked: false }),
  ];
  const ends = pieces.map((_, index) => Buffer.concat(pieces.slice(0, index + 1)).length);
  const expected = [0, 4, 5, 6, 7].map((index) => ends[index]);
  assert.deepEqual(boundaries(Buffer.concat(pieces), []), expected);
});

test('before the first byte a follower is at a boundary, and inside a head or a payload it is not', () => {
  const follower = new FrameFollower();
  assert.equal(follower.atBoundary, true);
  const bytes = frame(TEXT, 'abc');
  for (const [index, byte] of bytes.entries()) {
    follower.followAll(Uint8Array.of(byte));
    assert.equal(follower.atBoundary, index === bytes.length - 1);
  }
});

test('it knows a Close, and the longest frame from its head', () => {
  const follower = new FrameFollower();
  follower.followAll(frame(BINARY, Buffer.alloc(70_000)).subarray(0, 14));
  assert.deepEqual([follower.longestPayloadBytes, follower.closing], [70_000, false]);
  const other = new FrameFollower();
  other.followAll(closeFrame(1000).subarray(0, 3));
  assert.equal(other.closing, false);
  other.followAll(closeFrame(1000).subarray(3));
  assert.deepEqual([other.closing, other.atBoundary], [true, true]);
});

const message = fc
  .array(fc.tuple(fc.nat({ max: 300 }), fc.boolean()), { minLength: 1, maxLength: 4 })
  .map((parts) =>
    parts.flatMap(([length, pinged], index) => [
      frame(index === 0 ? BINARY : CONTINUATION, Buffer.alloc(length, 0xff), { fin: index === parts.length - 1 }),
      ...(pinged && index < parts.length - 1 ? [frame(PING, 'p')] : []),
    ]),
  );

test('it finds the ends of all messages, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 5 }), fc.array(fc.nat({ max: 3000 })), (messages, cuts) => {
      const ends = messages.map((_, index) => Buffer.concat(messages.slice(0, index + 1).flat()).length);
      assert.deepEqual(boundaries(Buffer.concat(messages.flat()), cuts), ends);
    }),
  );
});

test('bytes that are no frames never stop it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const follower = new FrameFollower();
      follower.followAll(bytes);
      assert.ok(follower.longestPayloadBytes >= 0);
    }),
  );
  assert.equal(CLOSE, 8);
});
