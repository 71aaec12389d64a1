import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { Log } from '../../src/ops/log.ts';
import { type Assembly, assemble } from '../../src/runtime/assemble.ts';
import { checkConfig } from '../../src/runtime/config.ts';
import type { ConfigInput } from '../../src/runtime/schema.ts';
import { makeRequest } from '../support/request.ts';

const ONE = { rateLimit: { requestsPerSec: 0.001, burstCount: 1 } } as const;

type Routes = ConfigInput['routes'];

function assembled(
  routes: Routes,
  previous: Assembly | null = null,
  upstreams: ConfigInput['upstreams'] = [],
): Assembly {
  const config = { listeners: [{ name: 'web', bind: '127.0.0.1:0' }], routes, upstreams };
  const stream = new Writable({ write: (_chunk, _encoding, done) => done() });
  return assemble(checkConfig('test', config, '/'), new Log({ level: 'info', format: 'json', stream }), previous);
}

async function status({ handlers }: Assembly, path: string): Promise<number | undefined> {
  return (await handlers.web?.(makeRequest('GET', path)))?.status;
}

test('a reload goes on counting where neither the limit nor its route has changed', async () => {
  const routes: Routes = [
    { match: { path: '/a' }, layers: [ONE], respond: {} },
    { match: { path: '/b' }, layers: [ONE], respond: {} },
  ];
  const before = assembled(routes);
  assert.deepEqual([await status(before, '/a'), await status(before, '/b')], [200, 200]);
  const [a, b] = routes;
  assert.ok(a && b);
  const after = assembled(
    [{ respond: { status: 201 }, match: { path: '/new' } }, { ...a, respond: { status: 204 } }, b],
    before,
  );
  assert.deepEqual([await status(after, '/a'), await status(after, '/b')], [429, 429]);
  const more = { rateLimit: { requestsPerSec: 0.001, burstCount: 2 } };
  const changed = assembled([{ ...a, layers: [more] }, b], after);
  assert.deepEqual([await status(changed, '/a'), await status(changed, '/b')], [200, 429]);
  assert.equal(changed.limits.size, 2);
});

test('two limits of a kind on one route are two, over a reload as well', async () => {
  const routes: Routes = [{ layers: [ONE, ONE, { concurrencyLimit: {} }], respond: {} }];
  const before = assembled(routes);
  assert.equal(await status(before, '/'), 200);
  const after = assembled(routes, before);
  assert.deepEqual([...after.limits.values()], [...before.limits.values()]);
  assert.equal(new Set(after.limits.values()).size, 3);
});

test('the limit of an upstream counts what all routes send there, and keeps nothing else of it from being carried over', async () => {
  const upstreams = [{ name: 'api', endpoints: ['http://127.0.0.1:1'], layers: [ONE] }];
  const routes: Routes = [
    { match: { path: '/a' }, proxy: { upstream: 'api' } },
    { match: { path: '/b' }, proxy: { upstream: 'api' } },
  ];
  const before = assembled(routes, null, upstreams);
  assert.deepEqual([await status(before, '/a').catch(() => 'passed'), await status(before, '/b')], ['passed', 429]);
  const [one] = upstreams;
  assert.ok(one);
  const after = assembled(routes, before, [{ ...one, layers: [] }]);
  assert.equal(after.upstreams.get('api')?.group, before.upstreams.get('api')?.group);
  for (const { group } of after.upstreams.values()) group.close();
});
