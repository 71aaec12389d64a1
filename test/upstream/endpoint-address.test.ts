import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpointAddress } from '../../src/upstream/endpoint-address.ts';

test('an endpoint is an http URL or a unix socket', () => {
  assert.deepEqual(endpointAddress('http://Example.com'), {
    url: 'http://example.com',
    authority: 'example.com',
    connect: { host: 'example.com', port: 80 },
  });
  assert.deepEqual(endpointAddress('http://[::1]:3000/'), {
    url: 'http://[::1]:3000',
    authority: '[::1]:3000',
    connect: { host: '::1', port: 3000 },
  });
  assert.deepEqual(endpointAddress('unix:/run/app.sock'), {
    url: 'unix:/run/app.sock',
    authority: 'localhost',
    connect: { path: '/run/app.sock' },
  });
});

test('anything else is refused with the reason', () => {
  for (const [url, reason] of [
    ['https://example.com', /https is not supported yet/],
    ['ftp://example.com', /neither http/],
    ['example.com:80', /neither http/],
    ['http://', /not a URL/],
    ['http://example.com/api', /host and a port only/],
    ['http://me:secret@example.com', /host and a port only/],
    ['unix:', /no path/],
  ] as const) {
    assert.throws(() => endpointAddress(url), { name: 'TypeError', message: reason }, url);
  }
});
