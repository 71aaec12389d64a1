import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpointAddress } from '../../src/upstream/endpoint-address.ts';

test('an endpoint is an http or https URL, or a unix socket', () => {
  assert.deepEqual(endpointAddress('http://Example.com'), {
    url: 'http://example.com',
    authority: 'example.com',
    secureHost: null,
    connect: { host: 'example.com', port: 80 },
  });
  assert.deepEqual(endpointAddress('http://[::1]:3000/'), {
    url: 'http://[::1]:3000',
    authority: '[::1]:3000',
    secureHost: null,
    connect: { host: '::1', port: 3000 },
  });
  assert.deepEqual(endpointAddress('https://Example.com'), {
    url: 'https://example.com',
    authority: 'example.com',
    secureHost: 'example.com',
    connect: { host: 'example.com', port: 443 },
  });
  assert.deepEqual(endpointAddress('https://[::1]:9443').secureHost, '::1');
  assert.deepEqual(endpointAddress('unix:/run/app.sock'), {
    url: 'unix:/run/app.sock',
    authority: 'localhost',
    secureHost: null,
    connect: { path: '/run/app.sock' },
  });
});

test('anything else is refused with the reason', () => {
  for (const [url, reason] of [
    ['ftp://example.com', /none of http/],
    ['example.com:80', /none of http/],
    ['http://', /not a URL/],
    ['http://example.com/api', /host and a port only/],
    ['http://me:secret@example.com', /host and a port only/],
    ['unix:', /no path/],
  ] as const) {
    assert.throws(() => endpointAddress(url), { name: 'TypeError', message: reason }, url);
  }
});
