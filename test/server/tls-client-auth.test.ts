import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import type { ConnectionOptions } from 'node:tls';
import type { Handler } from '../../src/core/handler.ts';
import type { TlsOptions } from '../../src/transport/tls/options.ts';
import { LOCALHOST, TEST_AUTHORITY, TestAuthority } from '../support/certificates.ts';
import { eventually, Wire } from '../support/wire.ts';
import { get, opened } from './opened.ts';

const staff = new TestAuthority('staff');
const alice = staff.issue({ names: ['alice.test', '10.0.0.1'], commonName: 'alice' });
const stranger = new TestAuthority('strangers').issue({ names: ['alice.test'], commonName: 'alice' });

const shows: Handler = ({ peer }) => ({ status: 200, body: JSON.stringify(peer.certificate) });

const open = (context: TestContext, tls: Partial<TlsOptions>) =>
  opened(context, shows, { listener: { tls: { certificates: [LOCALHOST], ca: staff.cert, ...tls } } });

async function shown(context: TestContext, port: number, options: ConnectionOptions = {}): Promise<unknown> {
  const wire = await Wire.secure(port, options);
  context.after(() => wire.socket.destroy());
  return JSON.parse((await wire.write(get('/', 'x-client-cert: forged\r\n')).response()).body);
}

test('a client certificate that is required is verified, and shown to handlers', async (context) => {
  const { port } = await open(context, { clientAuth: 'require' });
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    assert.deepEqual(await shown(context, port, { ...alice, maxVersion }), {
      subject: 'CN=alice',
      issuer: 'CN=staff',
      subjectAltNames: ['DNS:alice.test', 'IP Address:10.0.0.1'],
      fingerprint256: new X509Certificate(alice.cert).fingerprint256,
      verified: true,
    });
  }
});

test('without the required certificate, or with one of a stranger, no request comes through', async (context) => {
  const { port, server } = await open(context, { clientAuth: 'require' });
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    await assert.rejects(shown(context, port, { maxVersion }));
    await assert.rejects(shown(context, port, { ...stranger, maxVersion }));
  }
  await eventually(() => server.status().connections.total === 0);
  assert.deepEqual(server.status().listeners[0]?.closed, { 'handshake-failed': 4 });
  assert.equal(server.status().requests.served, 0);
});

test('a client certificate that is only asked for may be missing, or be of a stranger, and handlers see which', async (context) => {
  const { port } = await open(context, { clientAuth: 'request' });
  const verdict = async (options?: ConnectionOptions) => {
    const certificate = await shown(context, port, options);
    return certificate === null || typeof certificate !== 'object' ? certificate : Reflect.get(certificate, 'verified');
  };
  assert.equal(await verdict(), null);
  assert.equal(await verdict(alice), true);
  assert.equal(await verdict(stranger), false);
});

test('a client that shows a certificate without being asked shows none', async (context) => {
  const { port } = await open(context, { ca: null });
  assert.equal(await shown(context, port, alice), null);
});

test('a resumed session keeps its certificate; one begun where none was required is worth nothing where one is', async (context) => {
  const ticketSecret = 'the same secret for both of these listeners';
  const lax = await open(context, { clientAuth: 'none', ca: null, ticketSecret });
  const strict = await open(context, { clientAuth: 'require', ticketSecret });
  const sessionOf = async (port: number, options: ConnectionOptions) => {
    const wire = await Wire.secure(port, options);
    context.after(() => wire.socket.destroy());
    await wire.write(get('/')).response();
    return wire.socket.getSession();
  };
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const session = await sessionOf(strict.port, { ...alice, maxVersion });
    const wire = await Wire.secure(strict.port, { session, maxVersion });
    context.after(() => wire.socket.destroy());
    assert.equal(wire.socket.isSessionReused(), true);
    assert.match((await wire.write(get('/')).response()).body, /CN=alice.*"verified":true/);
    const foreign = await sessionOf(lax.port, { maxVersion });
    await assert.rejects(shown(context, strict.port, { session: foreign, maxVersion }));
  }
});

test('the authorities may be renewed, and sessions of the old ones are not taken any more', async (context) => {
  const { port, server } = await open(context, { clientAuth: 'require' });
  const wire = await Wire.secure(port, alice);
  context.after(() => wire.socket.destroy());
  assert.match((await wire.write(get('/')).response()).body, /alice/);
  const session = wire.socket.getSession();
  const guests = new TestAuthority('guests');
  server.updateTls(undefined, { certificates: [LOCALHOST], clientAuth: 'require', ca: guests.cert });
  await assert.rejects(shown(context, port, alice));
  await assert.rejects(shown(context, port, { session }));
  const bob = guests.issue({ commonName: 'bob' });
  assert.match(JSON.stringify(await shown(context, port, bob)), /bob/);
});

test('a bundle may hold several authorities', async (context) => {
  const { port } = await open(context, { clientAuth: 'require', ca: TEST_AUTHORITY.cert + staff.cert });
  assert.match(JSON.stringify(await shown(context, port, alice)), /alice/);
  assert.match(JSON.stringify(await shown(context, port, LOCALHOST)), /localhost/);
});
