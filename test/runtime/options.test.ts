import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { configTree } from '../../src/runtime/schema.ts';
import { ask } from '../cli/http.ts';
import { type Program, start } from '../cli/program.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { eventually, turns } from '../support/wire.ts';
import { Bench, type Check, get } from './assembled.ts';
import { HTTP2_CHECKS } from './options-http2.ts';
import { LAYER_CHECKS } from './options-layers.ts';
import { LISTENER_CHECKS } from './options-listener.ts';
import { ROUTE_CHECKS } from './options-route.ts';
import { TLS_CHECKS } from './options-tls.ts';
import { UPSTREAM_CHECKS } from './options-upstream.ts';

const DRAIN_CHECKS: Readonly<Record<string, Check>> = {
  'drain.noticeMs': async (bench) => {
    const clock = new ManualClock();
    const { server, ...assembled } = await bench.open({ drain: { noticeMs: 60 } }, clock);
    server.beginDrain();
    assert.equal(server.status().drain, 'notice');
    clock.advance(59);
    await turns(5);
    assert.equal(server.status().phase, 'accepting');
    clock.advance(1);
    await eventually(() => server.status().drain === 'done');
    assert.deepEqual(assembled.lines, []);
  },

  'drain.quietMs': async (bench) => {
    const clock = new ManualClock();
    const assembled = await bench.open({ drain: { quietMs: 50_000 } }, clock);
    const wire = await assembled.send(get());
    await wire.response();
    assembled.server.beginDrain();
    await eventually(() => assembled.server.status().drain === 'finish');
    clock.advance(10_000);
    assert.equal((await wire.write(get()).response()).get('connection'), 'close');
  },

  'drain.graceMs': async (bench) => {
    const clock = new ManualClock();
    const upstream = await bench.upstream();
    const parts = { drain: { graceMs: 70_000 }, upstream: { endpoints: [upstream.url], timeouts: { headMs: null } } };
    const assembled = await bench.open({ ...parts, limits: { writeStallTimeoutMs: null } }, clock);
    await assembled.send(get());
    await (await upstream.connection()).head();
    const report = assembled.server.drain();
    await eventually(() => assembled.server.status().drain === 'finish');
    clock.advance(69_000);
    assert.equal(assembled.server.status().drain, 'finish');
    clock.advance(1000);
    assert.equal((await report).outcome, 'forced');
  },

  'drain.streamGraceMs': async (bench) => {
    const clock = new ManualClock();
    const upstream = await bench.upstream();
    const assembled = await bench.open(
      {
        drain: { graceMs: 10_000, streamGraceMs: 70_000 },
        upstream: { endpoints: [upstream.url] },
        route: { proxy: { upstream: 'api', upgrade: ['websocket'] } },
      },
      clock,
    );
    const wire = await assembled.send(get('/', 'host: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n'));
    const server = await upstream.connection();
    await server.head();
    server.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    assert.equal((await wire.response()).status, 101);
    const report = assembled.server.drain();
    await eventually(() => assembled.server.status().drain === 'finish');
    clock.advance(69_000);
    await turns(5);
    wire.write('still');
    await server.take('still');
    clock.advance(1000);
    assert.equal((await report).outcome, 'forced');
  },
};

const logging = async (context: TestContext, logs: string): Promise<Program> => {
  const text = `listeners: [{ bind: "127.0.0.1:0" }]\nroutes: [{ respond: {} }]\nlogs: ${logs}\n`;
  const program = start(context, ['run'], { 'sluice.yaml': text });
  assert.equal((await ask(`${await program.origin()}/asked`)).status, 200);
  program.child.kill('SIGTERM');
  assert.equal(await program.ended, 0);
  return program;
};

/** What goes to standard output is seen from outside. */
const LOG_CHECKS: Readonly<Record<string, (context: TestContext) => Promise<void>>> = {
  'logs.level': async (context) => {
    assert.equal((await logging(context, '{ level: warn }')).stdout, '');
    assert.ok((await logging(context, '{ level: debug }')).logged('connection closed').length > 0);
  },
  'logs.format': async (context) => {
    const program = await logging(context, '{ format: text }');
    assert.match(program.stdout, /^\d\d:\d\d:\d\d\.\d{3} INFO {2}draining: SIGTERM received /);
  },
  'admin.bind': async (context) => {
    const text =
      'listeners: [{ name: web, bind: "127.0.0.1:0" }]\nroutes: [{ respond: {} }]\nadmin: { bind: "unix:admin" }\n';
    const program = start(context, ['run'], { 'sluice.yaml': text });
    await program.origin('web');
    await program.says(/^listening on unix:.*admin \(admin\)$/m);
    const socketPath = join(program.folder, 'admin');
    assert.match((await ask('http://admin/status', { socketPath })).body, /"phase":"accepting"/);
    program.child.kill('SIGTERM');
    assert.equal(await program.ended, 0);
  },
  'logs.access': async (context) => {
    const [entry] = (await logging(context, '{ access: true }')).logged('request');
    assert.equal(entry?.target, '/asked');
    assert.deepEqual((await logging(context, '{}')).logged('request'), []);
  },
};

const CHECKS = {
  ...LISTENER_CHECKS,
  ...HTTP2_CHECKS,
  ...TLS_CHECKS,
  ...ROUTE_CHECKS,
  ...LAYER_CHECKS,
  ...UPSTREAM_CHECKS,
  ...DRAIN_CHECKS,
};

test('every key of the configuration has a check that it changes behaviour', () => {
  const keys = configTree()
    .leaves()
    .map(({ path }) => path);
  assert.deepEqual(new Set([...Object.keys(CHECKS), ...Object.keys(LOG_CHECKS)]), new Set(keys));
});

for (const [key, check] of Object.entries(CHECKS)) {
  test(`${key} changes behaviour`, async () => {
    await using bench = new Bench();
    await check(bench);
  });
}

for (const [key, check] of Object.entries(LOG_CHECKS)) test(`${key} changes behaviour`, check);
