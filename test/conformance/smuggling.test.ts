import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BodyMode } from '../../src/core/handler.ts';
import type { HttpResponse } from '../../src/core/message.ts';
import type { HttpRequest } from '../../src/core/request.ts';
import { eventually, turns } from '../support/wire.ts';
import { Served } from './served.ts';

const HOST = 'host: a\r\n';
const SMUGGLED = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`;
const FIRST = `POST /first HTTP/1.1\r\n${HOST}`;

/** A body that is `SMUGGLED` for who believes the length, and ends at once for who believes the chunks. */
const both = (length: string, coding: string): string => `${FIRST}${length}${coding}\r\n0\r\n\r\n${SMUGGLED}`;
const LENGTH = `content-length: ${5 + SMUGGLED.length}\r\n`;
const chunked = (body: string): string => `${FIRST}transfer-encoding: chunked\r\n\r\n${body}`;

/** Well-known ways to make two readers of one connection disagree about where a request ends (RFC 9112 §11.2). */
const PAYLOADS: Readonly<Record<string, string>> = {
  'CL.TE': both('content-length: 5\r\n', 'transfer-encoding: chunked\r\n'),
  'TE.CL': both('', `transfer-encoding: chunked\r\n${LENGTH}`),
  'CL.CL': `${FIRST}content-length: 0\r\n${LENGTH}\r\n${SMUGGLED}`,
  'CL list': `${FIRST}content-length: 0, ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  'CL +': `${FIRST}content-length: +0\r\n\r\n${SMUGGLED}`,
  'CL octal-looking and hex': `${FIRST}content-length: 0x0\r\n\r\n${SMUGGLED}`,
  'CL with a space before the colon': `${FIRST}content-length : ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  'CL behind a NUL': `${FIRST}content-length: 0\0${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  'CL behind a no-break space': `${FIRST}content-length:\xa00\r\n\r\n${SMUGGLED}`,
  'TE with a space before the colon': both(LENGTH, 'transfer-encoding : chunked\r\n'),
  'TE with a tab before the colon': both(LENGTH, 'transfer-encoding\t: chunked\r\n'),
  'TE xchunked': both(LENGTH, 'transfer-encoding: xchunked\r\n'),
  'TE xchunked alone': both('', 'transfer-encoding: xchunked\r\n'),
  'TE with a vertical tab': both(LENGTH, 'transfer-encoding: \x0bchunked\r\n'),
  'TE with a vertical tab, alone': both('', 'transfer-encoding: \x0bchunked\r\n'),
  'TE with a form feed': both('', 'transfer-encoding:\x0cchunked\r\n'),
  'TE with a no-break space': both('', 'transfer-encoding:\xa0chunked\r\n'),
  'TE quoted': both('', 'transfer-encoding: "chunked"\r\n'),
  'TE identity first': both('', 'transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n'),
  'TE chunked first': both('', 'transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n'),
  'TE list with chunked first': both('', 'transfer-encoding: chunked, identity\r\n'),
  'TE list with chunked last': both('', 'transfer-encoding: identity, chunked\r\n'),
  'TE twice chunked': both('', 'transfer-encoding: chunked, chunked\r\n'),
  'TE folded': both(LENGTH, 'transfer-encoding:\r\n chunked\r\n'),
  'TE folded with a tab': both(LENGTH, 'transfer-encoding:\r\n\tchunked\r\n'),
  'TE behind a bare LF': both(LENGTH, 'x: y\ntransfer-encoding: chunked\r\n'),
  'TE behind a bare CR': both(LENGTH, 'x: y\rtransfer-encoding: chunked\r\n'),
  'TE behind LF CR': both(LENGTH, 'x: y\n\rtransfer-encoding: chunked\r\n'),
  'TE behind a NUL': both(LENGTH, 'x: y\0\r\ntransfer-encoding: chunked\r\n'),
  'TE as the first line, indented': `POST /first HTTP/1.1\r\n transfer-encoding: chunked\r\n${HOST}${LENGTH}\r\n0\r\n\r\n${SMUGGLED}`,
  'TE in HTTP/1.0': both('', 'transfer-encoding: chunked\r\n').replace('HTTP/1.1', 'HTTP/1.0'),
  'TE with an underscore beside a length': both(LENGTH, 'transfer_encoding : chunked\r\n'),
  'TE of an empty value': both('content-length: 0\r\n', 'transfer-encoding:\r\n'),
  'a head that ends in LF LF': `GET /first HTTP/1.1\n${HOST.replace('\r', '')}\n${SMUGGLED}`,
  'a head that ends in CRLF LF': `GET /first HTTP/1.1\r\n${HOST}\n${SMUGGLED}`,
  'a head that ends in CR CR': `GET /first HTTP/1.1\r${HOST}\r\r${SMUGGLED}`,
  'a second request line in a value': `GET /first HTTP/1.1\r\n${HOST}x: y\n\n${SMUGGLED}`,
  'a request line in the target': `GET /first HTTP/1.1\nGET /smuggled HTTP/1.1\r\n${HOST}\r\n`,
  'two hosts': `GET /first HTTP/1.1\r\n${HOST}host: b\r\n\r\n${SMUGGLED}`,
  'a chunk size with 0x': chunked(`0x0\r\n\r\n${SMUGGLED}`),
  'a chunk size with a minus': chunked(`-0\r\n\r\n${SMUGGLED}`),
  'a chunk size with an underscore': chunked(`1_0\r\n\r\n${SMUGGLED}`),
  'a chunk size with a space': chunked(`0 \r\n\r\n${SMUGGLED}`),
  'a chunk size that wraps at 32 bits': chunked(`100000000\r\n\r\n${SMUGGLED}`).replace(
    '100000000',
    '10000000000000000',
  ),
  'a chunk size that ends in LF': chunked(`0\n\r\n${SMUGGLED}`),
  'a chunk size that ends in CR': chunked(`0\r\r\n${SMUGGLED}`),
  'a chunk that is longer than its size': chunked(`1\r\nab\r\n0\r\n\r\n${SMUGGLED}`),
  'a chunk without CRLF': chunked(`1\r\na0\r\n\r\n${SMUGGLED}`),
  'a chunk whose CRLF is two other bytes (CVE of many parsers)': chunked(`1\r\naXX0\r\n\r\n${SMUGGLED}`),
  'an extension with a bare LF': chunked(`1;a\nb\r\na\r\n0\r\n\r\n${SMUGGLED}`),
  'an extension with a bare CR': chunked(`1;a\rb\r\na\r\n0\r\n\r\n${SMUGGLED}`),
  'trailers that end in LF': chunked(`0\r\nx: y\n\n${SMUGGLED}`),
  'a content-length in the trailers': chunked(`0\r\ncontent-length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`),
  'a folded trailer': chunked(`0\r\nx: y\r\n z\r\n\r\n${SMUGGLED}`),
  'bytes after the version': `GET /first HTTP/1.1 x\r\n${HOST}\r\n${SMUGGLED}`,
  'a version of its own': `GET /first HTTP/1.2\r\n${HOST}\r\n${SMUGGLED}`,
  'an unmet expectation': `${FIRST}expect: 200-ok\r\n${LENGTH}\r\n${SMUGGLED}`,
  'TRACE with a body': `TRACE /first HTTP/1.1\r\n${HOST}${LENGTH}\r\n${SMUGGLED}`,
  'close before more requests': `GET /first HTTP/1.1\r\n${HOST}connection: close\r\n\r\n${SMUGGLED}`,
  'close among other tokens': `GET /first HTTP/1.1\r\n${HOST}connection: x, Close\r\n\r\n${SMUGGLED}`,
  'HTTP/1.0 without keep-alive': `GET /first HTTP/1.0\r\n${HOST}\r\n${SMUGGLED}`,
  'HTTP/1.0 with close and keep-alive (RFC 9112 §9.3)': `GET /first HTTP/1.0\r\n${HOST}connection: keep-alive, close\r\n\r\n${SMUGGLED}`,
  'CONNECT that the handler does not know': `CONNECT a:1 HTTP/1.1\r\n${HOST}\r\n${SMUGGLED}`,
  'HTTP/0.9': `GET /first\r\n${SMUGGLED}`,
};

for (const mode of ['auto', 'manual'] as const satisfies readonly BodyMode[]) {
  for (const split of ['in one write', 'byte by byte'] as const) {
    test(`nothing after a framing error is read as a request: body ${mode}, ${split} (RFC 9112 §11.2)`, async (t) => {
      const asked: string[] = [];
      const handler = (request: { target: string }) => {
        asked.push(request.target);
        return { status: 200, body: 'ok' };
      };
      const served = await Served.start(t, handler, {}, { body: mode });
      for (const [name, payload] of Object.entries(PAYLOADS)) {
        asked.length = 0;
        const wire = await served.open();
        if (split === 'in one write') wire.write(payload);
        else for (const byte of payload) wire.write(byte);
        const answers = (await wire.rest()).split('HTTP/1.1 ').length - 1;
        assert.ok(answers <= 1, `${name}: ${answers} answers`);
        assert.ok(!asked.includes('/smuggled'), `${name}: the handler saw ${asked.join(', ')}`);
        assert.ok(asked.length <= 1, `${name}: the handler was called ${asked.length} times`);
        wire.socket.destroy();
      }
    });
  }
}

test('a chunk that breaks while an early answer is not taken yet ends the connection all the same', async (t) => {
  const asked: string[] = [];
  const large = Buffer.alloc(12_000_000, '~');
  const handler = async (request: HttpRequest): Promise<HttpResponse> => {
    asked.push(request.target);
    await request.incoming?.[Symbol.asyncIterator]().next();
    return { status: 200, body: large };
  };
  const served = await Served.start(t, handler, {}, { body: 'manual' });
  const wire = await served.open();
  wire.socket.pause();
  wire.write(`${FIRST}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`);
  await eventually(
    () => served.server.status().requests.served === 1 && served.server.status().requests.inFlight === 0,
  );
  wire.write('zz');
  await turns(5);
  wire.write(`\r\n0\r\n\r\n${SMUGGLED}`);
  await turns(5);
  wire.socket.resume();
  const answer = await wire.rest();
  assert.equal(answer.split('~').length - 1, large.length);
  assert.ok(answer.split('HTTP/1.1 ').length <= 3);
  assert.deepEqual(asked, ['/first']);
});
