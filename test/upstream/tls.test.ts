import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { TLSSocket, type TlsOptions } from 'node:tls';
import { Failure } from '../../src/core/failure.ts';
import type { UpstreamTlsOptions } from '../../src/transport/upstream-tls.ts';
import { upstream } from '../../src/upstream/group.ts';
import { LOCALHOST, TEST_AUTHORITY, TestAuthority } from '../support/certificates.ts';
import { FakeExchange } from '../support/request.ts';
import { Asking } from './asking.ts';
import { deafUrl, type ScriptedConnection, ScriptedUpstream, until } from './scripted.ts';

const TRUSTED: Partial<UpstreamTlsOptions> = { ca: TEST_AUTHORITY.cert };

/** A server behind TLS, and an upstream of it. */
async function secured(context: TestContext, tls: Partial<UpstreamTlsOptions>, server: TlsOptions = {}) {
  const scripted = await ScriptedUpstream.listenTls(server);
  const asking = new Asking({ endpoints: [scripted.url], tls });
  context.after(async () => {
    asking.group.close();
    await scripted[Symbol.asyncDispose]();
  });
  return { scripted, asking };
}

const tlsOf = ({ socket }: ScriptedConnection): TLSSocket => {
  assert.ok(socket instanceof TLSSocket);
  return socket;
};

/** A failed handshake, and what a log would say of it. */
const untrusted = (why: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Failure && error.cause instanceof Error);
  assert.deepEqual([error.code, error.status, error.retry], ['upstream-tls', 502, 'safe']);
  assert.match(error.cause.message, why);
  assert.equal(error.message, 'No secure connection to the upstream could be made.', 'the client is told no more');
  return true;
};

test('a request goes to an https endpoint by TLS 1.3; an address is checked but not sent as a name (RFC 6066 §3)', async (context) => {
  const { asking, scripted } = await secured(context, TRUSTED);
  const answer = asking.ask('/secret');
  const connection = await scripted.connection();
  assert.match(await connection.answer('safe'), /^GET \/secret HTTP\/1.1\r\n/);
  assert.equal(await answer, 'safe');
  assert.deepEqual([tlsOf(connection).getProtocol(), tlsOf(connection).servername], ['TLSv1.3', false]);
});

test('the server is asked for by its name, or by the one that is configured', async () => {
  for (const [host, serverName, names] of [
    ['localhost', null, ['localhost']],
    ['127.0.0.1', 'api.internal', ['api.internal']],
    ['127.0.0.1', 'api.east.internal', ['*.east.internal']],
  ] as const) {
    await using scripted = await ScriptedUpstream.listenTls(TEST_AUTHORITY.issue({ names }));
    using asking = new Asking({ endpoints: [`https://${host}:${scripted.port}`], tls: { ...TRUSTED, serverName } });
    const answer = asking.ask();
    const connection = await scripted.connection();
    await connection.answer('known');
    assert.equal(await answer, 'known');
    assert.equal(tlsOf(connection).servername, serverName ?? host);
  }
});

const IMPOSTORS: readonly (readonly [string, TlsOptions, Partial<UpstreamTlsOptions>, RegExp])[] = [
  ['has expired', TEST_AUTHORITY.issue({ validTo: new Date(Date.now() - 1000) }), TRUSTED, /expired.*CERT_HAS_EXPIRED/],
  ['is not valid yet', TEST_AUTHORITY.issue({ validFrom: new Date(Date.now() + 60_000) }), TRUSTED, /not valid yet/],
  [
    'is for another name',
    TEST_AUTHORITY.issue({ names: ['b.internal'] }),
    { ...TRUSTED, serverName: 'a.internal' },
    /a\.internal.*b\.internal/,
  ],
  [
    'is signed by somebody',
    new TestAuthority('Somebody').issue({ names: ['127.0.0.1'] }),
    TRUSTED,
    /not signed by an authority/,
  ],
  ['is signed by no authority that Node trusts', LOCALHOST, {}, /not signed by an authority/],
];

for (const [what, server, tls, why] of IMPOSTORS) {
  test(`a certificate that ${what} is 502, with the reason in the log only; without verification it passes`, async (context) => {
    const strict = await secured(context, tls, server);
    await assert.rejects(strict.asking.ask(), untrusted(why));
    assert.equal(strict.asking.group.status().waitingCount, 0);
    const lax = await secured(context, { ...tls, verify: false }, server);
    const answer = lax.asking.ask();
    await (await lax.scripted.connection()).answer('whoever');
    assert.equal(await answer, 'whoever');
  });
}

test('a session of a server that has failed verification is never resumed, since resuming checks no name', async (context) => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const certificate = TEST_AUTHORITY.issue({ names: ['other.internal'] });
    const { asking } = await secured(context, TRUSTED, { ...certificate, maxVersion });
    for (let i = 0; i < 3; i += 1)
      await assert.rejects(asking.ask(), untrusted(/its certificate is not for 127\.0\.0\.1/));
  }
});

test('servers with which no handshake is possible are 502, and say why', async (context) => {
  const old = await secured(context, { ...TRUSTED, minVersion: '1.3' }, { maxVersion: 'TLSv1.2' });
  await assert.rejects(old.asking.ask(), untrusted(/protocol version/));
  const stranger = await secured(context, TRUSTED, { ALPNProtocols: ['acme-tls/1'] });
  await assert.rejects(stranger.asking.ask(), untrusted(/none of the protocols/));
  await using plain = await ScriptedUpstream.listen();
  using misled = new Asking({ endpoints: [`https://127.0.0.1:${plain.port}`] });
  const answer = assert.rejects(misled.ask(), untrusted(/does not speak TLS/));
  (await plain.connection()).socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  await answer;
  await using rude = await ScriptedUpstream.listen();
  using left = new Asking({ endpoints: [`https://127.0.0.1:${rude.port}`] });
  const closed = assert.rejects(left.ask(), untrusted(/closed the connection/));
  (await rude.connection()).socket.destroy();
  await closed;
});

test('an https endpoint that does not answer at all could not be reached: that is no matter of trust', async () => {
  const url = (await deafUrl()).replace('http:', 'https:');
  using asking = new Asking({ endpoints: [url] });
  await assert.rejects(asking.ask(), { code: 'upstream-connect' });
});

test('an endpoint that is not trusted is passed over', async () => {
  await using impostor = await ScriptedUpstream.listenTls(TEST_AUTHORITY.issue({ names: ['other'] }));
  await using honest = await ScriptedUpstream.listenTls();
  using asking = new Asking({ endpoints: [impostor.url, honest.url], tls: TRUSTED });
  const answer = asking.ask();
  await (await honest.connection()).answer('honest');
  assert.equal(await answer, 'honest');
});

test('a handshake that does not end in time is 504', async () => {
  await using silent = await ScriptedUpstream.listen();
  using asking = new Asking({ endpoints: [`https://127.0.0.1:${silent.port}`], timeouts: { connectMs: 400 } });
  const answer = assert.rejects(asking.ask(), { code: 'upstream-connect-timeout' });
  const connection = await silent.connection();
  await until(() => connection.received !== '');
  asking.clock.advance(500);
  await answer;
  await connection.closed();
});

test('our certificate is shown to a server that asks for it, from PEM or from files', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const own = TEST_AUTHORITY.issue({ names: ['proxy.internal'], passphrase: 'open' });
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const files = {
    cert: file('own.pem', own.cert),
    key: file('own.key', own.key),
    ca: file('ca.pem', TEST_AUTHORITY.cert),
  };
  for (const given of [{ ...TRUSTED, ...own }, files, { ...files, key: Buffer.from(own.key) }]) {
    const { asking, scripted } = await secured(
      context,
      { ...given, passphrase: 'open' },
      { requestCert: true, ca: TEST_AUTHORITY.cert },
    );
    const answer = asking.ask();
    const connection = await scripted.connection();
    await connection.answer('welcome');
    assert.equal(await answer, 'welcome');
    assert.equal(tlsOf(connection).getPeerCertificate().subject.CN, 'proxy.internal');
  }
});

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`the next connection to an endpoint resumes the session of the last (${maxVersion})`, async (context) => {
    const { asking, scripted } = await secured(context, TRUSTED, { maxVersion });
    const reused: boolean[] = [];
    for (let i = 0; i < 3; i += 1) {
      const answer = asking.ask();
      const connection = await scripted.connection();
      reused.push(tlsOf(connection).isSessionReused());
      await connection.answer('ok', 'connection: close\r\n');
      await answer;
    }
    assert.deepEqual(reused, [false, true, true]);
  });
}

test('a connection that its server ends with close_notify while idle is forgotten at once (RFC 8446 §6.1)', async (context) => {
  const { asking, scripted } = await secured(context, TRUSTED);
  const answer = asking.ask();
  const connection = await scripted.connection();
  await connection.answer();
  await answer;
  assert.equal(asking.group.status().endpoints[0]?.idleCount, 1);
  connection.socket.end();
  await until(() => asking.group.status().endpoints[0]?.idleCount === 0);
});

test('a client that leaves ends its connection to the server', async (context) => {
  const { asking, scripted } = await secured(context, TRUSTED);
  const exchange = new FakeExchange();
  const answer = asking.ask('/', exchange);
  const connection = await scripted.connection();
  await connection.head();
  exchange.abort(new Failure('client-gone'));
  await assert.rejects(answer, { code: 'client-gone' });
  await connection.closed();
  assert.equal(asking.group.status().endpoints[0]?.activeCount, 0);
});

test('large bodies pass both ways as they were sent', async (context) => {
  const { asking, scripted } = await secured(context, TRUSTED);
  const bytes = randomBytes(3_000_001);
  const digest = (data: Uint8Array): string => createHash('sha1').update(data).digest('hex');
  for (let i = 0; i < 2; i += 1) {
    const answer = asking.post(bytes);
    const connection = scripted.accepted[0] ?? (await scripted.connection());
    await connection.head();
    await until(() => connection.received.length === bytes.length);
    assert.equal(digest(Buffer.from(connection.received, 'latin1')), digest(bytes));
    connection.received = '';
    connection.socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes.length}\r\n\r\n`);
    connection.socket.write(bytes);
    assert.equal(digest(await answer), digest(bytes));
  }
  assert.equal(scripted.accepted.length, 1);
});

test('options that cannot work are named', () => {
  const endpoints = ['https://127.0.0.1:1'];
  const { cert, key } = LOCALHOST;
  const other = TEST_AUTHORITY.issue();
  const locked = TEST_AUTHORITY.issue({ passphrase: 'open' });
  for (const [tls, message] of [
    [
      { ca: '/nowhere/ca.pem' },
      /^upstream https:\/\/127\.0\.0\.1:1: tls: ca: \/nowhere\/ca\.pem cannot be read: there is no such file$/,
    ],
    [{ ca: key }, /^upstream https:\/\/127\.0\.0\.1:1: tls: ca: there is no certificate/],
    [
      { ca: `${cert}${cert.replace('\nMII', '\nAAA')}` },
      /^upstream https:\/\/127\.0\.0\.1:1: tls: ca: certificate 2 in it is not valid/,
    ],
    [{ cert }, /^upstream https:\/\/127\.0\.0\.1:1: tls: a cert needs a key/],
    [{ key }, /^upstream https:\/\/127\.0\.0\.1:1: tls: a key needs a cert/],
    [{ cert, key: other.key }, /do not fit together: key values mismatch/],
    [{ ...locked, passphrase: 'wrong' }, /do not fit together: bad decrypt/],
    [{ ...locked }, /do not fit together: bad decrypt/],
  ] as const) {
    assert.throws(() => upstream({ endpoints, tls }), { name: 'TypeError', message });
  }
  const plain = { endpoints: ['http://127.0.0.1:1'], tls: {} };
  assert.throws(() => upstream(plain), { name: 'TypeError', message: /tls: no endpoint is https/ });
  // @ts-expect-error what a program without types could give
  assert.throws(() => upstream({ endpoints, tls: { minVersion: '1.1' } }), /minVersion: "1.1" is not one of 1.2, 1.3/);
  const mistyped = { servername: 'a', verify: true };
  assert.throws(() => upstream({ endpoints, tls: mistyped }), /did you mean serverName/);
});
