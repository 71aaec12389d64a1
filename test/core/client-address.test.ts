import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClientAddress } from '../../src/core/client-address.ts';
import { makeRequest } from '../support/request.ts';

function told(trusted: readonly string[], peer: string, forwardedFor?: string): string {
  const headers = forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor };
  return new ClientAddress(trusted).of(makeRequest('GET', '/', { headers, peer: { address: peer } }));
}

test('without trusted proxies the client is the peer, whatever it says', () => {
  assert.equal(told([], '192.0.2.1', '203.0.113.9'), '192.0.2.1');
  assert.equal(told(['10.0.0.0/8'], '192.0.2.1', '203.0.113.9'), '192.0.2.1');
});

test('behind trusted proxies it is the last address that one of them has seen and that is none of them', () => {
  const proxies = ['10.0.0.0/8', 'unix', 'fd00::/8'];
  assert.equal(told(proxies, '10.0.0.1', '203.0.113.9'), '203.0.113.9');
  assert.equal(told(proxies, '10.0.0.1', '1.2.3.4, 203.0.113.9, 10.0.0.2'), '203.0.113.9');
  assert.equal(told(proxies, 'unix:', '203.0.113.9'), '203.0.113.9');
  assert.equal(told(proxies, 'fd00::1', '2001:db8::1'), '2001:db8::1');
  assert.equal(told(proxies, '10.0.0.1', '10.0.0.3,10.0.0.2'), '10.0.0.3');
  assert.equal(told(proxies, '10.0.0.1'), '10.0.0.1');
});

test('ports and brackets are taken off; what is no address ends the chain', () => {
  const proxies = ['10.0.0.0/8'];
  assert.equal(told(proxies, '10.0.0.1', '203.0.113.9:4711'), '203.0.113.9');
  assert.equal(told(proxies, '10.0.0.1', '[2001:db8::1]:4711'), '2001:db8::1');
  assert.equal(told(proxies, '10.0.0.1', '[2001:db8::1]'), '2001:db8::1');
  for (const word of ['unknown', '', '300.1.1.1', '1.2.3.4:x', '1.2.3.4 x', '_hidden'])
    assert.equal(told(proxies, '10.0.0.1', `203.0.113.9, ${word}`), '10.0.0.1', word);
  assert.equal(told(proxies, '10.0.0.1', '203.0.113.9, unknown, 10.0.0.2'), '10.0.0.2');
});

test('what a client writes before the first trusted hop never changes who it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii' }), (lie) => {
      assert.equal(told(['10.0.0.0/8'], '10.0.0.1', `${lie.replace(/[^ -~]/g, '')}, 203.0.113.9`), '203.0.113.9');
    }),
  );
});
