import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { METRICS } from '../../src/core/metrics.ts';
import { ask, startUpstream } from './http.ts';
import { run, start } from './program.ts';

const WEB = '{ name: web, bind: 127.0.0.1:0 }';

test('everything that is measured is told by a program with every policy, and goes on over a reload', async (context) => {
  const upstream = await startUpstream(context, ({ url }, response) => {
    if (url === '/gone') response.socket?.destroy();
    else response.writeHead(url === '/fail' ? 500 : 200).end();
    return true;
  });
  const text = `listeners: [${WEB}]
admin: { bind: 127.0.0.1:0 }
routes:
  - match: { methods: [GET], path: /* }
    layers:
      - rateLimit: { name: clients, requestsPerSec: 0.001, burstCount: 4 }
      - concurrencyLimit: { requestMaxCount: 10 }
      - loadShedding: {}
    proxy: { upstream: api }
upstreams:
  - name: api
    endpoints: ["${upstream.url}"]
    health: { active: { kind: tcp, intervalMs: 20 }, passive: { failureCount: 1, ejectedMaxRatio: 1 } }
    breaker: { volumeMinCount: 1, windowMs: 60000, openMs: 60000 }
    retry: { attemptMaxCount: 2, on: [500] }
`;
  const program = start(context, ['run'], { 'sluice.yaml': text });
  const [web, admin] = [await program.origin('web'), await program.origin('admin')];
  const told = async (): Promise<string> => (await ask(`${admin}/metrics`)).body;
  const until = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(await told()));
  };
  await until(/probes_total\{.*result="pass"\} [1-9]/);
  const statuses: number[] = [];
  for (const path of ['/', '/gone', '/', '/', '/fifth']) statuses.push((await ask(web + path)).status);
  assert.deepEqual(statuses, [200, 502, 503, 503, 429]);
  const metrics = await told();
  // The only endpoint cannot be ejected, and no connection was refused.
  const silent = ['sluice_endpoint_ejections_total', 'sluice_listener_refused_total'];
  for (const name of Object.keys(METRICS)) assert.equal(metrics.includes(`\n${name}{`), !silent.includes(name), name);
  const endpoint = `{upstream="api",endpoint="${upstream.url}"`;
  for (const line of [
    'sluice_upstream_requests_total{upstream="api"} 4',
    'sluice_upstream_failures_total{upstream="api",code="upstream-reset"} 1',
    'sluice_upstream_failures_total{upstream="api",code="upstream-unavailable"} 2',
    `sluice_endpoint_answers_total${endpoint},class="2xx"} 1`,
    `sluice_endpoint_breaker${endpoint},state="open"} 1`,
    'sluice_limit_admitted_total{limit="clients",place="route GET /*",layer="rateLimit"} 4',
    'sluice_limit_refused_total{limit="clients",place="route GET /*",layer="rateLimit",reason="rate"} 1',
    'sluice_limit_admitted_total{limit="default",place="route GET /*",layer="concurrencyLimit"} 4',
  ])
    assert.ok(metrics.includes(`\n${line}\n`), line);

  program.child.kill('SIGHUP');
  await program.says(/"message":"reloaded"/, 'stdout');
  const later = await told();
  assert.match(later, /^sluice_upstream_requests_total\{upstream="api"\} 4$/m);
  assert.match(later, /^sluice_limit_refused_total\{limit="clients".*\} 1$/m);
});

test('while a drain is announced it is alive and not ready; the admin listener is open until the end', async (context) => {
  const upstream = await startUpstream(context);
  const text = `listeners: [${WEB}]
admin: { bind: 127.0.0.1:0 }
routes: [{ proxy: { upstream: api } }]
upstreams: [{ name: api, endpoints: ["${upstream.url}"] }]
drain: { noticeMs: 0, quietMs: 0 }
logs: { level: debug }
`;
  const program = start(context, ['run'], { 'sluice.yaml': text });
  const [web, admin] = [await program.origin('web'), await program.origin('admin')];
  assert.equal((await ask(`${admin}/readyz`)).status, 200);
  const answer = ask(`${web}/slow`);
  const asked = await upstream.asked();
  program.child.kill('SIGTERM');
  await program.says(/"message":"drain: finish"/, 'stdout');
  assert.equal((await ask(`${admin}/readyz`)).status, 503);
  assert.equal((await ask(`${admin}/healthz`)).status, 200);
  const status: unknown = JSON.parse((await ask(`${admin}/status`)).body);
  assert.equal(Reflect.get(Object(status), 'drain'), 'finish');
  asked.response.end();
  assert.equal((await answer).status, 200);
  assert.equal(await program.ended, 0);
});

test('an admin address that cannot be had ends the program with 1, and says which it is', async (context) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  context.after(() => taken.close());
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const text = `listeners: [${WEB}]\nroutes: [{ respond: {} }]\nadmin: { bind: 127.0.0.1:${port} }\n`;
  const program = await run(context, ['run'], { 'sluice.yaml': text });
  assert.equal(program.exitCode, 1);
  assert.match(program.stderr, new RegExp(`127\\.0\\.0\\.1:${port}`));
  assert.doesNotMatch(program.stderr, /listening on/);
});

test('the socket of an admin listener is relative to the configuration', async (context) => {
  const text = `listeners: [${WEB}]\nroutes: [{ respond: {} }]\nadmin: { bind: "unix:admin.sock" }\n`;
  const program = start(context, ['run', 'conf/a.yaml'], { 'conf/a.yaml': text });
  await program.origin('web');
  const socketPath = join(program.folder, 'conf/admin.sock');
  assert.equal((await ask('http://admin/healthz', { socketPath })).body, 'ok\n');
});
