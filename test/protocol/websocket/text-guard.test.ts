import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { TextGuard } from '../../../src/protocol/websocket/text-guard.ts';
import { CONTINUATION, frame, TEXT } from './frames.ts';

/** Whether a guard finds text broken that comes in frames cut at these places, without its last frame. */
function broken(text: Uint8Array, cuts: readonly number[]): boolean {
  const guard = new TextGuard();
  const ends = [...new Set([...cuts.filter((cut) => cut < text.length), text.length])].sort((a, b) => a - b);
  let from = 0;
  for (const end of ends) {
    guard.take(frame(from === 0 ? TEXT : CONTINUATION, text.subarray(from, end), { fin: false }));
    from = end;
  }
  return guard.broken;
}

/** Whether some bytes after these could make them UTF-8, tried the slow way. */
function mayBecomeText(bytes: Uint8Array): boolean {
  for (let cut = 0; cut <= Math.min(3, bytes.length); cut += 1) {
    const whole = bytes.subarray(0, bytes.length - cut);
    const tail = [...bytes.subarray(bytes.length - cut)];
    if (isUtf8(whole) && (cut === 0 || STARTS.has(tail.join()))) return true;
  }
  return false;
}

/** Every proper beginning of the UTF-8 form of a character. */
const STARTS = new Set<string>();
for (let code = 0x80; code <= 0x10ffff; code += code < 0x1000 ? 1 : 61) {
  if (code >= 0xd800 && code <= 0xdfff) continue;
  const bytes = [...Buffer.from(String.fromCodePoint(code))];
  for (let length = 1; length < bytes.length; length += 1) STARTS.add(bytes.slice(0, length).join());
}

test('text is never taken for broken, however it is cut', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.array(fc.nat({ max: 40 })), (text, cuts) => {
      assert.equal(broken(Buffer.from(text.toWellFormed()), cuts), false);
    }),
  );
});

test('bytes are broken exactly when nothing that could follow makes text of them (RFC 3629 §4)', () => {
  const byte = fc.oneof(
    fc.nat({ max: 255 }),
    fc.constantFrom(0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2, 0xe0, 0xed, 0xf0, 0xf4),
  );
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 5 }), fc.array(fc.nat({ max: 5 })), (bytes, cuts) => {
      assert.equal(broken(Buffer.from(bytes), cuts), !mayBecomeText(Buffer.from(bytes)), JSON.stringify(bytes));
    }),
    { numRuns: 2000 },
  );
});
