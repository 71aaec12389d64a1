import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IncomingBody } from '../../../src/core/body.ts';
import { Failure } from '../../../src/core/failure.ts';
import { BodyReader } from '../../../src/protocol/http1/body.ts';
import type { Framing } from '../../../src/protocol/http1/section.ts';

const OWNER = { demand() {}, hold() {}, abandon() {} };

/** Feeds the bytes in pieces; returns the body and how much of the bytes belongs to it. */
function read(
  framing: Framing,
  bytes: Buffer,
  cuts: readonly number[],
): { body: IncomingBody; end: number; reader: BodyReader } {
  const body = new IncomingBody(OWNER, null, null);
  const reader = new BodyReader(framing, body, 1000);
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let end = 0;
  for (const cut of [...at, bytes.length]) {
    if (reader.done || cut === end) continue;
    const taken = reader.feed(bytes.subarray(0, cut), end);
    if (!reader.done) assert.equal(taken, cut);
    end = taken;
  }
  return { body, end, reader };
}

const bytesOf = (body: IncomingBody): Buffer => Buffer.from(body.takeWhole() ?? []);

function encode(pieces: readonly Uint8Array[], extension: string, trailers: string): Buffer {
  const chunks = pieces
    .filter((piece) => piece.length > 0)
    .map((piece) => [Buffer.from(`${piece.length.toString(16)}${extension}\r\n`), piece, Buffer.from('\r\n')]);
  return Buffer.concat([...chunks.flat(), Buffer.from(`0\r\n${trailers}\r\n`)]);
}

const cuts = fc.array(fc.nat({ max: 100_000 }), { maxLength: 20 });
const pieces = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 });

test('decoding the chunks of anything gives it back, cut at any bytes, and leaves what follows (RFC 9112 §7.1)', () => {
  const extension = fc.constantFrom('', ';x', ';x="y"');
  const trailers = fc.constantFrom('', 'x: y\r\n', 'a: 1\r\nb:\r\n');
  fc.assert(
    fc.property(pieces, extension, trailers, fc.uint8Array({ maxLength: 20 }), cuts, (parts, ext, fields, next, at) => {
      const encoded = encode(parts, ext, fields);
      const { body, end, reader } = read({ kind: 'chunked' }, Buffer.concat([encoded, next]), at);
      assert.ok(reader.done && body.complete);
      assert.equal(end, encoded.length);
      assert.deepEqual(bytesOf(body), Buffer.concat(parts));
      assert.equal(body.trailers?.count ?? 0, fields.split('\r\n').length - 1);
    }),
  );
});

test('a body of a length is exactly that many bytes, cut anywhere (RFC 9112 §6.2)', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.uint8Array({ maxLength: 20 }),
      cuts,
      (content, next, at) => {
        const bytes = Buffer.concat([content, next]);
        const { body, end, reader } = read({ kind: 'length', lengthBytes: content.length }, bytes, at);
        assert.ok(reader.done && body.complete);
        assert.equal(end, content.length);
        assert.deepEqual(bytesOf(body), Buffer.from(content));
      },
    ),
  );
});

test('a prefix of a chunked body is never taken for the whole of it (RFC 9112 §8)', () => {
  fc.assert(
    fc.property(pieces, fc.nat({ max: 100_000 }), cuts, (parts, length, at) => {
      const encoded = encode(parts, ';x', 'x: y\r\n');
      const { body, reader } = read({ kind: 'chunked' }, encoded.subarray(0, length % encoded.length), at);
      assert.equal(reader.done, false);
      assert.equal(body.complete, false);
      assert.equal(reader.endOfInput(), false);
      assert.equal(reader.announcedBytes, null);
    }),
  );
});

test('any bytes are a chunked body or chunk-invalid, and it does not matter how they are cut', () => {
  const alphabet = fc.constantFrom(...Buffer.from('0123aF;\r\n\r\n\r\nx: "'));
  fc.assert(
    fc.property(fc.array(alphabet, { maxLength: 60 }), cuts, (list, at) => {
      const verdict = (where: readonly number[]): unknown => {
        try {
          const { reader, end, body } = read({ kind: 'chunked' }, Buffer.from(list), where);
          return [reader.done, end, body.receivedBytes];
        } catch (error) {
          assert.ok(error instanceof Failure);
          return error.code;
        }
      };
      assert.deepEqual(verdict(at), verdict([]));
    }),
    { numRuns: 1000 },
  );
});

test('a body that the connection ends is complete with it, and only then (RFC 9112 §6.3)', () => {
  const { body, reader } = read({ kind: 'close' }, Buffer.from('hello'), [2]);
  assert.equal(reader.done, false);
  assert.equal(reader.endOfInput(), true);
  assert.deepEqual([body.complete, bytesOf(body).toString()], [true, 'hello']);
});

test('what is surely still to come is known for a length', () => {
  const { reader } = read({ kind: 'length', lengthBytes: 10 }, Buffer.from('hel'), []);
  assert.equal(reader.announcedBytes, 7);
});
