import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../../src/core/failure.ts';
import { parseRequest, parseResponse, parseTrailers } from '../../../src/protocol/http1/parse.ts';

const LIMITS = { headMaxBytes: 300, headerMaxCount: 8, targetMaxBytes: 60 };
const HEAD = 'GET /path?x HTTP/1.1\r\nHost: a:80\r\nX: y\r\n\r\n';

/** `wait`, a code, or what was parsed. */
function verdict(text: string, at = 0): unknown {
  try {
    const head = parseRequest(text, at, LIMITS);
    return head === null
      ? 'wait'
      : [head.method, head.target, head.authority, head.minorVersion, head.section.fields.text, head.end - at];
  } catch (error) {
    assert.ok(error instanceof Failure);
    return error.code;
  }
}

test('a head is found where it begins, and its end is told', () => {
  const head = parseRequest(`xxx${HEAD}rest`, 3, LIMITS);
  assert.deepEqual([head?.method, head?.target, head?.authority, head?.minorVersion], ['GET', '/path?x', 'a:80', 1]);
  assert.equal(head?.end, 3 + HEAD.length);
  assert.equal(head?.section.fields.get('x'), 'y');
});

test('a valid head that is not complete waits, at every byte of it', () => {
  for (let length = 0; length < HEAD.length; length += 1)
    assert.equal(verdict(HEAD.slice(0, length)), 'wait', `${length}`);
});

test('what is refused when it is whole is refused or waited for when it is not, and never taken', () => {
  const alphabet = fc.constantFrom(
    'GET',
    'get',
    ' ',
    '/',
    '*',
    'HTTP/1.1',
    'HTTP/1.0',
    'HTTP/2.0',
    '\r\n',
    '\r\n',
    '\n',
    '\r',
    'Host: a',
    'host:',
    ':',
    'x',
    '\t',
    '\0',
    '\xa0',
    '#',
    'http://b',
    '\r\n\r\n',
  );
  fc.assert(
    fc.property(fc.array(alphabet, { maxLength: 14 }), (parts) => {
      const text = parts.join('');
      const whole = verdict(text);
      let first: unknown = 'wait';
      for (let length = 0; length <= text.length && first === 'wait'; length += 1)
        first = verdict(text.slice(0, length));
      if (Array.isArray(first)) assert.deepEqual(verdict(text), first);
      else if (first === 'wait') assert.equal(whole, 'wait');
      else
        assert.ok(
          typeof whole === 'string' && whole !== 'wait',
          `${JSON.stringify(text)}: ${String(first)}, then ${String(whole)}`,
        );
    }),
    { numRuns: 3000 },
  );
});

test('where a head stands in the text does not matter', () => {
  const heads = fc.constantFrom(
    HEAD,
    HEAD.slice(0, 20),
    'GET  / HTTP/1.1\r\n\r\n',
    `${HEAD.slice(0, -2)}bad\r\n\r\n`,
    '\n',
    'X',
  );
  fc.assert(
    fc.property(fc.string({ maxLength: 10 }), heads, (before, head) => {
      assert.deepEqual(verdict(before + head, before.length), verdict(head));
    }),
  );
});

test('the reason why a head is refused is told apart', () => {
  const cases: [string, string][] = [
    ['GET /\r\n', 'request-line-invalid'],
    ['GET / HTTP/1.1\n', 'request-line-invalid'],
    ['G@T ', 'request-line-invalid'],
    [`${'M'.repeat(65)} / HTTP/1.1\r\nhost: a\r\n\r\n`, 'request-line-invalid'],
    ['GET /\x80', 'target-invalid'],
    ['GET b HTTP/1.1\r\nhost: a\r\n\r\n', 'target-invalid'],
    [`GET /${'x'.repeat(60)}`, 'target-too-long'],
    ['GET / HTTP/1.2\r\n', 'version-unsupported'],
    ['GET / HTTP/1.1\r\nbad\r\n', 'header-invalid'],
    ['GET / HTTP/1.1\r\n\r\n', 'host-invalid'],
    [`GET / HTTP/1.1\r\n${'x:y\r\n'.repeat(9)}`, 'header-count-exceeded'],
    [`GET / HTTP/1.1\r\nx: ${'y'.repeat(300)}`, 'head-too-large'],
  ];
  for (const [text, code] of cases) assert.equal(verdict(text), code, JSON.stringify(text));
});

test('a head of hostile length is judged in time that grows with it only', () => {
  const limits = { headMaxBytes: 10_000_000, headerMaxCount: 1_000_000, targetMaxBytes: 10_000_000 };
  const hostile = [
    `GET / HTTP/1.1\r\nhost: a\r\nx:${' '.repeat(1_000_000)}`,
    `GET / HTTP/1.1\r\nhost: a\r\nx:${' \t'.repeat(500_000)}y\r\n\r\n`,
    `GET / HTTP/1.1\r\nhost: ${'%41'.repeat(300_000)}%\r\n\r\n`,
    `GET /${'/'.repeat(1_000_000)}`,
    'A'.repeat(1_000_000),
  ];
  const startMs = performance.now();
  for (const text of hostile) {
    try {
      parseRequest(text, 0, limits);
    } catch (error) {
      assert.ok(error instanceof Failure);
    }
  }
  assert.ok(performance.now() - startMs < 2000);
});

test('a status line is a version, three digits and a phrase or none (RFC 9112 §4)', () => {
  const parse = (line: string) => parseResponse(`${line}\r\nx: y\r\n\r\nrest`, 0, LIMITS);
  assert.deepEqual([parse('HTTP/1.1 200 OK')?.status, parse('HTTP/1.0 404')?.minorVersion], [200, 0]);
  assert.equal(parse('HTTP/1.1 299 \xe9 \t')?.section.fields.get('x'), 'y');
  for (const line of [
    'HTTP/1.1 20',
    'HTTP/1.1 2000',
    'HTTP/1.1 099 x',
    'HTTP/1.1  200',
    'HTTP/2.0 200',
    'http/1.1 200',
    'HTTP/1.1 200 \0',
    'ICY 200',
  ]) {
    assert.throws(
      () => parse(line),
      (error) => error instanceof Failure && error.code === 'upstream-invalid',
      line,
    );
  }
  const whole = 'HTTP/1.1 200 OK\r\nx: y\r\n\r\n';
  for (let length = 0; length < whole.length; length += 1)
    assert.equal(parseResponse(whole.slice(0, length), 0, LIMITS), null);
});

test('trailers are field lines without those that frame, route or connect (RFC 9110 §6.5.1)', () => {
  assert.deepEqual(parseTrailers('A: 1\r\nb:\r\n').pairs, ['A', '1', 'b', '']);
  for (const text of ['x\r\n', 'Host: a\r\n', 'x : y\r\n', 'x: \n\r\n', 'x: a\rb\r\n']) {
    assert.throws(
      () => parseTrailers(text),
      (error) => error instanceof Failure && error.code === 'chunk-invalid',
    );
  }
});
