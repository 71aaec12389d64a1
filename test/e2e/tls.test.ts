import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { startUpstream } from '../cli/http.ts';
import { run, start } from '../cli/program.ts';
import { LOCALHOST, TEST_AUTHORITY } from '../support/certificates.ts';
import { Wire } from '../support/wire.ts';

const exec = promisify(execFile);

const config = (tls: string, upstream = 'http://127.0.0.1:1'): string => `listeners:
  - name: secure
    bind: 127.0.0.1:0
    protocols: [h2, http1]
    tls: ${tls}
routes:
  - match: { path: /fixed }
    respond: { body: fixed }
  - proxy: { upstream: api }
upstreams:
  - { name: api, endpoints: ["${upstream}"] }
`;

const PAIR = '{ certificates: [{ cert: certs/a.pem, key: certs/a.key }] }';
const FILES = { 'certs/a.pem': LOCALHOST.cert, 'certs/a.key': LOCALHOST.key };

/** curl, which trusts the test authority and nobody else. */
async function curl(context: TestContext, ...args: string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-curl-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, TEST_AUTHORITY.cert);
  return (await exec('curl', ['-sS', '--max-time', '20', '--cacert', ca, ...args])).stdout;
}

/** The common name of the certificate that is served. */
async function served(origin: string): Promise<string | undefined> {
  const { socket } = await Wire.secure(Number(new URL(origin).port));
  const subject = socket.getPeerX509Certificate()?.subject;
  socket.destroy();
  return subject;
}

test('curl is answered over TLS, by HTTP/2 and HTTP/1.1, and the upstream hears of https', async (context) => {
  const upstream = await startUpstream(context, ({ headers }, response) => {
    response.end(String(headers['x-forwarded-proto']));
    return true;
  });
  const program = start(context, ['run'], { 'sluice.yaml': config(PAIR, upstream.url), ...FILES });
  const origin = await program.origin('secure');
  assert.match(origin, /^https:/);
  const asked = (...more: string[]) => curl(context, ...more, '-w', ' %{http_version}');
  assert.equal(await asked(`${origin}/fixed`), 'fixed 2');
  assert.equal(await asked('--http1.1', `${origin}/fixed`), 'fixed 1.1');
  assert.equal(await asked('--http1.1', '--tls-max', '1.2', `${origin}/proto`), 'https 1.1');
  assert.match(await asked(`${origin.replace('https:', 'http:')}/fixed`), /speaks HTTPS.*1\.1/s);
  program.child.kill('SIGTERM');
  assert.equal(await program.ended, 0);
});

test('certificates are renewed while the program runs: by themselves, and on SIGHUP; a bad one is logged and not taken', async (context) => {
  const program = start(context, ['run'], { 'sluice.yaml': config(PAIR), ...FILES });
  const origin = await program.origin('secure');
  const write = (name: string, text: string): void => writeFileSync(join(program.folder, name), text);
  const second = TEST_AUTHORITY.issue({ commonName: 'second' });
  write('certs/a.pem', second.cert);
  await program.says(/"certificates not reloaded, those in force stay: [^"]*a\.pem: the key does not belong/, 'stdout');
  assert.equal(await served(origin), 'CN=localhost');
  write('certs/a.key', second.key);
  await program.says(/"message":"certificates reloaded"/, 'stdout');
  assert.equal(await served(origin), 'CN=second');

  const third = TEST_AUTHORITY.issue({ commonName: 'third' });
  write('third.pem', third.cert + third.key);
  write('sluice.yaml', config('{ certificates: [{ cert: third.pem, key: third.pem }], minVersion: "1.3" }'));
  program.child.kill('SIGHUP');
  await program.says(/"message":"reloaded"/, 'stdout');
  assert.equal(await served(origin), 'CN=third');
  write('sluice.yaml', config('{ certificates: [{ cert: nowhere.pem, key: third.pem }] }'));
  program.child.kill('SIGHUP');
  await program.says(/nowhere\.pem: there is no such file/);
  assert.equal(await served(origin), 'CN=third');
});

test('sluice check reads the certificates: what does not fit is an error, what has expired a warning', async (context) => {
  const check = (tls: string, files: Readonly<Record<string, string>>) =>
    run(context, ['check'], { 'sluice.yaml': config(tls, 'http://127.0.0.1:2'), ...files });
  const { key } = TEST_AUTHORITY.issue();
  const wrong = await check(PAIR, { ...FILES, 'certs/a.key': key });
  assert.equal(wrong.exitCode, 2);
  assert.match(wrong.stderr, /listener secure: tls: certificates\[0\]\.cert: .*certs\/a\.pem: the key does not belong/);
  const past = TEST_AUTHORITY.issue({ validFrom: new Date('2020-01-01'), validTo: new Date('2021-01-01') });
  const expired = await check(PAIR, { 'certs/a.pem': past.cert, 'certs/a.key': past.key });
  assert.equal(expired.exitCode, 0);
  assert.match(expired.stderr, /warning: .*certs\/a\.pem: the certificate expired on 2021-01-01/);
  const typing = await check('{ certificate: [], clientAuth: sometimes, handshakeMaxPerSec: 0 }', {});
  assert.equal(typing.exitCode, 2);
  for (const part of [/did you mean certificates\?/, /none, request, require|none or request or require/, /above 0/]) {
    assert.match(typing.stderr, part);
  }
});
