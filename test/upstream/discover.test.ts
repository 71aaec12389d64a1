import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEvent } from '../../src/core/events.ts';
import type { Discovery, OnEndpoints } from '../../src/upstream/discover.ts';
import type { DiscoverOptions } from '../../src/upstream/discover-options.ts';
import { proxy } from '../../src/upstream/forward.ts';
import { upstream } from '../../src/upstream/group.ts';
import type { UpstreamOptions } from '../../src/upstream/options.ts';
import { TEST_AUTHORITY } from '../support/certificates.ts';
import { NameServer, NXDOMAIN, SERVFAIL } from '../support/name-server.ts';
import { makeRequest } from '../support/request.ts';
import { Asking } from './asking.ts';
import { ScriptedUpstream, turns, until } from './scripted.ts';

/** An upstream whose endpoints are found; waits are as long as they are said to be. */
function finding(server: NameServer, discover: Partial<DiscoverOptions>, more: Partial<UpstreamOptions> = {}): Asking {
  return new Asking({
    name: 'api',
    discover: { refreshMs: 5000, timeoutMs: 100, servers: [server.address], ...discover },
    random: () => 0,
    ...more,
  });
}

const urls = ({ group }: Asking): string[] => group.endpoints().map(({ url }) => url);

/** Looks once more, after this time, and waits until all has been answered. */
async function look(it: Asking, server: NameServer, afterMs = 0, questionCount = 2): Promise<void> {
  const { length } = server.asked;
  it.clock.advance(afterMs);
  await until(() => server.asked.length >= length + questionCount);
  await turns(5);
}

test('each address of a host is an endpoint, IPv4 and IPv6', async () => {
  await using server = await NameServer.listen();
  server.host('api.internal', ['10.0.0.2', '10.0.0.1', 'fd00::1']);
  using it = finding(server, { dns: 'api.internal:3001' });
  await look(it, server);
  await until(() => urls(it).length > 0);
  assert.deepEqual(urls(it), ['http://10.0.0.1:3001', 'http://10.0.0.2:3001', 'http://[fd00::1]:3001']);
});

test('it is looked again when the shortest answer has ceased to last, after refreshMs at the latest, and not before a second', async () => {
  await using server = await NameServer.listen();
  for (const [ttlSec, refreshMs, waitMs] of [
    [2, 5000, 2000],
    [60, 5000, 5000],
    [0, 5000, 1000],
    [60, 10, 1000],
  ] as const) {
    server.host('api.internal', ['10.0.0.1'], ttlSec);
    using it = finding(server, { dns: 'api.internal:80', refreshMs });
    await look(it, server);
    await until(() => urls(it).length > 0);
    const { length } = server.asked;
    it.clock.advance(waitMs - 1);
    await turns();
    assert.equal(server.asked.length, length, `${ttlSec} ${refreshMs}`);
    await look(it, server, 1);
  }
});

test('waits are shorter by chance, by up to a tenth', async () => {
  await using server = await NameServer.listen();
  server.host('api.internal', ['10.0.0.1'], 60);
  using it = finding(server, { dns: 'api.internal:80' }, { random: () => 0.999_999 });
  await look(it, server);
  await until(() => urls(it).length > 0);
  await look(it, server, 4501);
});

test('endpoints that are found again keep their connections; new ones take part, and lost ones leave', async () => {
  await using names = await NameServer.listen();
  await using server = await ScriptedUpstream.listen();
  names.host('api.internal', ['127.0.0.1']);
  using it = finding(names, { dns: `api.internal:${server.port}` });
  await look(it, names);
  const first = it.ask();
  await (await server.connection()).answer('one');
  assert.equal(await first, 'one');
  names.host('api.internal', ['127.0.0.1', '127.0.0.9']);
  await look(it, names, 5000);
  await until(() => urls(it).length === 2);
  assert.partialDeepStrictEqual(it.group.endpoints()[0], { url: server.url, idleCount: 1 });
  names.host('api.internal', ['127.0.0.1']);
  await look(it, names, 5000);
  await until(() => urls(it).length === 1);
  const second = it.ask();
  await server.accepted[0]?.answer('two');
  assert.equal(await second, 'two');
  assert.equal(server.accepted.length, 1);
});

test('what was found stays when a look-up fails, is not answered, or finds nothing', async () => {
  await using server = await NameServer.listen();
  const errors: string[] = [];
  const stop = onEvent('discover:error', ({ error }) => errors.push(error.message));
  for (const zone of [{ error: SERVFAIL }, { error: NXDOMAIN }, { addresses: [] }, 'silent'] as const) {
    server.host('api.internal', ['10.0.0.1', 'fd00::1']);
    using it = finding(server, { dns: 'api.internal:80', timeoutMs: 20 });
    await look(it, server);
    await until(() => urls(it).length === 2);
    const found = urls(it);
    server.zones.set('A api.internal', zone);
    server.zones.set('AAAA api.internal', zone);
    await look(it, server, 5000);
    await until(() => it.clock.timerCount > 0);
    assert.deepEqual(urls(it), found);
  }
  stop();
  assert.deepEqual(errors, [
    'queryA ESERVFAIL api.internal',
    'api.internal:80 has no addresses',
    'api.internal:80 has no addresses',
    'queryA ETIMEOUT api.internal',
  ]);
});

test('one kind of record may fail without the other: its last answer stays', async () => {
  await using server = await NameServer.listen();
  server.host('api.internal', ['10.0.0.1', 'fd00::1']);
  using it = finding(server, { dns: 'api.internal:80' });
  await look(it, server);
  await until(() => urls(it).length === 2);
  server.zones.set('A api.internal', { addresses: ['10.0.0.2'] });
  server.zones.set('AAAA api.internal', { error: SERVFAIL });
  await look(it, server, 5000);
  await until(() => urls(it).includes('http://10.0.0.2'));
  assert.deepEqual(urls(it), ['http://[fd00::1]', 'http://10.0.0.2']);
  server.zones.set('AAAA api.internal', { addresses: [] });
  await look(it, server, 5000);
  await until(() => urls(it).length === 1);
});

for (const found of [[], ['10.0.0.1']]) {
  const known = found.length === 0 ? 'nothing was found' : 'something was found before';
  test(`after a failure it is looked again soon, and each time later: ${known}`, async () => {
    await using server = await NameServer.listen();
    server.host('api.internal', found);
    using it = finding(server, { dns: 'api.internal:80' });
    if (found.length > 0) {
      await look(it, server);
      await until(() => urls(it).length === 1);
      server.zones.set('A api.internal', { error: SERVFAIL });
      server.zones.set('AAAA api.internal', { error: SERVFAIL });
      await look(it, server, 5000);
    } else await look(it, server);
    for (const waitMs of [250, 500, 1000, 2000, 4000, 5000, 5000]) {
      await until(() => it.clock.timerCount > 0);
      const { length } = server.asked;
      it.clock.advance(waitMs - 1);
      await turns(5);
      assert.equal(server.asked.length, length);
      await look(it, server, 1);
    }
    assert.equal(urls(it).length, found.length);
  });
}

test('SRV: priority is the tier, weight the share, and each address of each target an endpoint (RFC 2782)', async () => {
  await using server = await NameServer.listen();
  server.zones.set('SRV _http._tcp.api.internal', {
    services: [
      { priority: 10, weight: 60, port: 3001, target: 'a.internal' },
      { priority: 10, weight: 0, port: 3002, target: 'b.internal' },
      { priority: 20, weight: 5, port: 3001, target: 'c.internal' },
      { priority: 0, weight: 0, port: 0, target: '.' },
    ],
  });
  server.host('a.internal', ['10.0.0.1', '10.0.0.2']);
  server.host('b.internal', ['10.0.0.1']);
  // The same address and port again, of a later tier.
  server.host('c.internal', ['10.0.0.3', '10.0.0.1']);
  using it = finding(server, { srv: '_http._tcp.api.internal' });
  await look(it, server, 0, 7);
  await until(() => urls(it).length > 0);
  assert.partialDeepStrictEqual(it.group.endpoints(), [
    { url: 'http://10.0.0.1:3001', priority: 10, weight: 60 },
    { url: 'http://10.0.0.1:3002', priority: 10, weight: 0.1 },
    { url: 'http://10.0.0.2:3001', priority: 10, weight: 60 },
    { url: 'http://10.0.0.3:3001', priority: 20, weight: 5 },
  ]);
  server.zones.set('SRV _http._tcp.api.internal', {
    services: [{ priority: 10, weight: 1, port: 3001, target: 'a.internal' }],
  });
  await look(it, server, 5000, 3);
  await until(() => urls(it).length === 2);
});

test('a target of SRV that cannot be looked up takes nothing from the others, at the start and later, and is told', async () => {
  await using server = await NameServer.listen();
  const errors: string[] = [];
  const stop = onEvent('discover:error', ({ error }) => errors.push(error.message));
  const targets = (...names: readonly string[]): void => {
    const services = names.map((name) => ({ priority: 0, weight: 1, port: 3001, target: `${name}.internal` }));
    server.zones.set('SRV _http._tcp.api.internal', { services });
  };
  const broken = (name: string): void => {
    for (const kind of ['A', 'AAAA']) server.zones.set(`${kind} ${name}.internal`, { error: SERVFAIL });
  };
  targets('a', 'broken');
  server.host('a.internal', ['10.0.0.1']);
  server.host('d.internal', ['10.0.0.4']);
  broken('broken');
  using it = finding(server, { srv: '_http._tcp.api.internal' });
  await look(it, server, 0, 5);
  await until(() => urls(it).length === 1);
  assert.equal(errors.length, 1);
  targets('d', 'broken');
  await look(it, server, 250, 5);
  await until(() => urls(it).join() === 'http://10.0.0.4:3001');
  server.host('broken.internal', ['10.0.0.9']);
  await look(it, server, 500, 5);
  await until(() => urls(it).join() === 'http://10.0.0.4:3001,http://10.0.0.9:3001');
  broken('broken');
  await look(it, server, 5000, 5);
  stop();
  assert.equal(urls(it).length, 2, 'what was found of it stays');
});

test('an address under another name is another endpoint, for certificates are for names', async () => {
  await using names = await NameServer.listen();
  await using server = await ScriptedUpstream.listen();
  const services = (target: string) => ({ services: [{ priority: 0, weight: 1, port: server.port, target }] });
  names.zones.set('SRV _http._tcp.api.internal', services('a.internal'));
  names.host('a.internal', ['127.0.0.1']);
  names.host('b.internal', ['127.0.0.1']);
  using it = finding(names, { srv: '_http._tcp.api.internal' });
  await look(it, names, 0, 3);
  const answer = it.ask();
  const connection = await server.connection();
  await connection.answer();
  await answer;
  names.zones.set('SRV _http._tcp.api.internal', services('b.internal'));
  await look(it, names, 5000, 3);
  await connection.closed();
  assert.deepEqual(urls(it), [server.url]);
});

test('requests wait for the first answer, as long as for a connection, and are then served', async () => {
  await using names = await NameServer.listen();
  await using server = await ScriptedUpstream.listen();
  names.zones.set('A api.internal', { error: NXDOMAIN });
  names.zones.set('AAAA api.internal', { error: NXDOMAIN });
  using it = finding(names, { dns: `api.internal:${server.port}` }, { pool: { queueTimeoutMs: 2000 } });
  const early = assert.rejects(it.ask(), { code: 'upstream-queue-timeout' });
  await look(it, names);
  await look(it, names, 2000);
  await early;
  const answer = it.ask();
  names.host('api.internal', ['127.0.0.1']);
  await look(it, names, 500);
  const connection = await server.connection();
  await connection.answer('found');
  assert.equal(await answer, 'found');
});

test('to secure endpoints the name is what is asked for, and what the certificate must be for', async () => {
  await using names = await NameServer.listen();
  names.host('api.internal', ['127.0.0.1']);
  const tls = { ca: TEST_AUTHORITY.cert };
  await using right = await ScriptedUpstream.listenTls(TEST_AUTHORITY.issue({ names: ['api.internal'] }));
  using it = finding(names, { dns: `api.internal:${right.port}`, secure: true }, { tls });
  await look(it, names);
  const answer = it.ask();
  await (await right.connection()).answer('safe');
  assert.equal(await answer, 'safe');

  await using wrong = await ScriptedUpstream.listenTls();
  using other = finding(names, { dns: `api.internal:${wrong.port}`, secure: true }, { tls });
  await look(other, names);
  await assert.rejects(other.ask(), { code: 'upstream-tls' });
});

test('host: upstream and probes say the name that was looked up, not the address', async () => {
  await using names = await NameServer.listen();
  await using server = await ScriptedUpstream.listen();
  names.host('api.internal', ['127.0.0.1']);
  const active = { path: '/healthz', jitterRatio: 0 };
  using it = finding(names, { dns: `api.internal:${server.port}` }, { health: { active } });
  await look(it, names);
  await until(() => urls(it).length > 0);
  const host = `\r\nhost: api.internal:${server.port}\r\n`;
  const answer = proxy(it.group, { host: 'upstream' })(makeRequest('GET', '/'));
  assert.ok((await (await server.connection()).answer()).includes(host));
  await answer;
  it.clock.advance(100);
  assert.ok((await (await server.connection()).answer()).includes(host));
});

test('endpoints that were given stay besides those that are found, and come first', async () => {
  await using server = await NameServer.listen();
  server.host('api.internal', ['10.0.0.1', '10.0.0.2']);
  const endpoints = [{ url: 'http://10.0.0.1', weight: 3 }, 'http://10.0.0.9'];
  using it = finding(server, { dns: 'api.internal:80' }, { endpoints });
  assert.deepEqual(urls(it), ['http://10.0.0.1', 'http://10.0.0.9']);
  await look(it, server);
  await until(() => urls(it).length === 3);
  assert.deepEqual(
    it.group.endpoints().map(({ url, weight }) => [url, weight]),
    [
      ['http://10.0.0.1', 3],
      ['http://10.0.0.9', 1],
      ['http://10.0.0.2', 1],
    ],
  );
  it.group.update([]);
  assert.deepEqual(urls(it).sort(), ['http://10.0.0.1', 'http://10.0.0.2']);
});

test('a drain and a close end the search, also while it waits for an answer', async () => {
  await using server = await NameServer.listen();
  server.zones.set('A api.internal', 'silent');
  server.zones.set('AAAA api.internal', 'silent');
  for (const end of ['drain', 'close'] as const) {
    using it = finding(server, { dns: 'api.internal:80', timeoutMs: 60_000 });
    await look(it, server);
    void it.group[end]();
    await turns(5);
    assert.equal(it.clock.timerCount, 0);
    it.clock.advance(60_000);
    assert.deepEqual(urls(it), []);
  }
  server.host('api.internal', ['10.0.0.1']);
  using found = finding(server, { dns: 'api.internal:80' });
  await look(found, server);
  await until(() => urls(found).length > 0);
  await found.group.drain();
  assert.equal(found.clock.timerCount, 0);
});

test('what has been found is told when it is other than before', async () => {
  await using server = await NameServer.listen();
  server.host('api.internal', ['10.0.0.1']);
  const events: unknown[] = [];
  const stop = onEvent('upstream:discover', (event) => events.push(event));
  using it = finding(server, { dns: 'api.internal:80' });
  await look(it, server);
  await until(() => urls(it).length > 0);
  await look(it, server, 5000);
  server.host('api.internal', ['10.0.0.2']);
  await look(it, server, 5000);
  await until(() => events.length > 1);
  stop();
  assert.deepEqual(events, [
    { upstream: 'api', endpoints: ['http://10.0.0.1'] },
    { upstream: 'api', endpoints: ['http://10.0.0.2'] },
  ]);
});

test('endpoints may be found by other means than DNS', async () => {
  await using server = await ScriptedUpstream.listen();
  let tell: OnEndpoints = () => assert.fail('it has not been started');
  let stoppedCount = 0;
  const discover: Discovery = {
    start(onEndpoints) {
      tell = onEndpoints;
    },
    stop() {
      stoppedCount += 1;
    },
  };
  using it = new Asking({ name: 'api', discover });
  const answer = it.ask();
  tell([{ url: server.url, zone: 'a' }]);
  await (await server.connection()).answer('found');
  assert.equal(await answer, 'found');
  using next = new Asking({ name: 'api', discover, timeouts: { headMs: 1234 } });
  next.group.adopt(it.group);
  assert.deepEqual(urls(next), [server.url]);
  it.group.close();
  assert.ok(stoppedCount > 0);
});

test('what cannot be looked for is refused', () => {
  const wrong: readonly (readonly [Partial<DiscoverOptions>, RegExp])[] = [
    [{}, /give either dns or srv/],
    [{ dns: 'a:1', srv: '_http._tcp.a' }, /give either dns or srv/],
    [{ dns: 'api.internal' }, /"api.internal" is not host:port/],
    [{ dns: 'api.internal:0' }, /is not host:port/],
    [{ dns: 'api.internal:70000' }, /is not host:port/],
    [{ dns: 'a b:80' }, /is not host:port/],
    [{ dns: '10.0.0.1:80' }, /is an address already: put it into endpoints/],
    [{ dns: '[::1]:80' }, /is an address already/],
    [{ srv: 'api.internal' }, /is not a service such as _http\._tcp\.api\.internal/],
    [{ dns: 'a:1', servers: ['ns.internal'] }, /"ns.internal" is not an address/],
    [{ dns: 'a:1', servers: ['10.0.0.1:99999'] }, /is not an address/],
    [{ dns: 'a:1', refreshMs: -1 }, /refreshMs: -1 is not milliseconds/],
  ];
  for (const [discover, message] of wrong) assert.throws(() => upstream({ discover }), message);
  assert.throws(() => upstream({}), /at least one is needed, or discover/);
  for (const server of ['10.0.0.1', '10.0.0.1:5353', '::1', '[::1]:53']) {
    upstream({ discover: { dns: 'a.b:1', servers: [server] } }).close();
  }
});
