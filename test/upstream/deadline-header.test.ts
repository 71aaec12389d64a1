import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HeaderSource } from '../../src/core/headers.ts';
import type { UpstreamTimeouts } from '../../src/upstream/options.ts';
import { Asking } from './asking.ts';
import { ScriptedUpstream, until } from './scripted.ts';

const NAME = 'x-request-timeout-ms';

/** What an upstream hears of the time that is left, of a request with these fields. */
async function heard(timeouts: Partial<UpstreamTimeouts>, headers: HeaderSource = {}): Promise<string | null> {
  await using server = await ScriptedUpstream.listen();
  using it = new Asking({ endpoints: [server.url], timeouts });
  const answer = it.send('GET', '/', { headers });
  const head = await (await server.connection()).answer();
  await answer;
  return /^(?:x-request-timeout-ms|grpc-timeout): (.*)\r$/im.exec(head)?.[1] ?? null;
}

test('an upstream hears what time is left, also after an attempt that took some', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = new Asking({
    endpoints: [server.url],
    timeouts: { totalMs: 3000, deadlineHeader: NAME },
    retry: { backoffMs: 0 },
  });
  const answer = it.status();
  const connection = await server.connection();
  assert.match(await connection.head(), /x-request-timeout-ms: 3000\r\n/);
  it.clock.advance(1200);
  connection.write('HTTP/1.1 503 Not Now\r\ncontent-length: 0\r\n\r\n');
  assert.match(await connection.answer(), /x-request-timeout-ms: 1800\r\n/);
  assert.equal(await answer, 200);
});

test('what a client says is not heeded unless it is trusted, and then it can only shorten the time', async () => {
  const own = { totalMs: 3000, deadlineHeader: NAME };
  const trusting = { ...own, deadlineTrusted: true };
  assert.equal(await heard(own, { [NAME]: '1000' }), '3000');
  assert.equal(await heard({ ...own, totalMs: null }, { [NAME]: '1000' }), null);
  assert.equal(await heard(trusting, { [NAME]: '1000' }), '1000');
  assert.equal(await heard(trusting, { [NAME]: '9000' }), '3000');
  assert.equal(await heard(trusting, { [NAME]: 'soon' }), '3000');
  assert.equal(await heard({ ...trusting, totalMs: null }, { [NAME]: '1000' }), '1000');
  assert.equal(await heard({ ...trusting, totalMs: null }), null);
});

test('grpc-timeout is read and written as gRPC does', async () => {
  const timeouts = { totalMs: 60_000, deadlineHeader: 'grpc-timeout', deadlineTrusted: true };
  assert.equal(await heard(timeouts), '60000m');
  assert.equal(await heard(timeouts, { 'grpc-timeout': '2S' }), '2000m');
});

test('when a trusted client waits no longer it is 504, and the endpoint is not blamed', async () => {
  await using server = await ScriptedUpstream.listen();
  using it = new Asking({
    endpoints: [server.url],
    timeouts: { totalMs: 3000, deadlineHeader: NAME, deadlineTrusted: true },
    breaker: { volumeMinCount: 1 },
  });
  assert.equal(await it.status('GET', '/', { headers: { [NAME]: '0' } }), 504);
  assert.equal(server.accepted.length, 0);
  for (const [headers, state] of [
    [{ [NAME]: '100' }, 'closed'],
    [{}, 'open'],
  ] as const) {
    const answer = it.status('GET', '/', { headers });
    await until(() => it.group.endpoints()[0]?.activeCount === 1);
    it.clock.advance(3000);
    assert.equal(await answer, 504);
    assert.equal(it.group.endpoints()[0]?.breaker, state);
  }
});
