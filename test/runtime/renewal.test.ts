import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { Log } from '../../src/ops/log.ts';
import { type Assembly, assemble, goneUpstreams } from '../../src/runtime/assemble.ts';
import { checkConfig } from '../../src/runtime/config.ts';
import { TEST_AUTHORITY } from '../support/certificates.ts';

test('an upstream is carried over a reload, unless one of its certificates has been renewed in its file', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-renewal-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const log = new Log({ level: 'info', format: 'json', stream: new Writable() });
  const renew = (): void => {
    const { cert, key } = TEST_AUTHORITY.issue();
    writeFileSync(join(folder, 'own.pem'), cert);
    writeFileSync(join(folder, 'own.key'), key);
  };
  const load = (previous: Assembly | null): Assembly => {
    const upstreams = [
      { name: 'api', endpoints: ['https://127.0.0.1:1'], tls: { cert: 'own.pem', key: 'own.key' } },
      { name: 'plain', endpoints: ['http://127.0.0.1:1'] },
    ];
    const routes = upstreams.map(({ name }) => ({ proxy: { upstream: name } }));
    return assemble(checkConfig('test', { listeners: [{ bind: ':0' }], routes, upstreams }, folder), log, previous);
  };
  renew();
  const first = load(null);
  const same = load(first);
  assert.deepEqual(goneUpstreams(first, same), []);
  renew();
  const renewed = load(same);
  assert.deepEqual(
    goneUpstreams(same, renewed).map(({ name }) => name),
    ['api'],
  );
});
