import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Events, onEvent } from '../../src/core/events.ts';
import type { Handler } from '../../src/core/handler.ts';
import { serve } from '../../src/server/serve.ts';
import { CertificateError } from '../../src/transport/tls/certificate.ts';
import type { TlsOptions } from '../../src/transport/tls/options.ts';
import { TEST_AUTHORITY, type TestCertificate } from '../support/certificates.ts';
import { eventually, turns, Wire } from '../support/wire.ts';
import { get, type Opened, opened } from './opened.ts';

const hello: Handler = () => ({ status: 200, body: 'hello' });

/** A certificate for `localhost` that can be told from others by its common name. */
const named = (commonName: string): TestCertificate => TEST_AUTHORITY.issue({ commonName });

const open = (context: TestContext, tls: Partial<TlsOptions>) =>
  opened(context, hello, { listener: { name: 'web', tls } });

async function connected(context: TestContext, port: number) {
  const wire = await Wire.secure(port);
  context.after(() => wire.socket.destroy());
  return wire;
}

/** The common name of the certificate that a client is shown now. */
async function shown(context: TestContext, port: number): Promise<string | undefined> {
  return (await connected(context, port)).socket.getPeerX509Certificate()?.subject;
}

function folderOf(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  context.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Writes a pair as `tls.crt` and `tls.key`, and gives its options. */
function write(folder: string, { cert, key }: TestCertificate) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'tls.crt'), cert);
  writeFileSync(join(folder, 'tls.key'), key);
  return { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
}

/** What is published while the test runs. */
function heard<Name extends 'tls:reload' | 'tls:error' | 'tls:expired'>(context: TestContext, name: Name) {
  const events: Events[Name][] = [];
  context.after(onEvent(name, (event) => events.push(event)));
  return events;
}

/** Waits until the watch has seen something, and lets it settle. */
async function settle({ clock }: Opened, act: () => void): Promise<void> {
  const before = clock.timerCount;
  act();
  await eventually(() => clock.timerCount > before, 'the change to be noticed');
  await turns(20);
  clock.advance(200);
}

test('updateTls() renews certificates: the next handshake gets the new one, connections go on with the old', async (context) => {
  const reloads = heard(context, 'tls:reload');
  const { port, server } = await open(context, { certificates: [named('one')] });
  const before = await connected(context, port);
  server.updateTls('web', { certificates: [named('two')] });
  assert.equal(await shown(context, port), 'CN=two');
  assert.equal((await before.write(get('/')).response()).status, 200);
  assert.deepEqual(reloads, [{ listener: 'web', sources: ['listener web: tls: certificates[0].cert'] }]);
});

test('updateTls() without options reads the files again', async (context) => {
  const folder = folderOf(context);
  const files = write(folder, named('one'));
  const { port, server } = await open(context, { certificates: [files], watch: false });
  write(folder, named('two'));
  assert.equal(await shown(context, port), 'CN=one');
  server.updateTls();
  assert.equal(await shown(context, port), 'CN=two');
});

test('updateTls() with what cannot be used throws, and what was in force stays', async (context) => {
  const { port, server } = await open(context, { certificates: [named('one')] });
  const { cert } = named('two');
  assert.throws(() => server.updateTls('web', { certificates: [{ cert, key: named('three').key }] }), CertificateError);
  assert.throws(
    () => server.updateTls('web', { certificates: [] }),
    /^TypeError: listener web: tls: certificates: \[\] is not at least one, such as/,
  );
  assert.throws(() => server.updateTls('other'), /^TypeError: updateTls: there is no listener named other$/);
  assert.equal(await shown(context, port), 'CN=one');
});

test('of several listeners, one that cannot be renewed does not keep the others from it', async (context) => {
  const folders = [folderOf(context), folderOf(context)];
  const listeners = folders.map((folder, index) => ({
    name: `web-${index}`,
    bind: '127.0.0.1:0',
    tls: { certificates: [write(folder, named('one'))], watch: false },
  }));
  const server = await serve({ listeners, handler: hello });
  context.after(() => server.close());
  const [bad = '', good = ''] = folders;
  rmSync(join(bad, 'tls.crt'));
  write(good, named('two'));
  assert.throws(() => server.updateTls(), /^CertificateError: listener web-0: tls: .*tls\.crt: there is no such file/);
  const subjects = server.listeners.map(({ address }) => shown(context, address.port));
  assert.deepEqual(await Promise.all(subjects), ['CN=one', 'CN=two']);
});

test('a plain listener has nothing to update', async (context) => {
  const { server } = await opened(context, hello);
  assert.throws(() => server.updateTls(), /there is no listener with tls/);
});

// ── files that change ─────────────────────────────────────────────────────────────────────────────────────────────

test('files that are written again are read when they have come to rest', async (context) => {
  const folder = folderOf(context);
  const on = await open(context, { certificates: [write(folder, named('one'))] });
  await settle(on, () => void write(folder, named('two')));
  assert.equal(await shown(context, on.port), 'CN=two');
  // Once more: the watch goes on.
  await settle(on, () => void write(folder, named('three')));
  assert.equal(await shown(context, on.port), 'CN=three');
});

test('a folder that is swapped as a whole by its link is noticed, as Kubernetes does it', async (context) => {
  const folder = folderOf(context);
  write(join(folder, '..1'), named('one'));
  symlinkSync('..1', join(folder, '..data'));
  for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), join(folder, name));
  const certificates = [{ cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') }];
  const on = await open(context, { certificates });
  for (const [version, name] of ['two', 'three'].entries()) {
    write(join(folder, `..${version + 2}`), named(name));
    symlinkSync(`..${version + 2}`, join(folder, '..data_tmp'));
    await settle(on, () => renameSync(join(folder, '..data_tmp'), join(folder, '..data')));
    assert.equal(await shown(context, on.port), `CN=${name}`);
  }
});

test('a link further up, which is made to lead elsewhere, is noticed', async (context) => {
  const folder = folderOf(context);
  write(join(folder, 'releases', '1'), named('one'));
  write(join(folder, 'releases', '2'), named('two'));
  symlinkSync(join(folder, 'releases', '1'), join(folder, 'current'));
  const certificates = [{ cert: join(folder, 'current', 'tls.crt'), key: join(folder, 'current', 'tls.key') }];
  const on = await open(context, { certificates });
  symlinkSync(join(folder, 'releases', '2'), join(folder, 'next'));
  await settle(on, () => renameSync(join(folder, 'next'), join(folder, 'current')));
  assert.equal(await shown(context, on.port), 'CN=two');
  await settle(on, () => void write(join(folder, 'releases', '2'), named('three')));
  assert.equal(await shown(context, on.port), 'CN=three');
});

test('a folder that is replaced by another is noticed, and watched from then on', async (context) => {
  const folder = folderOf(context);
  const certificates = [write(join(folder, 'certs'), named('one'))];
  const on = await open(context, { certificates });
  write(join(folder, 'next'), named('two'));
  await settle(on, () => {
    renameSync(join(folder, 'certs'), join(folder, 'old'));
    renameSync(join(folder, 'next'), join(folder, 'certs'));
  });
  assert.equal(await shown(context, on.port), 'CN=two');
  await settle(on, () => void write(join(folder, 'certs'), named('three')));
  assert.equal(await shown(context, on.port), 'CN=three');
});

test('a bad new certificate is refused and told, the old one stays, and a good one is taken later', async (context) => {
  const errors = heard(context, 'tls:error');
  const folder = folderOf(context);
  const on = await open(context, { certificates: [write(folder, named('one'))] });
  const next = named('two');
  await settle(on, () => writeFileSync(join(folder, 'tls.crt'), next.cert));
  assert.equal(await shown(context, on.port), 'CN=one');
  assert.equal(errors.length, 1);
  assert.equal(errors[0]?.listener, 'web');
  assert.match(errors[0]?.error.message ?? '', /tls\.crt: the key does not belong to this certificate/);
  await settle(on, () => writeFileSync(join(folder, 'tls.key'), next.key));
  assert.equal(await shown(context, on.port), 'CN=two');
});

test('files are not read while others are still being written: the wait begins anew with each', async (context) => {
  const errors = heard(context, 'tls:error');
  const folder = folderOf(context);
  const on = await open(context, { certificates: [write(folder, named('one'))] });
  const next = named('two');
  const before = on.clock.timerCount;
  writeFileSync(join(folder, 'tls.crt'), next.cert);
  await eventually(() => on.clock.timerCount > before);
  await turns(20);
  on.clock.advance(150);
  const watcher = watch(folder);
  const noticed = once(watcher, 'change');
  writeFileSync(join(folder, 'tls.key'), next.key);
  await noticed;
  watcher.close();
  await turns(20);
  on.clock.advance(150);
  assert.equal(await shown(context, on.port), 'CN=one');
  on.clock.advance(50);
  assert.equal(await shown(context, on.port), 'CN=two');
  assert.deepEqual(errors, []);
});

test('a change that changes nothing is no event', async (context) => {
  const reloads = heard(context, 'tls:reload');
  const folder = folderOf(context);
  const pair = named('one');
  const on = await open(context, { certificates: [write(folder, pair)] });
  await settle(on, () => void write(folder, pair));
  assert.deepEqual(reloads, []);
});

test('what else happens in the folder of a certificate is not noticed', async (context) => {
  const folder = folderOf(context);
  const on = await open(context, { certificates: [write(folder, named('one'))] });
  const before = on.clock.timerCount;
  const watcher = watch(folder);
  const noticed = once(watcher, 'change');
  writeFileSync(join(folder, 'log'), 'nothing');
  await noticed;
  watcher.close();
  await turns(20);
  assert.equal(on.clock.timerCount, before);
});

test('a closed server watches nothing', async (context) => {
  const folder = folderOf(context);
  const on = await open(context, { certificates: [write(folder, named('one'))] });
  await on.server.close();
  write(folder, named('two'));
  await turns(20);
  assert.equal(on.clock.timerCount, 0);
});

test('a certificate that has ceased to be valid is told', async (context) => {
  const expiries = heard(context, 'tls:expired');
  const validTo = new Date('2025-12-31T00:00:00Z');
  await open(context, { certificates: [TEST_AUTHORITY.issue({ validFrom: new Date('2025-01-01'), validTo })] });
  assert.deepEqual(expiries, [{ listener: 'web', source: 'listener web: tls: certificates[0].cert', validTo }]);
});

// ── tickets ───────────────────────────────────────────────────────────────────────────────────────────────────────

const ROTATE_MS = 60_000;

/** A connection with a session, or to get one: whether it was resumed, and the session that comes of it. */
async function visit(context: TestContext, port: number, maxVersion: 'TLSv1.2' | 'TLSv1.3', session?: Buffer) {
  const { socket, ...wire } = await Wire.secure(port, { maxVersion, session });
  context.after(() => socket.destroy());
  socket.write(get('/'));
  await eventually(() => socket.bytesRead > 0);
  return { resumed: socket.isSessionReused(), session: socket.getSession(), wire };
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a ticket is taken after the key was rotated once, and not after twice (${version})`, async (context) => {
    const { port, clock } = await open(context, { certificates: [named('one')], ticketRotateMs: ROTATE_MS });
    const { session } = await visit(context, port, version);
    assert.ok(session !== undefined);
    assert.equal((await visit(context, port, version, session)).resumed, true);
    clock.advance(ROTATE_MS);
    assert.equal((await visit(context, port, version, session)).resumed, true);
    // Those who come anew meanwhile get tickets of the new key.
    const later = await visit(context, port, version);
    clock.advance(ROTATE_MS);
    assert.equal((await visit(context, port, version, session)).resumed, false);
    assert.equal((await visit(context, port, version, later.session)).resumed, true);
  });

  test(`a ticket is taken by another process with the same secret, and by none without it (${version})`, async (context) => {
    const certificates = [named('one')];
    const ticketSecret = 'forty characters that nobody will guess.';
    const [first, second, other] = [
      await open(context, { certificates, ticketSecret }),
      await open(context, { certificates, ticketSecret }),
      await open(context, { certificates }),
    ];
    const { session } = await visit(context, first.port, version);
    assert.equal((await visit(context, second.port, version, session)).resumed, true);
    assert.equal((await visit(context, other.port, version, session)).resumed, false);
    // Certificates that are renewed leave the keys alone.
    const { session: own } = await visit(context, other.port, version);
    other.server.updateTls('web', { certificates: [named('two')] });
    assert.equal((await visit(context, other.port, version, own)).resumed, true);
  });
}
