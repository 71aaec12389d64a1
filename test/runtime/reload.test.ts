import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { onEvent } from '../../src/core/events.ts';
import { Log } from '../../src/ops/log.ts';
import { type Assembly, assemble, goneUpstreams } from '../../src/runtime/assemble.ts';
import { checkConfig } from '../../src/runtime/config.ts';
import { ConfigError } from '../../src/runtime/problem.ts';
import type { ConfigInput } from '../../src/runtime/schema.ts';
import type { UpstreamGroup } from '../../src/upstream/group.ts';
import { NameServer, SERVFAIL } from '../support/name-server.ts';
import { makeRequest } from '../support/request.ts';
import { eventually } from '../support/wire.ts';
import { Answering } from '../upstream/answering.ts';
import { ScriptedUpstream } from '../upstream/scripted.ts';

type UpstreamInput = NonNullable<ConfigInput['upstreams']>[number];

const LOG = new Log({ level: 'info', format: 'json', stream: new Writable({ write: (_chunk, _how, done) => done() }) });

/** What a program does with one configuration after the other, without its listeners. */
class Reloading {
  now: Assembly;

  constructor(context: TestContext, upstreams: readonly UpstreamInput[]) {
    this.now = this.prepare(upstreams, null);
    context.after(() => this.now.discard());
    context.after(() => {
      for (const { group } of this.now.upstreams.values()) group.close();
    });
  }

  prepare(upstreams: readonly UpstreamInput[], previous: Assembly | null = this.now): Assembly {
    const routes = upstreams.map(({ name }) => ({ match: { path: `/${name}/*` }, proxy: { upstream: name } }));
    const config = { listeners: [{ name: 'web', bind: '127.0.0.1:0' }], routes, upstreams: [...upstreams] };
    return assemble(checkConfig('test', config, '/'), LOG, previous);
  }

  reload(upstreams: readonly UpstreamInput[]): void {
    const next = this.prepare(upstreams);
    next.goLive();
    for (const group of goneUpstreams(this.now, next)) void group.drain();
    this.now = next;
  }

  group(name = 'api'): UpstreamGroup {
    const group = this.now.upstreams.get(name)?.group;
    assert.ok(group !== undefined);
    return group;
  }

  async ask(path = '/api/'): Promise<number | undefined> {
    return (await this.now.handlers.web?.(makeRequest('GET', path)))?.status;
  }
}

const urls = (group: UpstreamGroup): string[] => group.endpoints().map(({ url }) => url);

test('where only endpoints change, those that stay keep their connections, and one that goes finishes its request', async (context) => {
  await using stays = await ScriptedUpstream.listen();
  await using goes = await ScriptedUpstream.listen();
  await using comes = await ScriptedUpstream.listen();
  const it = new Reloading(context, [{ name: 'api', endpoints: [stays.url, goes.url] }]);
  const group = it.group();
  const first = it.ask();
  const connection = await stays.connection();
  await connection.answer();
  await first;
  const second = it.ask();
  const leaving = await goes.connection();
  await leaving.head();
  it.reload([{ name: 'api', endpoints: [stays.url, { url: comes.url, weight: 2 }] }]);
  assert.equal(it.group(), group);
  const later = [it.ask(), it.ask()];
  await connection.answer();
  await (await comes.connection()).answer();
  assert.deepEqual(await Promise.all(later), [200, 200]);
  assert.equal(stays.accepted.length, 1);
  leaving.write('HTTP/1.1 204 No Content\r\n\r\n');
  assert.equal(await second, 204);
  await leaving.closed();
  assert.deepEqual(
    group.endpoints().map(({ url, weight }) => [url, weight]),
    [
      [stays.url, 1],
      [comes.url, 2],
    ],
  );
});

test('a configuration that is prepared changes nothing until it goes live, and never when it is given up', (context) => {
  const it = new Reloading(context, [{ name: 'api', endpoints: ['http://127.0.0.1:1'] }]);
  const next = it.prepare([{ name: 'api', endpoints: ['http://127.0.0.1:1', 'http://127.0.0.1:2'] }]);
  assert.deepEqual(urls(it.group()), ['http://127.0.0.1:1']);
  next.discard();
  assert.deepEqual(urls(it.group()), ['http://127.0.0.1:1']);
  assert.equal(it.group().life.phase, 'accepting');
  next.goLive();
  assert.deepEqual(urls(it.group()), ['http://127.0.0.1:1', 'http://127.0.0.1:2']);
});

test('a reload that fails leaves nothing behind that probes, looks for endpoints or connects', async (context) => {
  await using probed = await Answering.listen();
  await using names = await NameServer.listen();
  const it = new Reloading(context, [{ name: 'api', endpoints: [probed.url] }]);
  const active = { intervalMs: 4, unhealthyIntervalMs: 4, jitterRatio: 0 };
  const made: UpstreamInput[] = [
    {
      name: 'new',
      endpoints: [probed.url],
      discover: { dns: 'api.internal:80', servers: [names.address] },
      health: { active },
      pool: { connectionMinCount: 1, idleTimeoutMs: 4 },
    },
    { name: 'api', endpoints: [probed.url, 'http://127.0.0.1:2'], health: { active } },
  ];
  const wrong: UpstreamInput = { name: 'wrong', endpoints: ['http://127.0.0.1:1'], tls: { verify: false } };
  assert.throws(() => it.prepare([...made, wrong]), ConfigError);
  it.prepare(made).discard();
  // As long as it takes when it is not given up.
  const seen: string[] = [];
  const stop = onEvent('endpoint:health', ({ upstream }) => seen.push(upstream));
  const kept = it.prepare([{ name: 'kept', endpoints: ['http://127.0.0.1:1'], health: { active } }]);
  await eventually(() => seen.length > 0);
  stop();
  kept.discard();
  assert.deepEqual([seen, probed.hitCount, names.asked, urls(it.group())], [['kept'], 0, [], [probed.url]]);
});

test('where other settings change, what is known of endpoints is taken over: health, breaker, ejection, latency', async (context) => {
  await using sick = await Answering.listen();
  await using failing = await Answering.listen();
  await using well = await Answering.listen();
  sick.instead = ({ url }, response) => void response.writeHead(url === '/healthz' ? 500 : 200).end();
  failing.instead = ({ url }, response) => void response.writeHead(url === '/healthz' ? 200 : 500).end();
  const settings: UpstreamInput = {
    name: 'api',
    endpoints: [sick.url, failing.url, well.url],
    health: {
      active: { path: '/healthz', intervalMs: 60_000, unhealthyIntervalMs: 20, jitterRatio: 0 },
      passive: { failureCount: 1, ejectMs: 60_000 },
    },
    breaker: {},
    // Two of three are out.
    spill: { panicRatio: null },
  };
  const it = new Reloading(context, [settings]);
  const before = it.group();
  await eventually(() => before.endpoints().every(({ health }) => health !== 'unknown'));
  for (let request = 0; request < 4; request += 1) await it.ask();
  before.forceBreaker(well.url, 'closed');
  before.forceBreaker(sick.url, 'open');
  const told: string[] = [];
  const stop = onEvent('endpoint:eject', ({ endpoint }) => told.push(endpoint));
  const known = before.endpoints().map(({ latencyMs }) => latencyMs);
  it.reload([{ ...settings, timeouts: { headMs: 1234 } }]);
  const after = it.group();
  assert.notEqual(after, before);
  assert.deepEqual(
    after.endpoints().map(({ rank, health, breaker }) => `${rank} ${health} ${breaker}`),
    ['out unhealthy open', 'out healthy closed', 'well healthy closed'],
  );
  assert.deepEqual(
    after.endpoints().map(({ latencyMs }) => latencyMs),
    known,
  );
  assert.deepEqual(
    after.endpoints().map(({ ejectedForMs }) => ejectedForMs !== null && ejectedForMs > 50_000),
    [false, true, false],
  );
  for (let request = 0; request < 4; request += 1) assert.equal(await it.ask(), 200);
  stop();
  assert.deepEqual(told, [], 'nobody is ejected twice');
});

test('what was found is taken over, so that name servers that are down cost nothing', async (context) => {
  await using names = await NameServer.listen();
  names.host('api.internal', ['10.0.0.1', '10.0.0.2']);
  const settings: UpstreamInput = { name: 'api', discover: { dns: 'api.internal:80', servers: [names.address] } };
  const it = new Reloading(context, [settings]);
  await eventually(() => urls(it.group()).length === 2);
  for (const kind of ['A', 'AAAA']) names.zones.set(`${kind} api.internal`, { error: SERVFAIL });
  it.reload([{ ...settings, timeouts: { headMs: 1234 } }]);
  assert.deepEqual(urls(it.group()), ['http://10.0.0.1', 'http://10.0.0.2']);
  it.reload([{ name: 'api', discover: { dns: 'other.internal:80', servers: [names.address] } }]);
  assert.deepEqual(urls(it.group()), []);
});
