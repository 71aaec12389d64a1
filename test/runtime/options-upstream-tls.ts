import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TLSSocket, type TlsOptions } from 'node:tls';
import type { ConfigInput } from '../../src/runtime/schema.ts';
import { TEST_AUTHORITY } from '../support/certificates.ts';
import { ScriptedUpstream } from '../upstream/scripted.ts';
import type { Bench, Check } from './assembled.ts';

type Tls = NonNullable<NonNullable<ConfigInput['upstreams']>[number]['tls']>;

/** Puts a file beside the configuration, which then calls it by its name. */
function file(bench: Bench, name: string, content: string): string {
  writeFileSync(join(bench.folder, name), content);
  return name;
}

const authority = (bench: Bench): Tls => ({ ca: file(bench, 'ca.pem', TEST_AUTHORITY.cert) });

/** What a server behind TLS has seen, and the status that the client got. */
interface Asked {
  readonly status: number;
  serverName: string | false | null;
  clientName: string | undefined;
}

async function asked(bench: Bench, tls: Tls, server: TlsOptions = {}): Promise<Asked> {
  await using upstream = await ScriptedUpstream.listenTls(server);
  const assembled = await bench.open({ upstream: { endpoints: [upstream.url], tls } });
  const seen: Omit<Asked, 'status'> = { serverName: null, clientName: undefined };
  void upstream.connection().then(async (connection) => {
    const { socket } = connection;
    assert.ok(socket instanceof TLSSocket);
    seen.serverName = socket.servername;
    seen.clientName = socket.getPeerCertificate().subject?.CN?.toString();
    await connection.answer();
  });
  const { status } = await assembled.get();
  return { status, ...seen };
}

/** What each key of an upstream's `tls` does. */
export const UPSTREAM_TLS_CHECKS: Readonly<Record<string, Check>> = {
  'upstreams[].tls.ca': async (bench) => {
    assert.equal((await asked(bench, {})).status, 502);
    assert.equal((await asked(bench, authority(bench))).status, 200);
    await assert.rejects(
      asked(bench, { ca: 'lost.pem' }),
      /upstream api: tls: ca: .*lost\.pem cannot be read: there is no such file/,
    );
    await assert.rejects(asked(bench, { ca: file(bench, 'empty.pem', '') }), /ca: .*empty\.pem is not PEM/);
  },

  'upstreams[].tls.serverName': async (bench) => {
    const certificate = TEST_AUTHORITY.issue({ names: ['api.internal'] });
    assert.equal((await asked(bench, authority(bench), certificate)).status, 502);
    const { status, serverName } = await asked(bench, { ...authority(bench), serverName: 'api.internal' }, certificate);
    assert.deepEqual([status, serverName], [200, 'api.internal']);
  },

  'upstreams[].tls.verify': async (bench) => {
    assert.equal((await asked(bench, { verify: true })).status, 502);
    assert.equal((await asked(bench, { verify: false })).status, 200);
  },

  'upstreams[].tls.cert': (bench) => showsCertificate(bench),
  'upstreams[].tls.key': (bench) => showsCertificate(bench),
  'upstreams[].tls.passphrase': (bench) => showsCertificate(bench, 'open'),

  'upstreams[].tls.minVersion': async (bench) => {
    const old = { maxVersion: 'TLSv1.2' } as const;
    assert.equal((await asked(bench, { ...authority(bench), minVersion: '1.2' }, old)).status, 200);
    assert.equal((await asked(bench, { ...authority(bench), minVersion: '1.3' }, old)).status, 502);
  },
};

async function showsCertificate(bench: Bench, passphrase?: string): Promise<void> {
  const strict = {
    requestCert: true,
    rejectUnauthorized: true,
    ca: TEST_AUTHORITY.cert,
    maxVersion: 'TLSv1.2',
  } as const;
  assert.equal((await asked(bench, authority(bench), strict)).status, 502);
  const own = TEST_AUTHORITY.issue({ names: ['proxy.internal'], ...(passphrase === undefined ? {} : { passphrase }) });
  const files = { cert: file(bench, 'own.pem', own.cert), key: file(bench, 'own.key', own.key) };
  const opened = passphrase === undefined ? {} : { passphrase };
  const { status, clientName } = await asked(bench, { ...authority(bench), ...files, ...opened }, strict);
  assert.deepEqual([status, clientName], [200, 'proxy.internal']);
  if (passphrase !== undefined) await assert.rejects(asked(bench, { ...authority(bench), ...files }), /bad decrypt/);
}
