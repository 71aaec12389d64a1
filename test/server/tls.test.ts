import assert from 'node:assert/strict';
import { constants } from 'node:crypto';
import { request } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { ConnectionOptions } from 'node:tls';
import express from 'express';
import type { Handler } from '../../src/core/handler.ts';
import { nodeRunner } from '../../src/protocol/node/server.ts';
import type { ListenerOptions } from '../../src/server/options.ts';
import { LOCALHOST, TEST_AUTHORITY, TestAuthority } from '../support/certificates.ts';
import { tlsRelay } from '../support/tls-relay.ts';
import { eventually, turns, Wire } from '../support/wire.ts';
import { get, opened, Waiting } from './opened.ts';

const certificates = [LOCALHOST];
const hello: Handler = () => ({ status: 200, body: 'hello' });

const open = (context: TestContext, handler = hello, listener: Partial<ListenerOptions> = {}) =>
  opened(context, handler, { listener: { tls: { certificates }, ...listener } });

/** A TLS connection that is closed with the test. */
async function secure(context: TestContext, port: number, options?: ConnectionOptions) {
  const wire = await Wire.secure(port, options);
  context.after(() => wire.socket.destroy());
  return wire;
}

test('a request over TLS is answered, and knows that it is secure', async (context) => {
  const { port, server } = await open(context, ({ url, peer }) => ({
    status: 200,
    body: `${url} ${peer.secure} ${peer.address} ${peer.certificate === null}`,
  }));
  const wire = await secure(context, port);
  const response = await wire.write(get('/path')).response();
  assert.equal(response.body, 'https://test/path true 127.0.0.1 true');
  assert.equal((await wire.write(get('/again')).response()).status, 200);
  assert.equal(server.status().connections.idle, 1);
  wire.socket.destroy();
  await eventually(() => server.status().connections.total === 0);
});

test('pipelined requests and a large body come through', async (context) => {
  const body = Buffer.alloc(3_000_000, 'x');
  const { port } = await open(context, ({ path }) => ({ status: 200, body: path === '/large' ? body : path }));
  const wire = await secure(context, port);
  wire.write(get('/1') + get('/large') + get('/3'));
  assert.equal((await wire.response()).body, '/1');
  assert.equal((await wire.response()).body.length, body.length);
  assert.equal((await wire.response()).body, '/3');
});

// ── what is agreed on ─────────────────────────────────────────────────────────────────────────────────────────────

test('ALPN agrees on http/1.1, on http/1.0 with who has only that, and on nothing with who does not ask (RFC 7301 §3.2)', async (context) => {
  const { port } = await open(context);
  const agreed = async (...ALPNProtocols: string[]) => {
    const wire = await secure(context, port, ALPNProtocols.length === 0 ? {} : { ALPNProtocols });
    assert.equal((await wire.write(get('/')).response()).status, 200);
    return wire.socket.alpnProtocol;
  };
  assert.equal(await agreed('foo', 'http/1.1'), 'http/1.1');
  assert.equal(await agreed('http/1.0'), 'http/1.0');
  assert.equal(await agreed(), false);
});

test('the order of `protocols` decides, whatever the client prefers; without ALPN there is no HTTP/2 (RFC 9113 §3.2)', async (context) => {
  const agreed = async (protocols: ListenerOptions['protocols'], ALPNProtocols?: string[]) => {
    const { port, server } = await open(context, hello, { tls: { certificates }, protocols });
    const wire = await secure(context, port, ALPNProtocols === undefined ? {} : { ALPNProtocols });
    if (wire.socket.alpnProtocol === false && protocols?.includes('http1') === false) {
      await wire.closed();
      await eventually(() => server.status().connections.total === 0);
      return server.status().listeners[0]?.closed;
    }
    return wire.socket.alpnProtocol;
  };
  assert.equal(await agreed(['h2', 'http1'], ['http/1.1', 'h2']), 'h2');
  assert.equal(await agreed(['http1', 'h2'], ['h2', 'http/1.1']), 'http/1.1');
  assert.equal(await agreed(['h2', 'http1']), false);
  assert.deepEqual(await agreed(['h2']), { 'handshake-failed': 1 });
});

test('a client with which no protocol is shared gets the alert no_application_protocol (RFC 7301 §3.2)', async (context) => {
  const { port, server } = await open(context);
  await assert.rejects(secure(context, port, { ALPNProtocols: ['foo'] }), /alert number 120/);
  await eventually(() => server.status().connections.total === 0);
  assert.deepEqual(server.status().listeners[0]?.closed, { 'handshake-failed': 1 });
});

test('the certificate is the one for the name that the client asks for, else the first', async (context) => {
  const issue = (...names: string[]) => TEST_AUTHORITY.issue({ names });
  const tls = {
    certificates: [
      issue('first.test'),
      issue('b.test', 'c.test'),
      issue('*.wild.test'),
      issue('exact.wild.test'),
      issue('*.label'),
    ],
  };
  const { port } = await open(context, hello, { tls });
  const shown = async (servername: string) => {
    const wire = await secure(context, port, { servername, checkServerIdentity: () => undefined });
    return wire.socket.getPeerX509Certificate()?.subjectAltName;
  };
  assert.equal(await shown('first.test'), 'DNS:first.test');
  assert.equal(await shown('C.test'), 'DNS:b.test, DNS:c.test');
  assert.equal(await shown('a.wild.test'), 'DNS:*.wild.test');
  assert.equal(await shown('exact.wild.test'), 'DNS:exact.wild.test');
  assert.equal(await shown('a.b.wild.test'), 'DNS:first.test');
  assert.equal(await shown('wild.test'), 'DNS:first.test');
  assert.equal(await shown('a.label'), 'DNS:*.label');
  assert.equal(await shown('label'), 'DNS:first.test');
  assert.equal(await shown(''), 'DNS:first.test');
});

test('of two certificates for one name, a client gets the one whose signature it can verify', async (context) => {
  const tls = { certificates: [LOCALHOST, TEST_AUTHORITY.issue({ keyType: 'rsa' })] };
  const { port } = await open(context, hello, { tls });
  const keyType = async (sigalgs: string) => {
    const wire = await secure(context, port, { sigalgs, rejectUnauthorized: false });
    return wire.socket.getPeerX509Certificate()?.publicKey.asymmetricKeyType;
  };
  assert.equal(await keyType('ecdsa_secp256r1_sha256'), 'ec');
  assert.equal(await keyType('rsa_pss_rsae_sha256'), 'rsa');
});

test('the chain is sent along, whether it is behind the certificate or apart', async (context) => {
  const intermediate = new TestAuthority('intermediate', TEST_AUTHORITY);
  const { cert, key } = intermediate.issue();
  const [leaf = ''] = cert.split(/(?<=-----END CERTIFICATE-----\n)/);
  for (const certificate of [
    { cert, key },
    { cert: leaf, key, chain: intermediate.cert },
  ]) {
    const { port } = await open(context, hello, { tls: { certificates: [certificate] } });
    assert.equal((await secure(context, port)).socket.authorized, true);
  }
});

test('TLS 1.2 and 1.3 are spoken, with authenticated encryption only; minVersion leaves out the older', async (context) => {
  const { port } = await open(context);
  const spoken = async (options: ConnectionOptions) => {
    const { socket } = await secure(context, port, options);
    return `${socket.getProtocol()} ${socket.getCipher().name}`;
  };
  assert.match(await spoken({}), /^TLSv1\.3 TLS_AES_/);
  assert.match(await spoken({ maxVersion: 'TLSv1.2' }), /^TLSv1\.2 ECDHE-ECDSA-(AES.*GCM|CHACHA20)/);
  const cbc = {
    maxVersion: 'TLSv1.2',
    ciphers: 'ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA@SECLEVEL=0',
  } as const;
  await assert.rejects(spoken(cbc), /handshake failure/);
  await assert.rejects(
    spoken({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }),
    /protocol version|handshake failure/,
  );
  const strict = await open(context, hello, { tls: { certificates, minVersion: '1.3' } });
  await assert.rejects(secure(context, strict.port, { maxVersion: 'TLSv1.2' }), /protocol version/);
  assert.equal((await secure(context, strict.port)).socket.getProtocol(), 'TLSv1.3');
});

test('a client that asks to renegotiate is turned down', async (context) => {
  const { port } = await open(context);
  const { socket } = await secure(context, port, {
    maxVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_LEGACY_SERVER_CONNECT,
  });
  const failed = new Promise<string>((resolve) => {
    socket.once('error', ({ message }) => resolve(message)).once('close', () => resolve('closed'));
  });
  socket.renegotiate({}, () => undefined);
  assert.match(await failed, /no renegotiation|closed/);
});

// ── the end of a connection ───────────────────────────────────────────────────────────────────────────────────────

test('close_notify comes before FIN, so that a client can tell the end from a cut (RFC 8446 §6.1)', async (context) => {
  const { port } = await open(context);
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const relay = await tlsRelay(context, port);
    const wire = await secure(context, relay.port, { maxVersion });
    wire.write(get('/', 'connection: close\r\n'));
    await wire.rest();
    // An alert is 21. TLS 1.3 encrypts its type too: outside it is data (23), and two bytes, a type and a tag long.
    assert.equal((await relay.records()).at(-1), maxVersion === 'TLSv1.2' ? '21:26' : '23:19');
  }
});

test('an answer that breaks off ends in a reset and without close_notify: it cannot be taken for complete', async (context) => {
  const { port, server } = await open(context, () => ({ status: 200, body: broken() }));
  const wire = await secure(context, port);
  assert.equal(await wire.write(get('/')).closed(), 'reset');
  await eventually(() => server.status().connections.total === 0);
  assert.deepEqual(server.status().listeners[0]?.closed, { 'response-broken': 1 });
});

test('a client that has said close_notify still gets its answer', async (context) => {
  const waiting = new Waiting();
  const { port, server } = await open(context, waiting.handler);
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const wire = await secure(context, port, { maxVersion });
    wire.write(get('/')).socket.end();
    await waiting.has(1);
    await turns(10);
    waiting.requests.length = 0;
    waiting.answer({ status: 200, body: 'y'.repeat(200_000) });
    assert.equal((await wire.response()).body.length, 200_000);
    assert.equal(await wire.closed(), 'fin');
  }
  await eventually(() => server.status().connections.total === 0);
});

test('a client that takes nothing of its answer is cut off in time', async (context) => {
  const { port, clock, server } = await open(context, () => ({ status: 200, body: Buffer.alloc(16_000_000) }), {
    limits: { writeStallTimeoutMs: 1000 },
  });
  const wire = await secure(context, port);
  wire.socket.pause();
  wire.write(get('/'));
  await eventually(() => server.status().requests.served === 1);
  for (let step = 0; step < 20 && server.status().connections.total > 0; step += 1) {
    clock.advance(250);
    await turns(3);
  }
  assert.deepEqual(server.status().listeners[0]?.closed, { 'write-stall': 1 });
});

test('a client that takes its answer slowly, but takes it, is not cut off', async (context) => {
  const bytes = 40_000_000;
  const { port, clock, server } = await open(context, () => ({ status: 200, body: Buffer.alloc(bytes) }), {
    limits: { writeStallTimeoutMs: 1000 },
  });
  const wire = await secure(context, port);
  wire.write(get('/'));
  // More than the buffers of the kernel hold, so that the server sees that bytes are taken.
  for (let step = 0; step < 3; step += 1) {
    wire.socket.pause();
    await turns(10);
    clock.advance(750);
    await turns(3);
    const before = wire.receivedBytes;
    wire.socket.resume();
    await eventually(() => wire.receivedBytes > before + 11_000_000, 'more of the answer');
  }
  await eventually(() => wire.receivedBytes > bytes);
  assert.equal(server.status().connections.total, 1);
});

test('bytes that are no TLS after the handshake end the connection', async (context) => {
  const { port, server } = await open(context);
  const tcp = connectTcp(port, '127.0.0.1').on('error', () => undefined);
  context.after(() => tcp.destroy());
  const wire = await secure(context, port, { socket: tcp });
  await wire.write(get('/')).response();
  tcp.write('\x17\x03\x03\x00\x20'.padEnd(37, 'x'), 'latin1');
  await eventually(() => server.status().connections.total === 0);
  assert.deepEqual(server.status().listeners[0]?.closed, { 'socket-error': 1 });
});

// ── others ────────────────────────────────────────────────────────────────────────────────────────────────────────

test('a connection over the budget is closed silently: an answer would cost a handshake', async (context) => {
  const {
    port,
    server,
    wire: tcp,
  } = await open(context, hello, {
    tls: { certificates },
    limits: { connectionMaxCount: 1 },
  });
  await (await secure(context, port)).write(get('/')).response();
  assert.equal(await (await tcp()).rest(), '');
  assert.deepEqual(server.status().refused, { 'connection-budget-exceeded': 1 });
});

test('plain HTTP on a TLS port is answered 400, other plain bytes are not', async (context) => {
  const { server, clock, wire } = await open(context);
  const plain = await wire();
  const response = await plain.write(get('/')).response();
  assert.equal(response.status, 400);
  assert.match(response.body, /speaks HTTPS/);
  assert.equal(await plain.closed(), 'fin');
  assert.equal(server.status().connections.handshake, 1);
  clock.advance(1000);
  await eventually(() => server.status().connections.total === 0);
  assert.equal(await (await wire()).write('\0\0\0\0').rest(), '');
  assert.deepEqual(server.status().listeners[0]?.closed, { 'bad-request': 1, 'handshake-failed': 1 });
});

test('an Express app runs under a TLS listener', async (context) => {
  const app = express().get('/', ({ secure: isSecure }, response) => void response.send(`secure: ${isSecure}`));
  const { port } = await open(context, hello, { tls: { certificates }, runner: nodeRunner(app) });
  const body = await new Promise<string>((resolve, reject) => {
    request({ port, host: '127.0.0.1', servername: 'localhost', ca: TEST_AUTHORITY.cert, agent: false }, (answer) => {
      answer.setEncoding('utf8').once('data', resolve);
    })
      .on('error', reject)
      .end();
  });
  assert.equal(body, 'secure: true');
});

async function* broken(): AsyncGenerator<string> {
  yield 'some';
  await turns(1);
  throw new Error('on purpose');
}
