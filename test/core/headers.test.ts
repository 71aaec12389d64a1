import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HeaderFields, isToken, listTokens, withoutSpace } from '../../src/core/headers.ts';

const received = HeaderFields.fromText('Host: a\r\nX-One:  1 \r\nx-one: 2\r\nEmpty:\r\nCookie: a=1\r\ncookie: b=2\r\n');

test('a field is found in any case, repeated lines are one list, and cookies a list of their own kind (RFC 9110 §5.3)', () => {
  assert.equal(received.get('HOST'), 'a');
  assert.equal(received.get('x-one'), '1, 2');
  assert.equal(received.get('cookie'), 'a=1; b=2');
  assert.equal(received.get('empty'), '');
  assert.equal(received.get('absent'), null);
  assert.deepEqual(received.getAll('X-ONE'), ['1', '2']);
  assert.deepEqual(received.getAll('absent'), []);
  assert.ok(received.has('EMPTY') && !received.has('absent'));
  assert.equal(received.count, 6);
});

test('text and pairs are two forms of the same fields', () => {
  assert.deepEqual(
    HeaderFields.from([
      ['A', '1'],
      ['b', ''],
    ]).text,
    'A: 1\r\nb: \r\n',
  );
  assert.deepEqual(received.pairs.slice(0, 4), ['Host', 'a', 'X-One', '1']);
  assert.equal(received.text.slice(0, 9), 'Host: a\r\n');
  const name = fc.string({ unit: fc.constantFrom(..."abzAZ09-_!#$%&'*+.^`|~".split('')), minLength: 1, maxLength: 8 });
  const value = fc.string({ unit: fc.constantFrom(...'ab:, \t\x80\xa0\xff"'.split('')), maxLength: 12 });
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), (lines) => {
      const made = HeaderFields.from(lines);
      const again = HeaderFields.fromText(made.text);
      assert.deepEqual(again.pairs, made.pairs);
      assert.deepEqual([...again], [...made]);
      for (const [asked] of lines) assert.deepEqual(again.getAll(asked), made.getAll(asked));
    }),
  );
});

test('fields that are followed by lines read as if they had been made of all of them', () => {
  const tail = 'x-one: 3\r\nRateLimit: "a";r=1\r\n';
  const bases = ['', 'a: 1\r\nX-One: 2\r\n', 'connection: x-two\r\nx-two: 1\r\nkeep-alive: 5\r\nb: 2\r\n'];
  for (const base of bases) {
    const longer = HeaderFields.fromText(base).followedBy(['x-one', 'ratelimit'], tail);
    const made = HeaderFields.fromText(base + tail);
    for (const fields of [longer, longer.followedBy(['c'], 'c: 4\r\n')]) {
      const same = fields === longer ? made : HeaderFields.fromText(`${base}${tail}c: 4\r\n`);
      assert.equal(fields.text, same.text);
      assert.deepEqual([...fields], [...same]);
      assert.equal(fields.endToEnd.text, same.endToEnd.text);
      for (const name of ['a', 'X-ONE', 'x-two', 'ratelimit', 'c', 'absent']) {
        assert.equal(fields.get(name), same.get(name), name);
        assert.equal(fields.has(name), same.has(name), name);
        assert.deepEqual(fields.getAll(name), same.getAll(name), name);
      }
    }
  }
});

test('sources are records, pairs, Headers and fields; undefined values are left out', () => {
  const record = HeaderFields.from({ a: '1', n: 2, list: ['x', 'y'], none: undefined });
  assert.deepEqual(record.pairs, ['a', '1', 'n', '2', 'list', 'x', 'list', 'y']);
  assert.deepEqual(HeaderFields.from(new Headers({ A: '1' })).pairs, ['a', '1']);
  assert.deepEqual(HeaderFields.from(new Map([['A', '1']])).pairs, ['A', '1']);
  assert.equal(HeaderFields.from(record), record);
  for (const nothing of [null, undefined, {}, []]) assert.equal(HeaderFields.from(nothing), HeaderFields.EMPTY);
});

test('a name that is no token and a value that could be read as more than one throw (RFC 9110 §5.1, §5.5)', () => {
  for (const name of ['', ' ', 'a b', 'a:', 'a\r\nb', 'é', 'a(b', '"a"']) {
    assert.throws(() => HeaderFields.from({ [name]: 'x' }), TypeError, name);
    assert.equal(isToken(name), false);
  }
  for (const value of [
    '\r',
    '\n',
    'a\r\nb: c',
    'a\n',
    '\ra',
    '\0',
    'a\x7f',
    '\x0b',
    'Ā',
    '\u2028',
    '\ufeff',
    '\u{1f600}',
  ]) {
    assert.throws(() => HeaderFields.from({ x: value }), TypeError, JSON.stringify(value));
    assert.throws(() => received.with('x', value), TypeError);
    assert.throws(() => received.append('x', value), TypeError);
  }
});

test('only spaces and tabs around a value are not part of it (RFC 9110 §5.6.3)', () => {
  assert.equal(HeaderFields.from({ x: ' \t\xa0a \t' }).get('x'), '\xa0a');
  assert.equal(HeaderFields.fromText('x:\xa0a\xa0\r\n').get('x'), '\xa0a\xa0');
  assert.equal(withoutSpace(' \t', 0, 2), '');
  assert.equal(withoutSpace('x: a ;', 2, 5), 'a');
  assert.deepEqual(listTokens(' Close ,, \tKeep-Alive,\xa0x'), ['close', 'keep-alive', '\xa0x']);
});

test('changes give new fields and leave the old ones as they were', () => {
  const before = received.text;
  assert.deepEqual(received.with('X-ONE', '3').getAll('x-one'), ['3']);
  assert.equal(received.with('new', '1').get('new'), '1');
  assert.deepEqual(received.append('x-one', '3').getAll('x-one'), ['1', '2', '3']);
  const fewer = received.without(new Set(['x-one', 'cookie']));
  assert.deepEqual(fewer.pairs, ['Host', 'a', 'Empty', '']);
  assert.equal(received.without(new Set(['absent'])), received);
  assert.equal(fewer.without(new Set(['host', 'empty'])), HeaderFields.EMPTY);
  assert.throws(() => received.set('x', 'y'), TypeError);
  assert.throws(() => received.delete('x'), TypeError);
  assert.equal(received.text, before);
});

test('what may be passed on is without the fields of the connection and those it names (RFC 9110 §7.6.1)', () => {
  const fields = HeaderFields.fromText(
    'Connection: X-Hop, close\r\nx-hop: 1\r\nKeep-Alive: 1\r\nTE: x\r\nTransfer-Encoding: chunked\r\nUpgrade: h2c\r\nProxy-Connection: x\r\nproxy-authenticate: x\r\nproxy-authorization: x\r\nhttp2-settings: x\r\nkept: 1\r\n',
  );
  assert.deepEqual(fields.endToEnd.pairs, ['kept', '1']);
  assert.equal(fields.endToEnd, fields.endToEnd);
  const plain = HeaderFields.fromText('kept: 1\r\n');
  assert.equal(plain.endToEnd, plain);
});

test('fields are iterated as a Fetch Headers is: names in lower case', () => {
  const fields = HeaderFields.fromText('B: 1\r\na: 2\r\nb: 3\r\n');
  const lines = [
    ['b', '1'],
    ['a', '2'],
    ['b', '3'],
  ];
  assert.deepEqual([...fields], lines);
  assert.deepEqual([...fields.entries()], lines);
  assert.deepEqual([...fields.keys()], ['b', 'a', 'b']);
  assert.deepEqual([...fields.values()], ['1', '2', '3']);
  const visited: unknown[] = [];
  fields.forEach((value, name, all) => void visited.push([name, value, all === fields]));
  assert.deepEqual(
    visited,
    lines.map((line) => [...line, true]),
  );
  assert.equal(new Headers([...fields]).get('b'), '1, 3');
  assert.deepEqual(HeaderFields.fromText('Set-Cookie: a\r\nset-cookie: b\r\n').getSetCookie(), ['a', 'b']);
});

test('a token of a list is found in any case, and only as a whole', () => {
  const fields = HeaderFields.from({ vary: 'Accept, origin' });
  assert.ok(fields.hasToken('vary', 'accept') && fields.hasToken('vary', 'origin'));
  assert.ok(!fields.hasToken('vary', 'orig') && !fields.hasToken('absent', 'x'));
});
