import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  CertificateError,
  readBundle,
  readCertificate,
  splitAltNames,
} from '../../../src/transport/tls/certificate.ts';
import type { CertificateOptions } from '../../../src/transport/tls/options.ts';
import { LOCALHOST, TEST_AUTHORITY } from '../../support/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-certificate-'));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test('a pair is read from text, from bytes and from files, whatever stands before the PEM', () => {
  const { cert, key } = TEST_AUTHORITY.issue({ names: ['A.test', '*.b.test', '127.0.0.1'] });
  const explained = `Bag Attributes\n    friendlyName: a\n${cert}`;
  const pairs: CertificateOptions[] = [
    { cert: explained, key },
    { cert: Buffer.from(cert), key: Buffer.from(key) },
    { cert: file('cert.pem', explained), key: file('key.pem', key) },
  ];
  for (const pair of pairs) {
    const certificate = readCertificate('listener a', pair);
    assert.deepEqual(certificate.names, ['a.test', '*.b.test']);
    assert.equal(certificate.keyType, 'ec');
  }
});

test('an encrypted key is read with its passphrase', () => {
  const { cert, key } = TEST_AUTHORITY.issue({ passphrase: 'open sesame' });
  assert.equal(readCertificate('listener a', { cert, key, passphrase: 'open sesame' }).names[0], 'localhost');
});

const encrypted = TEST_AUTHORITY.issue({ passphrase: 'open sesame' });
const { cert, key } = LOCALHOST;

const FAULTS: readonly (readonly [what: string, options: CertificateOptions, message: string])[] = [
  ['a missing file', { cert: '/nowhere/a.pem', key }, 'cert: /nowhere/a.pem: there is no such file'],
  ['a folder', { cert: folder, key }, `cert: ${folder}: it cannot be read (EISDIR)`],
  [
    'something else',
    { cert: file('other', 'hello'), key },
    `cert: ${join(folder, 'other')}: there is no certificate in it; expected PEM (-----BEGIN CERTIFICATE-----)`,
  ],
  [
    'key and certificate exchanged',
    { cert: key, key: cert },
    'cert: there is no certificate in it; expected PEM (-----BEGIN CERTIFICATE-----)',
  ],
  [
    'a certificate for a key',
    { cert, key: cert },
    'key: there is no private key in it; expected PEM (-----BEGIN PRIVATE KEY-----)',
  ],
  [
    'half a certificate',
    { cert: cert.slice(0, 300), key },
    'cert: its certificate cannot be read; it may be cut short',
  ],
  ['half a key', { cert, key: key.slice(0, 100) }, 'key: the key cannot be read; it may be cut short'],
  [
    'the key of another',
    { cert, key: TEST_AUTHORITY.issue().key },
    'cert: the key does not belong to this certificate; check that both are of one pair',
  ],
  ['no passphrase', encrypted, 'key: the key is encrypted; give its passphrase'],
  ['a wrong passphrase', { ...encrypted, passphrase: 'simsalabim' }, 'key: the passphrase does not fit this key'],
  [
    'no names',
    TEST_AUTHORITY.issue({ names: [] }),
    'cert: the certificate has no subjectAltName; clients ignore the common name, so have it issued with the names it is for',
  ],
];

for (const [what, options, message] of FAULTS) {
  test(`an error says where, what and what to do: ${what}`, () => {
    assert.throws(() => readCertificate('listener a: certificates[0]', options), {
      name: 'CertificateError',
      message: `listener a: certificates[0].${message}`,
    });
  });
}

test('a bundle of authorities that is none is an error', () => {
  assert.throws(() => readBundle('listener a: ca', 'nowhere.pem'), CertificateError);
  assert.equal(readBundle('listener a: ca', TEST_AUTHORITY.cert), TEST_AUTHORITY.cert);
});

test('a name in quotes is one name, whatever is in it', () => {
  assert.deepEqual(splitAltNames('DNS:a, URI:"x, DNS:evil.test", IP Address:::1, DNS:"q\\", DNS:evil.test"'), [
    'DNS:a',
    'URI:"x, DNS:evil.test"',
    'IP Address:::1',
    'DNS:"q\\", DNS:evil.test"',
  ]);
});
