import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../../src/core/failure.ts';
import { HeaderFields } from '../../../src/core/headers.ts';
import { Lifecycle } from '../../../src/core/lifecycle.ts';
import { Http1ClientConnection } from '../../../src/protocol/http1/client.ts';
import { HTTP1_CLIENT_DEFAULTS } from '../../../src/protocol/http1/client-limits.ts';
import { ReadBuffer } from '../../../src/upstream/read-buffer.ts';
import { Answer } from './client-peer.ts';

/** Answers with everything that can be split in an interesting place, each followed by the end of the connection. */
const ANSWERS = [
  'HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-a: 1\r\n\r\nhello',
  'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nx-sum: 1\r\nx-two: 2\r\n\r\n',
  'HTTP/1.0 200 OK\r\n\r\nuntil the end',
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ntoo',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcX',
  'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1',
];

/** A socket that is told what arrives and swallows what is sent. */
class Wire extends Socket {
  override write(): boolean {
    return true;
  }
}

/** What a client makes of an answer that arrives in these pieces: all of it, or why it failed. */
async function outcome(pieces: readonly string[]): Promise<unknown> {
  const wire = new Wire();
  const owner = { onFree() {}, onClose() {} };
  const source = new ReadBuffer();
  const connection = new Http1ClientConnection(wire, source, new Lifecycle(), owner, HTTP1_CLIENT_DEFAULTS, false);
  const answer = new Answer();
  const { EMPTY } = HeaderFields;
  connection.send(
    {
      method: 'GET',
      target: '/',
      authority: 'a',
      headers: EMPTY,
      body: null,
      trailers: () => null,
      expectContinue: false,
      upgrade: null,
      deadlineMs: null,
    },
    answer,
  );
  for (const piece of pieces) source.receiver?.(Buffer.from(piece, 'latin1'));
  wire.emit('end');
  const { failure, headers, informed, status } = await answer.come();
  if (failure !== null) return failure.code;
  try {
    return { fields: headers.text, informed, status, text: await answer.text() };
  } catch (error) {
    return error instanceof Failure ? error.code : error;
  }
}

test('an answer means the same wherever the network splits it', async () => {
  for (const answer of ANSWERS) {
    const whole = await outcome([answer]);
    for (let at = 1; at < answer.length; at += 1) {
      assert.deepEqual(await outcome([answer.slice(0, at), answer.slice(at)]), whole, `split at ${at}`);
    }
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: answer.length - 1 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(cuts, async (given) => {
        const at = [0, ...given.sort((a, b) => a - b), answer.length];
        assert.deepEqual(await outcome(at.slice(1).map((end, i) => answer.slice(at[i], end))), whole);
      }),
      { numRuns: 50 },
    );
  }
});
