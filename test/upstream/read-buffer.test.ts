import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { IncomingBody } from '../../src/core/body.ts';
import { ReadBuffer } from '../../src/upstream/read-buffer.ts';
import { get, Proxied } from './proxied.ts';
import { type ScriptedConnection, until } from './scripted.ts';

/** Reads `text` the way a socket does: into the block that the buffer gives for it. */
function read(source: ReadBuffer, text: string): void {
  const block = typeof source.onread.buffer === 'function' ? source.onread.buffer() : source.onread.buffer;
  const bytes = Buffer.from(text, 'latin1');
  block.set(bytes);
  source.onread.callback(bytes.length, block);
}

function bodyOn(source: ReadBuffer): IncomingBody {
  const owner = { demand() {}, hold() {}, abandon() {}, memory: source };
  const body = new IncomingBody(owner, null, null);
  source.receiver = (bytes) => body.push(bytes);
  return body;
}

const LARGE = 40_000;
const lines = (letter: string): string => letter.repeat(LARGE);

test('bytes that wait for a reader outlive the next read, small or large', async () => {
  const source = new ReadBuffer();
  const body = bodyOn(source);
  read(source, 'small');
  read(source, lines('a'));
  read(source, lines('b'));
  read(source, 'end');
  body.finish(null);
  assert.equal(Buffer.from(await body.whole()).toString(), `small${lines('a')}${lines('b')}end`);
});

test('a sink that keeps nothing sees every read in the same memory', () => {
  const source = new ReadBuffer();
  const body = bodyOn(source);
  const seen: [ArrayBufferLike, string][] = [];
  const write = (chunk: Uint8Array): boolean => seen.push([chunk.buffer, Buffer.from(chunk).toString()]) > 0;
  body.consume({ write, end() {}, fail() {}, holdsBytes: false });
  read(source, 'one');
  read(source, lines('b'));
  assert.deepEqual(
    seen.map(([, text]) => text),
    ['one', lines('b')],
  );
  assert.equal(seen[0]?.[0], seen[1]?.[0]);
});

test('what a sink still holds is never written over', () => {
  const source = new ReadBuffer();
  const body = bodyOn(source);
  const kept: Uint8Array[] = [];
  const sink = { write: (chunk: Uint8Array) => kept.push(chunk) > 0, end() {}, fail() {}, holdsBytes: false };
  read(source, lines('a'));
  Object.defineProperty(sink, 'holdsBytes', { get: () => kept.length > 0 });
  body.consume(sink);
  for (const letter of ['b', 'c', 'd', 'e']) read(source, letter === 'd' ? 'd' : lines(letter));
  // Other connections take the blocks that are free now.
  for (const other of [new ReadBuffer(), new ReadBuffer()]) read(other, lines('x'));
  assert.equal(Buffer.concat(kept).toString(), `${lines('a')}${lines('b')}${lines('c')}d${lines('e')}`);
});

test('a sink that says nothing about it keeps its bytes', () => {
  const source = new ReadBuffer();
  const body = bodyOn(source);
  const kept: Uint8Array[] = [];
  body.consume({ write: (chunk) => kept.push(chunk) > 0, end() {}, fail() {} });
  for (const letter of ['a', 'b', 'c']) read(source, lines(letter));
  assert.equal(Buffer.concat(kept).toString(), lines('a') + lines('b') + lines('c'));
});

test('bytes taken whole stay as they are, whatever becomes of the body after', async () => {
  const source = new ReadBuffer();
  const body = bodyOn(source);
  read(source, lines('a'));
  body.finish(null);
  const taken = body.takeWhole();
  read(source, lines('b'));
  read(new ReadBuffer(), lines('x'));
  assert.equal(Buffer.from(taken ?? []).toString(), lines('a'));
  assert.equal(await body.whole(), taken);
});

test('memory of bytes that have been passed on is used again', () => {
  const source = new ReadBuffer();
  const blocks = new Set<ArrayBufferLike>();
  for (let i = 0; i < 100; i += 1) {
    const body = bodyOn(source);
    read(source, lines('a'));
    const sink = {
      write: (chunk: Uint8Array) => blocks.add(chunk.buffer).size > 0,
      end() {},
      fail() {},
      holdsBytes: false,
    };
    body.consume(sink);
    body.finish(null);
  }
  assert.ok(blocks.size <= 3, `${blocks.size} blocks`);
});

test('many answers at once, to fast and to slow clients, arrive as they were sent', async () => {
  await using it = await Proxied.open();
  const sizes = Array.from({ length: 12 }, (_, seed) => 100_000 * (1 + seed * 7) + seed);
  const downloads = sizes.map(async (sizeBytes, seed) => {
    const client = await it.client();
    const received = new Download(client.socket, sizeBytes, seed % 3 === 0);
    client.write(get(`/${seed}`));
    return received;
  });
  const servers: [number, ScriptedConnection][] = [];
  while (servers.length < sizes.length) {
    const server = await it.upstream.connection();
    servers.push([Number(/^GET \/(\d+) /.exec(await server.head())?.[1]), server]);
  }
  for (const [seed, { socket }] of servers) {
    const bytes = pattern(seed, sizes[seed] ?? 0);
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes.length}\r\n\r\n`);
    socket.write(bytes);
  }
  for (const [seed, download] of (await Promise.all(downloads)).entries()) {
    await until(() => download.done);
    const expected = createHash('sha1').update(pattern(seed, sizes[seed] ?? 0));
    assert.equal(download.hash.digest('hex'), expected.digest('hex'), `client ${seed}`);
  }
});

/** Hashes the body of an answer of a known size; a slow one reads only every other turn. */
class Download {
  readonly hash = createHash('sha1');
  done = false;
  private head = '';
  private restBytes: number;

  constructor(socket: Socket, sizeBytes: number, slow: boolean) {
    this.restBytes = sizeBytes;
    socket.removeAllListeners('data');
    socket.on('data', (chunk: Buffer) => {
      this.take(chunk);
      if (!slow) return;
      socket.pause();
      setImmediate(() => setImmediate(() => socket.resume()));
    });
  }

  private take(chunk: Buffer): void {
    let at = 0;
    while (!this.head.endsWith('\r\n\r\n') && at < chunk.length) {
      this.head += String.fromCharCode(chunk[at] ?? 0);
      at += 1;
    }
    this.hash.update(chunk.subarray(at));
    this.restBytes -= chunk.length - at;
    this.done = this.restBytes === 0;
  }
}

/** Bytes that differ everywhere and between seeds. */
function pattern(seed: number, sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let state = seed * 2_654_435_761 + 1;
  for (let i = 0; i < sizeBytes; i += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}
