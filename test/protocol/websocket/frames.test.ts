import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Endpoint, type Peer } from './endpoint.ts';
import { BINARY, CLOSE, CONTINUATION, closeFrame, codeOf, frame, PING, PONG, TEXT } from './frames.ts';

// The groups and cases are those of the Autobahn fuzzing client.

/** What the server says to bytes that break the protocol: nothing but a Close with this code, then the end. */
async function assertRefused(peer: Peer, code: number, what = 'the code'): Promise<void> {
  assert.equal(await peer.closeCode(), code, what);
  peer.wire.socket.end();
  assert.equal(await peer.wire.rest(), '');
}

test('1: messages of every length come back as they came, text and binary, also a byte at a time (RFC 6455 §5.2)', async (t) => {
  const endpoint = await Endpoint.start(t);
  const peer = await endpoint.open();
  for (const length of [0, 1, 125, 126, 127, 128, 65_535, 65_536]) {
    peer.send(frame(TEXT, '*'.repeat(length)));
    assert.equal(await peer.message(), '*'.repeat(length));
    peer.send(frame(BINARY, Buffer.alloc(length, 0xfe)));
    assert.deepEqual(await peer.message(), Buffer.alloc(length, 0xfe));
  }
  for (const byte of frame(TEXT, 'slowly')) await peer.wire.segment(String.fromCharCode(byte));
  assert.equal(await peer.message(), 'slowly');
  await peer.leave();
});

test('1: a message that came along with the handshake is not lost', async (t) => {
  const endpoint = await Endpoint.start(t);
  const peer = await endpoint.open({}, frame(TEXT, 'early'), frame(PING, 'x'));
  assert.equal(await peer.message(), 'early');
  assert.equal((await peer.frame()).opcode, PONG);
});

test('2: a ping is answered with its payload, and a pong nobody asked for is ignored (RFC 6455 §5.5.2, §5.5.3)', async (t) => {
  const endpoint = await Endpoint.start(t);
  const peer = await endpoint.open();
  for (const payload of ['', 'hello', '\x00\xff\xfe', 'x'.repeat(125)]) {
    peer.send(frame(PING, Buffer.from(payload, 'latin1')));
    const pong = await peer.frame();
    assert.deepEqual([pong.opcode, pong.payload.toString('latin1')], [PONG, payload]);
  }
  peer.send(frame(PONG, 'unasked'), ...Array.from({ length: 10 }, (_, n) => frame(PING, `${n}`)));
  for (let n = 0; n < 10; n += 1) assert.equal((await peer.frame()).payload.toString(), `${n}`);
  await peer.leave();
});

test('2: a ping of more than 125 bytes is 1002 (RFC 6455 §5.5)', async (t) => {
  const endpoint = await Endpoint.start(t);
  await assertRefused((await endpoint.open()).send(frame(PING, 'x'.repeat(126))), 1002);
});

test('3: reserved bits that nobody agreed on are 1002 (RFC 6455 §5.2)', async (t) => {
  const endpoint = await Endpoint.start(t);
  for (let rsv = 1; rsv <= 7; rsv += 1) {
    for (const opcode of [TEXT, BINARY, PING, CLOSE]) {
      await assertRefused((await endpoint.open()).send(frame(opcode, '', { rsv })), 1002, `${rsv} ${opcode}`);
    }
  }
});

test('4: reserved opcodes are 1002, and messages before them are still answered (RFC 6455 §5.2)', async (t) => {
  const endpoint = await Endpoint.start(t);
  for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
    const peer = await endpoint.open();
    peer.send(frame(TEXT, 'before'), frame(opcode, 'x'), frame(PING, 'after'));
    assert.equal(await peer.message(), 'before');
    await assertRefused(peer, 1002, `${opcode}`);
  }
});

test('5: fragments make one message, with pings among them (RFC 6455 §5.4)', async (t) => {
  const endpoint = await Endpoint.start(t);
  const peer = await endpoint.open();
  peer.send(
    frame(TEXT, 'one ', { fin: false }),
    frame(CONTINUATION, 'two ', { fin: false }),
    frame(CONTINUATION, 'three'),
  );
  assert.equal(await peer.message(), 'one two three');
  peer.send(frame(BINARY, 'a', { fin: false }), frame(PING, 'now'), frame(CONTINUATION, '', { fin: false }));
  assert.equal((await peer.frame()).payload.toString(), 'now');
  peer.send(frame(CONTINUATION, 'b'));
  assert.deepEqual(await peer.message(), Buffer.from('ab'));
  await peer.leave();
});

test('5: fragmented control frames, and continuations of nothing or none where one is due, are 1002 (RFC 6455 §5.4)', async (t) => {
  const endpoint = await Endpoint.start(t);
  for (const frames of [
    [frame(PING, 'x', { fin: false }), frame(CONTINUATION, 'y')],
    [frame(PONG, 'x', { fin: false })],
    [frame(CLOSE, '', { fin: false })],
    [frame(CONTINUATION, 'x')],
    [frame(CONTINUATION, 'x', { fin: false }), frame(TEXT, 'y')],
    [frame(TEXT, 'x', { fin: false }), frame(TEXT, 'y')],
    [frame(TEXT, 'x', { fin: false }), frame(BINARY, 'y', { fin: false })],
  ]) {
    await assertRefused((await endpoint.open()).send(...frames), 1002, Buffer.concat(frames).toString('hex'));
  }
});

const VALID = ['Hello-µ@ßöäüàá-UTF-8!!', '\u{10ffff}', '\ufffe', '\0', 'κόσμε', '\ud7ff', '\ue000'];
const INVALID = [
  'ceba e1bdb9 cf83 cebc ceb5 eda080 65',
  'f4908080',
  'c0af',
  'e080af',
  'edbfbf',
  'ff',
  '80',
  'c2',
  'f0908f',
];

test('6: valid UTF-8 comes back, also when a character is cut between two frames (RFC 6455 §8.1)', async (t) => {
  const endpoint = await Endpoint.start(t);
  const peer = await endpoint.open();
  for (const text of VALID) {
    const bytes = Buffer.from(text);
    peer.send(frame(TEXT, bytes));
    assert.equal(await peer.message(), text);
    for (let cut = 1; cut < bytes.length; cut += 1) {
      peer.send(frame(TEXT, bytes.subarray(0, cut), { fin: false }), frame(CONTINUATION, bytes.subarray(cut)));
      assert.equal(await peer.message(), text);
    }
  }
});

test('6: invalid UTF-8 is 1007, in one frame and in several; in binary messages anything goes (RFC 6455 §8.1)', async (t) => {
  const endpoint = await Endpoint.start(t);
  for (const hex of INVALID) {
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    await assertRefused((await endpoint.open()).send(frame(TEXT, bytes)), 1007, hex);
    const [first, rest] = [bytes.subarray(0, 1), bytes.subarray(1)];
    const cut = [frame(TEXT, first, { fin: false }), frame(CONTINUATION, rest)];
    await assertRefused((await endpoint.open()).send(...cut), 1007, hex);
    const binary = await endpoint.open();
    binary.send(frame(BINARY, bytes));
    assert.deepEqual(await binary.message(), bytes);
  }
});

test('6.4: text that cannot be text any more is 1007 at once, in the middle of a message or of a frame', async (t) => {
  const endpoint = await Endpoint.start(t);
  const start = Buffer.from('κόσμε');
  for (const hex of ['f490', 'f8', '80', 'c0', 'c3c3', 'e080', 'eda0', 'f080', 'ff']) {
    const bytes = Buffer.concat([start, Buffer.from(hex, 'hex')]);
    const before = frame(TEXT, 'before');
    const fragments = await endpoint.open();
    fragments.send(before, frame(TEXT, start, { fin: false }));
    assert.equal(await fragments.message(), 'before');
    fragments.send(frame(CONTINUATION, Buffer.from(hex, 'hex'), { fin: false }));
    assert.equal(await fragments.closeCode(), 1007, hex);
    // A frame that has only begun, with a valid message before it.
    const partial = await endpoint.open();
    partial.send(before, frame(TEXT, Buffer.concat([bytes, Buffer.from('the rest')])).subarray(0, 6 + bytes.length));
    assert.equal(await partial.message(), 'before');
    assert.equal(await partial.closeCode(), 1007, hex);
  }
});

test('6.4: what may still become text is waited for, and pings and binary messages between are no part of it', async (t) => {
  const endpoint = await Endpoint.start(t);
  const peer = await endpoint.open();
  for (const text of ['\u{10ffff}', '€', 'ß', '\ud7ff', '\u0800', '\u{10000}']) {
    const bytes = Buffer.from(text);
    peer.send(frame(TEXT, bytes.subarray(0, 1), { fin: false }), frame(PING, Buffer.from([0xff])));
    assert.equal((await peer.frame()).opcode, PONG);
    for (const byte of bytes.subarray(1)) peer.send(frame(CONTINUATION, Buffer.of(byte), { fin: false }));
    peer.send(frame(CONTINUATION));
    assert.equal(await peer.message(), text);
    peer.send(frame(BINARY, Buffer.from([0xff]), { fin: false }), frame(CONTINUATION, Buffer.from([0xff])));
    assert.deepEqual(await peer.message(), Buffer.from([0xff, 0xff]));
  }
});

test('7: a Close is answered with its code, and ends the connection; nothing after it counts (RFC 6455 §5.5.1)', async (t) => {
  const endpoint = await Endpoint.start(t);
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]) {
    const peer = await endpoint.open();
    peer.send(closeFrame(code, 'bye'), frame(TEXT, 'after'), frame(PING, 'after'));
    const close = await peer.frame();
    assert.deepEqual([close.opcode, codeOf(close), close.payload.subarray(2).toString()], [CLOSE, code, 'bye']);
    assert.equal(await peer.wire.rest(), '');
  }
  const peer = (await endpoint.open()).send(frame(CLOSE));
  assert.equal(await peer.closeCode(), 1005);
  assert.equal(await peer.wire.rest(), '');
});

test('7: a Close with one byte, a code that must not be sent, or a reason that is no text, is refused (RFC 6455 §7.4)', async (t) => {
  const endpoint = await Endpoint.start(t);
  const refused = async (bytes: Uint8Array, code: number): Promise<void> =>
    assertRefused((await endpoint.open()).send(bytes), code, Buffer.from(bytes).toString('hex'));
  await refused(frame(CLOSE, 'x'), 1002);
  await refused(frame(CLOSE, Buffer.alloc(126, 3)), 1002);
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
    await refused(closeFrame(code), 1002);
  await refused(closeFrame(1000, Buffer.from('ceba80ff', 'hex')), 1007);
});

test('5.1: a frame without a mask is 1002 (RFC 6455 §5.1)', async (t) => {
  const endpoint = await Endpoint.start(t);
  await assertRefused((await endpoint.open()).send(frame(TEXT, 'x', { masked: false })), 1002);
});

test('9: large messages come back, in one frame, in tens of thousands, and in small pieces', async (t) => {
  const endpoint = await Endpoint.start(t, undefined, { messageMaxBytes: 4 * 1024 * 1024 });
  const peer = await endpoint.open();
  const text = 'x'.repeat(2 * 1024 * 1024);
  peer.send(frame(TEXT, text));
  assert.ok((await peer.message()) === text);
  const fragments = Array.from({ length: 40_000 }, (_, n) =>
    frame(n === 0 ? BINARY : CONTINUATION, 'y'.repeat(64), { fin: false }),
  );
  peer.send(...fragments, frame(CONTINUATION));
  assert.equal((await peer.message()).length, 40_000 * 64);
  const bytes = frame(TEXT, 'z'.repeat(100_000));
  for (let at = 0; at < bytes.length; at += 997) peer.send(bytes.subarray(at, at + 997));
  assert.equal((await peer.message()).length, 100_000);
});

test('10: a message in frames of all sizes and lengths not in their shortest form', async (t) => {
  const endpoint = await Endpoint.start(t);
  const peer = await endpoint.open();
  peer.send(frame(TEXT, 'x'.repeat(65_536), { fin: false }), frame(CONTINUATION, 'y'.repeat(1300)));
  assert.equal((await peer.message()).length, 66_836);
});

test('a message over the limit is 1009, whether one frame says so or many add up (RFC 6455 §7.4.1)', async (t) => {
  const endpoint = await Endpoint.start(t, undefined, { messageMaxBytes: 1000 });
  const peer = await endpoint.open();
  peer.send(frame(TEXT, 'x'.repeat(1000)));
  assert.equal((await peer.message()).length, 1000);
  // Only the head of the frame: nobody waits for a gigabyte before saying no.
  await assertRefused(peer.send(frame(BINARY, 'x'.repeat(70_000)).subarray(0, 20)), 1009);
  const fragments = Array.from({ length: 11 }, (_, n) =>
    frame(n === 0 ? TEXT : CONTINUATION, 'x'.repeat(100), { fin: false }),
  );
  await assertRefused((await endpoint.open()).send(...fragments), 1009);
});

test('a frame over its own limit is 1009, within a message that is not', async (t) => {
  const endpoint = await Endpoint.start(t, undefined, { frameMaxBytes: 100 });
  const peer = await endpoint.open();
  peer.send(frame(TEXT, 'x'.repeat(100), { fin: false }), frame(CONTINUATION, 'x'.repeat(100)));
  assert.equal((await peer.message()).length, 200);
  await assertRefused(peer.send(frame(TEXT, 'x'.repeat(101))), 1009);
});

test('more fragments than their bytes are worth are refused', async (t) => {
  const endpoint = await Endpoint.start(t, undefined, { messageMaxBytes: 1000 });
  const empty = frame(CONTINUATION, '', { fin: false });
  const peer = await endpoint.open();
  peer.send(frame(TEXT, '', { fin: false }), ...Array.from({ length: 16_384 }, () => empty));
  assert.equal(await peer.closeCode(), 1008);
});
