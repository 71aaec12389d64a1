import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filesOf, tlsSettings } from '../../../src/transport/tls/options.ts';
import { LOCALHOST, TEST_AUTHORITY } from '../../support/certificates.ts';

const certificates = [{ cert: 'a.pem', key: 'a.key' }];

test('certificates are all that must be given', () => {
  const { minVersion, clientAuth, handshakeTimeoutMs, ...rest } = tlsSettings('tls', { certificates });
  assert.deepEqual([minVersion, clientAuth, handshakeTimeoutMs], ['1.2', 'none', 10_000]);
  assert.deepEqual(rest, {
    certificates,
    ca: null,
    ticketRotateMs: 43_200_000,
    ticketSecret: null,
    handshakeMaxCount: 1000,
    handshakeMaxPerSec: null,
    watch: true,
  });
});

test('everything that is wrong is said at once', () => {
  const wrong = JSON.parse(
    '{"certificates":[{"cert":"a.pem","kee":"a.key"},7],"minVersion":"1.1","clientAuth":"maybe","ca":null,"ticketRotateMs":0,"ticketSecret":"short","watch":1}',
  );
  assert.throws(() => tlsSettings('listener a: tls', wrong), {
    name: 'TypeError',
    message: [
      'listener a: tls: certificates: [0]: kee: no such option, did you mean key?',
      'certificates: [1]: 7 is not an object',
      'minVersion: "1.1" is not one of 1.2, 1.3',
      'clientAuth: "maybe" is not one of none, request, require',
      'ticketRotateMs: 0 is not milliseconds above 0',
      'ticketSecret: give text of at least 32 characters (null turns it off)',
      'watch: 1 is not true or false',
    ].join('; '),
  });
  assert.throws(() => tlsSettings('tls', { certificates: [] }), /certificates: \[\] is not at least one, such as/);
  assert.throws(() => tlsSettings('tls', {}), /certificates: give at least one, such as/);
  assert.throws(() => tlsSettings('tls', { certificates, clientAuth: 'require' }), /ca: give the authorities/);
  assert.throws(() => tlsSettings('tls', { certificates, handshakeMaxCount: 0, handshakeMaxPerSec: 0 }), {
    message:
      'tls: handshakeMaxCount: 0 is not a whole number, 1 or more; handshakeMaxPerSec: 0 is not a number above 0 (null turns it off)',
  });
  assert.throws(() => tlsSettings('tls', { certificates, ca: 'ca.pem' }), /ca: has no effect while clientAuth is none/);
});

test('the files are those that are named, each once', () => {
  const settings = tlsSettings('tls', {
    certificates: [{ cert: 'a.pem', key: 'a.pem', chain: 'chain.pem' }, LOCALHOST],
    clientAuth: 'require',
    ca: 'ca.pem',
  });
  assert.deepEqual(filesOf(settings), ['a.pem', 'chain.pem', 'ca.pem']);
  assert.deepEqual(filesOf({ ...settings, ca: TEST_AUTHORITY.cert, certificates: [LOCALHOST] }), []);
});
