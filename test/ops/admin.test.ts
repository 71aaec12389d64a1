import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderFields } from '../../src/core/headers.ts';
import { type AdminView, adminHandler } from '../../src/ops/admin.ts';
import { makeRequest } from '../support/request.ts';

const VIEW: AdminView = {
  sources: () => [{ measure: (take) => take('sluice_upstream_requests_total', { upstream: 'api' }, 1) }],
  status: () => ({ phase: 'accepting' }),
  ready: () => true,
};

async function ask(path: string, view = VIEW, method = 'GET'): Promise<readonly [number, string, string | null]> {
  const { status, headers, body } = await adminHandler(view)(makeRequest(method, path));
  assert.ok(body === undefined || body === null || typeof body === 'string');
  return [status, body ?? '', HeaderFields.from(headers).get('cache-control')];
}

test('operators ask for metrics, for everything as JSON, and whether it lives and wants requests', async () => {
  assert.match((await ask('/metrics'))[1], /^sluice_upstream_requests_total\{upstream="api"\} 1$/m);
  assert.deepEqual(await ask('/status'), [200, '{"phase":"accepting"}', 'no-store']);
  assert.deepEqual(await ask('/healthz'), [200, 'ok\n', 'no-store']);
  assert.deepEqual(await ask('/readyz'), [200, 'ready\n', 'no-store']);
});

test('who drains is alive, but wants no requests', async () => {
  const draining = { ...VIEW, ready: () => false };
  assert.deepEqual(await ask('/healthz', draining), [200, 'ok\n', 'no-store']);
  assert.deepEqual(await ask('/readyz', draining), [503, 'draining\n', 'no-store']);
});

test('nothing else is there, and nothing can be changed', async () => {
  assert.equal((await ask('/'))[0], 404);
  for (const path of ['/metrics', '/status', '/healthz', '/readyz'])
    assert.equal((await ask(path, VIEW, 'POST'))[0], 405, path);
});
