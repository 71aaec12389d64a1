import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import type { ConfigInput } from '../../src/runtime/schema.ts';
import { LOCALHOST, TEST_AUTHORITY, TestAuthority, type TestCertificate } from '../support/certificates.ts';
import { clientHello } from '../support/client-hello.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { eventually, turns, Wire } from '../support/wire.ts';
import { type Assembled, type Bench, type Check, get } from './assembled.ts';

type Tls = NonNullable<ConfigInput['listeners'][number]['tls']>;

/** A listener that speaks TLS, with its files in the folder of the configuration. */
function open(bench: Bench, tls: Partial<Tls> = {}, clock?: ManualClock): Promise<Assembled> {
  const [certificate] = write(bench, LOCALHOST, 'localhost');
  return bench.open({ listener: { tls: { certificates: [certificate], ...tls } } }, clock);
}

/** Writes a pair, and gives its paths relative to the folder. */
function write({ folder }: Bench, { cert, key }: TestCertificate, name: string) {
  writeFileSync(join(folder, `${name}.pem`), cert);
  writeFileSync(join(folder, `${name}.key`), key);
  return [{ cert: `${name}.pem`, key: `${name}.key` }] as const;
}

async function secure(assembled: Assembled, options?: ConnectionOptions) {
  const wire = await Wire.secure(assembled.port(), options);
  wire.write(get());
  await wire.response();
  const { socket } = wire;
  const seen = {
    session: socket.getSession(),
    resumed: socket.isSessionReused(),
    protocol: socket.getProtocol(),
    subject: socket.getPeerX509Certificate()?.subject,
  };
  socket.destroy();
  return seen;
}

/** Whether a session is resumed after this long. */
async function resumedAfter(bench: Bench, tls: Partial<Tls>, ms: number): Promise<boolean> {
  const clock = new ManualClock();
  const assembled = await open(bench, tls, clock);
  const { session } = await secure(assembled);
  clock.advance(ms);
  return (await secure(assembled, { session })).resumed;
}

/** A peer that begins a handshake and says no more. */
async function unfinished(assembled: Assembled): Promise<Wire> {
  const wire = await assembled.wire();
  return wire.write(await clientHello());
}

/** What each key of a listener's TLS does. */
export const TLS_CHECKS: Readonly<Record<string, Check>> = {
  'listeners[].tls.certificates[].cert': async (bench) => {
    assert.equal((await secure(await open(bench))).subject, 'CN=localhost');
    const certificates = write(bench, TEST_AUTHORITY.issue({ commonName: 'other' }), 'other');
    assert.equal((await secure(await open(bench, { certificates: [...certificates] }))).subject, 'CN=other');
  },

  'listeners[].tls.certificates[].key': async (bench) => {
    const { cert } = LOCALHOST;
    const { key } = TEST_AUTHORITY.issue();
    await assert.rejects(
      open(bench, { certificates: [{ cert, key }] }),
      /listener web: tls: certificates\[0\]\.cert: the key does not/,
    );
  },

  'listeners[].tls.certificates[].passphrase': async (bench) => {
    const pair = TEST_AUTHORITY.issue({ passphrase: 'open sesame' });
    await assert.rejects(open(bench, { certificates: [pair] }), /the key is encrypted; give its passphrase/);
    await secure(await open(bench, { certificates: [{ ...pair, passphrase: 'open sesame' }] }));
  },

  'listeners[].tls.certificates[].chain': async (bench) => {
    const intermediate = new TestAuthority('intermediate', TEST_AUTHORITY);
    const { cert, key } = intermediate.issue();
    const [leaf = ''] = cert.split(/(?<=-----END CERTIFICATE-----\n)/);
    writeFileSync(join(bench.folder, 'chain.pem'), intermediate.cert);
    await secure(await open(bench, { certificates: [{ cert: leaf, key, chain: 'chain.pem' }] }));
    await assert.rejects(secure(await open(bench, { certificates: [{ cert: leaf, key }] })), /unable to verify/);
  },

  'listeners[].tls.minVersion': async (bench) => {
    const old = { maxVersion: 'TLSv1.2' } as const;
    assert.equal((await secure(await open(bench), old)).protocol, 'TLSv1.2');
    await assert.rejects(secure(await open(bench, { minVersion: '1.3' }), old), /protocol version/);
  },

  'listeners[].tls.clientAuth': async (bench) => {
    await assert.rejects(secure(await open(bench, { clientAuth: 'require', ca: TEST_AUTHORITY.cert })));
    await secure(await open(bench, { clientAuth: 'request', ca: TEST_AUTHORITY.cert }));
    await assert.rejects(
      open(bench, { clientAuth: 'require' }),
      /tls\.ca: give the authorities that sign client certificates, since clientAuth is require/,
    );
  },

  'listeners[].tls.ca': async (bench) => {
    writeFileSync(join(bench.folder, 'ca.pem'), TEST_AUTHORITY.cert);
    await secure(await open(bench, { clientAuth: 'require', ca: 'ca.pem' }), LOCALHOST);
    const ca = new TestAuthority('others').cert;
    await assert.rejects(secure(await open(bench, { clientAuth: 'require', ca }), LOCALHOST));
    await assert.rejects(open(bench, { ca }), /tls\.ca: has no effect while clientAuth is none/);
  },

  'listeners[].tls.ticketRotateMs': async (bench) => {
    assert.equal(await resumedAfter(bench, { ticketRotateMs: 1000 }, 2000), false);
    assert.equal(await resumedAfter(bench, { ticketRotateMs: 1000 }, 1000), true);
    assert.equal(await resumedAfter(bench, {}, 2000), true);
  },

  'listeners[].tls.ticketSecret': async (bench) => {
    const clock = new ManualClock();
    const resumedElsewhere = async (tls: Partial<Tls>): Promise<boolean> => {
      const { session } = await secure(await open(bench, tls, clock));
      return (await secure(await open(bench, tls, clock), { session })).resumed;
    };
    assert.equal(await resumedElsewhere({ ticketSecret: 'the very same secret of both of them' }), true);
    assert.equal(await resumedElsewhere({}), false);
  },

  'listeners[].tls.handshakeTimeoutMs': async (bench) => {
    const assembled = await open(bench, { handshakeTimeoutMs: 40 });
    await (await assembled.wire()).closed();
    assert.deepEqual(assembled.server.status().listeners[0]?.closed, { 'handshake-timeout': 1 });
  },

  'listeners[].tls.handshakeMaxCount': async (bench) => {
    const assembled = await open(bench, { handshakeMaxCount: 1, certificates: [LOCALHOST] });
    const first = await unfinished(assembled);
    await eventually(() => assembled.server.status().connections.handshake === 1);
    await turns(5);
    assert.equal(await (await unfinished(assembled)).rest(), '');
    assert.deepEqual(assembled.server.status().refused, { 'handshake-budget-exceeded': 1 });
    first.socket.destroy();
  },

  'listeners[].tls.handshakeMaxPerSec': async (bench) => {
    const assembled = await open(bench, { handshakeMaxPerSec: 1 }, new ManualClock());
    await secure(assembled);
    await assert.rejects(secure(assembled));
    assert.deepEqual(assembled.server.status().refused, { 'handshake-rate-exceeded': 1 });
  },

  'listeners[].tls.watch': async (bench) => {
    const timersAfterChange = async (watch: boolean): Promise<number> => {
      const clock = new ManualClock();
      await open(bench, { watch }, clock);
      const before = clock.timerCount;
      write(bench, LOCALHOST, 'localhost');
      if (watch) await eventually(() => clock.timerCount > before);
      await turns(20);
      return clock.timerCount - before;
    };
    assert.equal(await timersAfterChange(true), 1);
    assert.equal(await timersAfterChange(false), 0);
  },
};
