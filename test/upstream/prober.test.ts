import assert from 'node:assert/strict';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { onEvent } from '../../src/core/events.ts';
import type { Attempt, Dial } from '../../src/upstream/dial.ts';
import type { EndpointSource } from '../../src/upstream/endpoint-source.ts';
import { UpstreamGroup, upstream } from '../../src/upstream/group.ts';
import type { ProbeOptions } from '../../src/upstream/probe-options.ts';
import type { EndpointStatus } from '../../src/upstream/status.ts';
import { TEST_AUTHORITY } from '../support/certificates.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { Asking } from './asking.ts';
import { deafUrl, ScriptedUpstream, turns, until } from './scripted.ts';

/** Once a second, every 400 ms when something is wrong, without chance. */
const EVERY_SECOND: Partial<ProbeOptions> = {
  path: '/healthz',
  intervalMs: 1000,
  unhealthyIntervalMs: 400,
  jitterRatio: 0,
  timeoutMs: 200,
};

const probed = (endpoints: readonly EndpointSource[], active: Partial<ProbeOptions> = {}, more = {}): Asking =>
  new Asking({ name: 'api', endpoints, health: { active: { ...EVERY_SECOND, ...active } }, ...more });

const first = ({ group }: Asking): EndpointStatus => {
  const [status] = group.endpoints();
  assert.ok(status !== undefined);
  return status;
};

/** Answers the next probe on its own connection. */
async function answerProbe(server: ScriptedUpstream, answer: string): Promise<string> {
  const connection = await server.connection();
  const head = await connection.head();
  connection.write(answer);
  await connection.closed();
  return head;
}

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const WRONG = 'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n';

test('a probe asks for its path on a connection of its own, which is closed after the answer', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = probed([server.url], { headers: { 'x-from': 'sluice' } });
  assert.equal(first(it).health, 'unknown');
  it.clock.advance(100);
  const head = await answerProbe(server, OK);
  assert.equal(
    head,
    `GET /healthz HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\nx-from: sluice\r\nuser-agent: sluice-probe\r\n\r\n`,
  );
  await until(() => first(it).health === 'healthy');
  assert.partialDeepStrictEqual(first(it), { activeCount: 0, idleCount: 0, connectingCount: 0, rank: 'well' });
});

test('method, host and user-agent are what is said', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = probed([server.url], { method: 'HEAD', host: 'api.internal', headers: { 'user-agent': 'me' } });
  it.clock.advance(100);
  const head = await answerProbe(server, 'HTTP/1.1 204 No Content\r\n\r\n');
  assert.equal(head, 'HEAD /healthz HTTP/1.1\r\nhost: api.internal\r\nuser-agent: me\r\n\r\n');
  await until(() => first(it).health === 'healthy');
});

test('status, body and a field of the answer decide', async () => {
  const large = `HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n${'x'.repeat(100_000)}`;
  const early = `HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\nstate: up${'x'.repeat(100_000)}`;
  const cases: readonly (readonly [Partial<ProbeOptions>, string, string])[] = [
    [{}, WRONG, 'unhealthy'],
    [{}, 'HTTP/1.1 301 Moved\r\ncontent-length: 0\r\n\r\n', 'unhealthy'],
    [{ expectStatus: [200, 301] }, 'HTTP/1.1 301 Moved\r\ncontent-length: 0\r\n\r\n', 'healthy'],
    [{ expectStatus: ['5xx'] }, WRONG, 'healthy'],
    [{ expectStatus: [204] }, OK, 'unhealthy'],
    [{ expectBody: 'ok' }, OK, 'healthy'],
    [{ expectBody: 'state: up' }, OK, 'unhealthy'],
    [{ expectBody: 'ok' }, 'HTTP/1.1 204 No Content\r\n\r\n', 'unhealthy'],
    [
      { expectBody: 'up' },
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nu\r\n1\r\np\r\n0\r\n\r\n',
      'healthy',
    ],
    // A long answer is looked at as far as 64 KiB, and not awaited further.
    [{ expectBody: 'state: up' }, early, 'healthy'],
    [{ expectBody: 'state: up' }, large, 'unhealthy'],
    [{ degradedHeader: 'x-degraded' }, 'HTTP/1.1 200 OK\r\nX-Degraded: 1\r\ncontent-length: 0\r\n\r\n', 'degraded'],
    [{ degradedHeader: 'x-degraded' }, OK, 'healthy'],
    [{ degradedHeader: 'x-degraded' }, `${WRONG.slice(0, -2)}x-degraded: 1\r\n\r\n`, 'unhealthy'],
    [{}, 'SSH-2.0-OpenSSH_9.2\r\n', 'unhealthy'],
  ];
  for (const [options, answer, state] of cases) {
    await using server = await ScriptedUpstream.listen();
    using it = probed([server.url], options);
    it.clock.advance(100);
    await answerProbe(server, answer);
    await until(() => first(it).health !== 'unknown');
    assert.equal(first(it).health, state, JSON.stringify([options, answer.slice(0, 80)]));
  }
});

test('an answer that breaks off has failed', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = probed([server.url]);
  it.clock.advance(100);
  const connection = await server.connection();
  await connection.head();
  connection.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf');
  connection.socket.end();
  await until(() => first(it).health === 'unhealthy');
});

test('one that answers late is degraded, and one that does not answer in time has failed', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = probed([server.url], { degradedLatencyMs: 100 });
  it.clock.advance(100);
  const connection = await server.connection();
  await connection.head();
  it.clock.advance(120);
  connection.write(OK);
  await until(() => first(it).health === 'degraded');
  assert.equal(first(it).rank, 'degraded');
  for (let probe = 0; probe < 3; probe += 1) {
    it.clock.advance(probe === 0 ? 1050 : 400);
    const silent = await server.connection();
    await silent.head();
    assert.equal(first(it).health, 'degraded');
    it.clock.advance(200);
    await silent.closed();
  }
  assert.equal(first(it).health, 'unhealthy');
});

test('one that is unhealthy gets no requests, is asked more often, and takes part again after two passes', async () => {
  await using bad = await ScriptedUpstream.listen();
  await using good = await ScriptedUpstream.listen();
  using it = probed([bad.url, good.url]);
  it.clock.advance(100);
  await Promise.all([answerProbe(bad, WRONG), answerProbe(good, OK)]);
  await until(() => it.group.endpoints().every(({ health }) => health !== 'unknown'));
  for (let request = 0; request < 3; request += 1) {
    const answer = it.ask();
    await (request === 0 ? await good.connection() : good.accepted[1])?.answer('good');
    assert.equal(await answer, 'good');
  }
  for (let pass = 0; pass < 2; pass += 1) {
    assert.equal(first(it).rank, 'out');
    it.clock.advance(400);
    await answerProbe(bad, OK);
  }
  await until(() => first(it).rank === 'well');
  assert.equal(good.accepted.length, 2, 'the healthy one was asked once');
});

test('there is never more than one probe of an endpoint under way, however long it takes', () => {
  const attempts: { cancelled: boolean }[] = [];
  const dial: Dial = (): Attempt => {
    const attempt = { cancelled: false };
    attempts.push(attempt);
    return {
      cancel() {
        attempt.cancelled = true;
      },
    };
  };
  const clock = new ManualClock();
  const active = { ...EVERY_SECOND, intervalMs: 100, unhealthyIntervalMs: 100, timeoutMs: 5000 };
  const group = new UpstreamGroup({ endpoints: ['http://127.0.0.1:1'], clock, health: { active } }, dial);
  clock.advance(4900);
  assert.equal(attempts.length, 1);
  clock.advance(300);
  assert.deepEqual(attempts, [{ cancelled: true }, { cancelled: false }]);
  group.close();
  assert.deepEqual(attempts, [{ cancelled: true }, { cancelled: true }]);
  assert.equal(clock.timerCount, 0);
});

test('kind tcp only connects', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = probed([server.url, await deafUrl()], { kind: 'tcp' });
  it.clock.advance(100);
  const connection = await server.connection();
  await connection.closed();
  assert.equal(connection.received, '');
  await until(() => it.group.endpoints().every(({ health }) => health !== 'unknown'));
  assert.deepEqual(
    it.group.endpoints().map(({ health }) => health),
    ['healthy', 'unhealthy'],
  );
});

test('probes of https endpoints verify certificates as requests do', async () => {
  await using server = await ScriptedUpstream.listenTls();
  using trusting = probed([server.url], {}, { tls: { ca: TEST_AUTHORITY.cert } });
  using strange = probed([server.url]);
  trusting.clock.advance(100);
  await answerProbe(server, OK);
  await until(() => first(trusting).health === 'healthy');
  const whys: unknown[] = [];
  const stop = onEvent('endpoint:health', ({ why }) => whys.push(why));
  strange.clock.advance(100);
  await until(() => first(strange).health === 'unhealthy');
  stop();
  assert.match(String(whys[0]), /not signed by an authority that is trusted here/);
});

test('an upstream that speaks HTTP/2 is probed over HTTP/2', async () => {
  const server = createServer((request, response) => response.end(`${request.method} ${request.headers[':path']}`));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  using it = probed([`http://127.0.0.1:${port}`], { expectBody: 'GET /healthz' }, { protocol: 'h2' });
  it.clock.advance(100);
  await until(() => first(it).health === 'healthy');
  await new Promise((resolve) => server.close(resolve));
});

test('until its first probe an endpoint takes requests, unless it must not: then they wait', async () => {
  await using server = await ScriptedUpstream.listen();
  using open = probed([server.url]);
  const early = open.ask();
  await (await server.connection()).answer('early');
  assert.equal(await early, 'early');

  using it = probed([server.url], { unknownTakesRequests: false });
  assert.equal(first(it).rank, 'untried');
  const answer = it.ask();
  await turns();
  assert.equal(it.group.status().waitingCount, 1);
  it.clock.advance(100);
  assert.match(await answerProbe(server, OK), /healthz/);
  await (await server.connection()).answer('late');
  assert.equal(await answer, 'late');
});

test('those that were not tried yet are not asked in a panic, and cause none', async () => {
  await using known = await ScriptedUpstream.listen();
  await using late = await ScriptedUpstream.listen();
  using it = probed([known.url], { unknownTakesRequests: false, unhealthyIntervalMs: 1000 });
  it.clock.advance(100);
  await answerProbe(known, WRONG);
  await until(() => first(it).rank === 'out');
  // One of two is as many as it takes for a panic; rather than ask the one that is out, requests wait for the other.
  it.group.update([known.url, late.url]);
  const answer = it.ask();
  await turns();
  assert.equal(it.group.status().waitingCount, 1);
  it.clock.advance(100);
  await answerProbe(late, OK);
  await (await late.connection()).answer('late');
  assert.equal(await answer, 'late');
});

test('a panic does not ask those that were not tried yet', async () => {
  await using sick = await ScriptedUpstream.listen();
  await using untried = await ScriptedUpstream.listen();
  using panicking = probed([await deafUrl(), sick.url, untried.url], { unknownTakesRequests: false });
  panicking.clock.advance(100);
  await answerProbe(sick, WRONG);
  await (await untried.connection()).head();
  await until(() => panicking.group.endpoints().filter(({ rank }) => rank === 'out').length === 2);
  for (let request = 0; request < 3; request += 1) {
    const answer = panicking.ask();
    await (request === 0 ? await sick.connection() : sick.accepted[1])?.answer('sick');
    assert.equal(await answer, 'sick');
  }
  assert.equal(untried.accepted.length, 1);
});

test('requests that wait for an untried endpoint are 503 when it proves to be unhealthy, after their time', async () => {
  using it = probed([await deafUrl()], { unknownTakesRequests: false }, { spill: { panicRatio: null } });
  const answer = assert.rejects(it.ask(), { code: 'upstream-queue-timeout' });
  it.clock.advance(100);
  await until(() => first(it).health === 'unhealthy');
  await assert.rejects(it.ask(), { code: 'upstream-unavailable' });
  it.clock.advance(5000);
  await answer;
});

test('who has left is not asked any more, and a drain or a close ends all probes', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = probed([server.url, 'http://127.0.0.1:1']);
  it.clock.advance(100);
  const connection = await server.connection();
  await connection.head();
  it.group.update(['http://127.0.0.1:1']);
  await connection.closed();
  it.clock.advance(5000);
  await turns();
  assert.equal(server.accepted.length, 1);
  await it.group.drain();
  assert.equal(it.clock.timerCount, 0);
});

test('each change of health is an event with its reason, and nothing else is', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = probed([server.url], { unhealthyCount: 1, healthyCount: 1 });
  const events: unknown[] = [];
  const stop = onEvent('endpoint:health', (event) => events.push(event));
  const told = { upstream: 'api', endpoint: server.url };
  const answers = [
    [100, OK],
    [1000, OK],
    [1000, WRONG],
    [400, OK],
  ] as const;
  for (const [afterMs, answer] of answers) {
    it.clock.advance(afterMs);
    await answerProbe(server, answer);
    await turns();
  }
  stop();
  assert.deepEqual(events, [
    { ...told, state: 'healthy', before: 'unknown', why: null },
    { ...told, state: 'unhealthy', before: 'healthy', why: 'it has answered 503' },
    { ...told, state: 'healthy', before: 'unhealthy', why: null },
  ]);
});

test('probe options that cannot work are all named at once', () => {
  const wrong: readonly (readonly [Record<string, unknown>, RegExp])[] = [
    [{ kind: 'udp' }, /kind: "udp" is not one of http, tcp/],
    [{ path: 'healthz' }, /path: "healthz" is not a path such as \/healthz/],
    [{ method: 'get x' }, /method: "get x" is not a method such as GET/],
    [{ expectStatus: [] }, /expectStatus: \[\] is not a list of at least one status/],
    [{ expectStatus: [200, '6xx'] }, /expectStatus: "6xx" is not a status such as 200 or 2xx/],
    [{ intervalMs: -1 }, /intervalMs: -1 is not milliseconds/],
    [{ pth: '/' }, /pth: no such option, did you mean path\?/],
    [{ path: 'x', kind: 'y' }, /path: .*; health: active: kind: /],
  ];
  for (const [active, message] of wrong) {
    assert.throws(() => upstream({ endpoints: ['http://127.0.0.1:1'], health: { active } }), message);
  }
});
