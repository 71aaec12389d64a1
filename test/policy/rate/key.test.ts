import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressKey, compositeKey, headerKey, pathKey } from '../../../src/policy/rate/key.ts';

test('IPv4 is its own key, IPv4 in IPv6 is the same one (RFC 4291 §2.5.5.2)', () => {
  for (const spelling of ['192.0.2.1', '::ffff:192.0.2.1', '::FFFF:c000:201', '0:0:0:0:0:ffff:192.0.2.1'])
    assert.equal(addressKey(spelling), '192.0.2.1');
});

test('an IPv6 client has one key for all addresses of its network', () => {
  const key = '2001:db8:0:7:0:0:0:0/64';
  for (const spelling of ['2001:db8:0:7::1', '2001:DB8:0:7:ffff:ffff:ffff:ffff', '2001:0db8:0000:0007::192.0.2.1'])
    assert.equal(addressKey(spelling), key);
  assert.notEqual(addressKey('2001:db8:0:8::1'), key);
  assert.equal(addressKey('2001:db8:abcd:7::1', 48), '2001:db8:abcd:0:0:0:0:0/48');
  assert.equal(addressKey('2001:db8:abcd:7::1', 36), '2001:db8:a000:0:0:0:0:0/36');
  assert.equal(addressKey('::1', 128), '0:0:0:0:0:0:0:1/128');
  assert.equal(addressKey('ffff::1', 0), '0:0:0:0:0:0:0:0/0');
  assert.equal(addressKey('fe80::1%eth0'), addressKey('fe80::2'));
});

test('what is no IP address is its own key', () => {
  for (const other of ['unix:', '', 'a:b', '1:2:3', '::ffff:999.0.0.1']) assert.equal(addressKey(other), other);
});

test('addresses have the same key exactly when their first bits are the same', () => {
  const groups = fc.array(fc.constantFrom(0, 1, 0x8000, 0xffff), { minLength: 8, maxLength: 8 });
  const write = (all: readonly number[]): string => all.map((group) => group.toString(16)).join(':');
  const bits = (all: readonly number[], count: number): string =>
    all
      .map((group) => group.toString(2).padStart(16, '0'))
      .join('')
      .slice(0, count);
  const mapped = (all: readonly number[]): boolean =>
    all.slice(0, 5).every((group) => group === 0) && all[5] === 0xffff;
  const property = fc.property(groups, groups, fc.nat(128), (a, b, length) => {
    fc.pre(!mapped(a) && !mapped(b));
    assert.equal(addressKey(write(a), length) === addressKey(write(b), length), bits(a, length) === bits(b, length));
  });
  fc.assert(property);
});

test('a missing header is no value of a header', () => {
  assert.equal(headerKey(' a '), headerKey('a'));
  assert.equal(new Set([headerKey(null), headerKey(''), headerKey('='), headerKey('null')]).size, 4);
});

test('all spellings of a path have one key (RFC 3986 §6.2.2)', () => {
  for (const spelling of ['/a/b~c', '//a///b~c/', '/a/./x/../b%7ec?q=1', '/%61/b%7Ec?', '/../a/b~c', '/x/%2e%2E/a/b~c'])
    assert.equal(pathKey(spelling), '/a/b~c');
  assert.equal(pathKey('/a%2fb/%zz'), '/a%2Fb/%zz');
  assert.equal(pathKey('*'), '/*');
  assert.equal(pathKey('/'), '/');
  assert.equal(pathKey('/api/v1/users/7', 2), '/api/v1');
});

test('different parts never make the same composite key', () => {
  const parts = fc.array(fc.string({ unit: fc.constantFrom('1', ':', 'a'), maxLength: 4 }), {
    minLength: 2,
    maxLength: 2,
  });
  const property = fc.property(parts, parts, (a, b) => {
    assert.equal(compositeKey(a) === compositeKey(b), a.join('\0') === b.join('\0'));
  });
  fc.assert(property, { numRuns: 1000 });
  assert.equal(compositeKey(['only']), 'only');
});
