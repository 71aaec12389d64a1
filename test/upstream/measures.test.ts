import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../src/core/failure.ts';
import type { UpstreamOptions } from '../../src/upstream/options.ts';
import { measured } from '../support/measured.ts';
import { FakeExchange } from '../support/request.ts';
import { Answering } from './answering.ts';
import { Asking } from './asking.ts';
import { ScriptedUpstream, until } from './scripted.ts';

/** What an upstream has counted, by endpoints with the names in `urls`. */
function counted(it: Asking, urls: Readonly<Record<string, string>>): Record<string, number> {
  const named = Object.entries(measured(it.group, ['upstream'])).map(([series, value]) => {
    const [name = '', url] = Object.entries(urls).find(([, one]) => series.includes(`endpoint=${one}`)) ?? [];
    return [url === undefined ? series : series.replace(`endpoint=${url}`, name), value];
  });
  return Object.fromEntries(named);
}

/** Two servers of which one fails. */
class Pair implements AsyncDisposable {
  readonly it: Asking;
  readonly bad: Answering;
  readonly good: Answering;

  private constructor(bad: Answering, good: Answering, options: Partial<UpstreamOptions>) {
    this.bad = bad;
    this.good = good;
    this.it = new Asking({ endpoints: [bad.url, good.url], random: () => 0, ...options });
  }

  static async open(options: Partial<UpstreamOptions>): Promise<Pair> {
    const bad = await Answering.listen();
    bad.status = 503;
    return new Pair(bad, await Answering.listen(), options);
  }

  counted(): Record<string, number> {
    return counted(this.it, { bad: this.bad.url, good: this.good.url });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.it[Symbol.dispose]();
    await this.bad.stop();
    await this.good.stop();
  }
}

test('attempts, answers and retries are counted, and how endpoints are', async () => {
  await using pair = await Pair.open({ retry: { attemptMaxCount: 2 } });
  for (let turn = 0; turn < 2; turn += 1) assert.equal(await pair.it.status(), 200);
  assert.deepEqual(pair.counted(), {
    upstream_requests_total: 2,
    'upstream_retries_total cause=503': 1,
    'endpoint_attempts_total bad': 1,
    'endpoint_answers_total bad class=5xx': 1,
    'endpoint_connections bad state=idle': 1,
    'endpoint_rank bad rank=well': 1,
    'endpoint_attempts_total good': 2,
    'endpoint_answers_total good class=2xx': 2,
    'endpoint_connections good state=idle': 1,
    'endpoint_rank good rank=well': 1,
  });
});

test('an attempt beside another one is counted as a retry for which there was no other cause', async () => {
  await using pair = await Pair.open({ retry: { hedgeAfterMs: 100 } });
  pair.bad.instead = () => undefined;
  const answer = pair.it.status();
  await until(() => pair.bad.hitCount === 1);
  pair.it.clock.advance(100);
  assert.equal(await answer, 200);
  const values = pair.counted();
  assert.equal(values['upstream_retries_total cause=hedge'], 1);
  assert.deepEqual([values['endpoint_attempts_total bad'], values['endpoint_attempts_total good']], [1, 1]);
});

test('what the budget does not allow, breakers that open and endpoints that are taken out are counted', async () => {
  await using pair = await Pair.open({
    retry: { budgetRatio: 0, budgetMinPerSec: 0.1 },
    breaker: { volumeMinCount: 2, openMs: 100 },
    health: { passive: { failureCount: 2, ejectMs: 1000 } },
  });
  for (let turn = 0; turn < 4; turn += 1) await pair.it.status();
  const values = pair.counted();
  assert.equal(values['upstream_retries_total cause=503'], 1);
  assert.equal(values.upstream_retries_denied_total, 1);
  assert.equal(values['endpoint_breaker bad state=open'], 1);
  assert.equal(values['endpoint_breaker_changes_total bad to=open'], 1);
  assert.equal(values['endpoint_ejections_total bad reason=failures'], 1);
  assert.equal(values['endpoint_rank bad rank=out'], 1);
  assert.equal(values['endpoint_breaker good state=closed'], 1);
});

test('what comes to nothing is counted by its failure, at the endpoint and for the request', async () => {
  await using pair = await Pair.open({});
  await pair.bad.stop();
  await pair.good.stop();
  assert.equal(await pair.it.status(), 502);
  const values = pair.counted();
  assert.equal(values['endpoint_failures_total bad code=upstream-connect'], 1);
  assert.equal(values['endpoint_failures_total good code=upstream-connect'], 1);
  assert.equal(values['upstream_failures_total code=upstream-connect'], 1);
  assert.equal(values['upstream_retries_total cause=upstream-connect'], 1);
});

test('a request that waits, one that runs and one whose client leaves are counted as what they are, once', async () => {
  await using slow = await ScriptedUpstream.listen();
  using it = new Asking({ endpoints: [slow.url], pool: { connectionMaxCount: 1 } });
  const exchanges = [new FakeExchange(), new FakeExchange()];
  const answers = exchanges.map((exchange) => it.send('GET', '/', { exchange }).catch((error: unknown) => error));
  await (await slow.connection()).head();
  const running = counted(it, { slow: slow.url });
  assert.equal(running.upstream_requests_waiting, 1);
  assert.equal(running['endpoint_requests_active slow'], 1);
  assert.equal(running['endpoint_connections slow state=busy'], 1);
  for (const exchange of exchanges) exchange.abort(new Failure('client-gone'));
  await Promise.all(answers);
  const left = counted(it, { slow: slow.url });
  assert.equal(left['upstream_failures_total code=client-gone'], 2);
  assert.equal(left.upstream_requests_waiting, undefined);
  assert.equal(left['endpoint_requests_active slow'], undefined);
});

test('probes are counted by how they ended, and what they say is shown', async () => {
  await using pair = await Pair.open({ health: { active: { intervalMs: 1000, unhealthyIntervalMs: 1000 } } });
  pair.it.clock.advance(1000);
  await until(() => pair.it.group.endpoints().every(({ health }) => health !== 'unknown'));
  const values = pair.counted();
  assert.equal(values['endpoint_probes_total bad result=fail'], 1);
  assert.equal(values['endpoint_probes_total good result=pass'], 1);
  assert.equal(values['endpoint_health bad state=unhealthy'], 1);
  assert.equal(values['endpoint_health good state=healthy'], 1);
});

test('an upstream that takes the place of another counts on, also what the other still ends', async () => {
  await using pair = await Pair.open({});
  await pair.it.status();
  using next = new Asking({ endpoints: [pair.bad.url, pair.good.url], name: 'next' });
  next.group.adopt(pair.it.group);
  await pair.it.status();
  await next.status();
  const values = counted(next, { bad: pair.bad.url, good: pair.good.url });
  assert.equal(values.upstream_requests_total, 3);
  assert.equal(values['endpoint_attempts_total bad'], 2);
  assert.equal(values['endpoint_attempts_total good'], 1);
});

test('of two endpoints with the same address, of which one leaves, only the other has a state', async () => {
  await using slow = await ScriptedUpstream.listen();
  using it = new Asking({ endpoints: [slow.url], breaker: {}, health: { active: {} } });
  const answer = it.send('GET');
  const connection = await slow.connection();
  await connection.head();
  void it.group.drain(slow.url);
  it.group.resume(slow.url);
  const values = counted(it, { slow: slow.url });
  assert.equal(values['endpoint_health slow state=unknown'], 1);
  assert.equal(values['endpoint_breaker slow state=closed'], 1);
  assert.equal(values['endpoint_rank slow rank=draining'], 1);
  connection.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  await answer;
});
