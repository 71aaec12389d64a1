import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { HeaderFields } from '../../src/core/headers.ts';
import { arrivingBody } from '../support/request.ts';
import { Asking } from './asking.ts';
import { Origin } from './origin.ts';
import { turns, until } from './scripted.ts';

const KEYED = HeaderFields.from({ 'idempotency-key': '1' });

const asking = (...origins: readonly Origin[]): Asking =>
  new Asking({ endpoints: origins.map(({ url }) => url), protocol: 'h2', retry: {}, random: () => 0.5 });

test('over HTTP/2 a stream that is reset before its answer is asked for again elsewhere, the others go on', async () => {
  await using one = await Origin.listen();
  await using two = await Origin.listen();
  using it = asking(one, two);
  const first = it.status();
  const spoiled = await one.stream(0);
  const second = it.status();
  await two.stream(0);
  const third = it.status();
  await one.stream(1);
  spoiled.close(2);
  (await two.stream(1)).respond({ ':status': 200 }, { endStream: true });
  assert.equal(await first, 200);
  for (const stream of [await one.stream(1), await two.stream(0)])
    stream.respond({ ':status': 201 }, { endStream: true });
  assert.deepEqual(await Promise.all([second, third]), [201, 201]);
});

test('as many trials as a breaker lets through share a connection that is opened for them', async () => {
  await using one = await Origin.listen();
  const breaker = { volumeMinCount: 1, openMs: 1000, jitterRatio: 0, trialCount: 2 };
  using it = new Asking({ endpoints: [one.url], protocol: 'h2', breaker });
  const failed = it.status();
  const stream = await one.stream(0);
  stream.respond({ ':status': 500 }, { endStream: true });
  assert.equal(await failed, 500);
  one.disconnect();
  await until(() => it.group.endpoints()[0]?.idleCount === 0);
  it.clock.advance(1000);
  const trials = [it.status(), it.status()];
  assert.equal(await it.status(), 503);
  for (const index of [1, 2]) (await one.stream(index)).respond({ ':status': 200 }, { endStream: true });
  assert.deepEqual(await Promise.all(trials), [200, 200]);
  assert.equal(it.group.endpoints()[0]?.breaker, 'closed');
});

test('over HTTP/2 an early 503 stops the upload, and the next attempt has the whole body', async () => {
  for (const withBody of [false, true]) {
    await using one = await Origin.listen();
    await using two = await Origin.listen();
    using it = asking(one, two);
    const body = arrivingBody();
    const answer = it.status('POST', '/', { body, headers: KEYED });
    body.push(Buffer.from('begun, '));
    const first = await one.stream(0);
    await until(() => one.bodies[0] === 'begun, ');
    first.respond({ ':status': 503 }, { endStream: !withBody });
    if (withBody) first.write('not now');
    const second = await two.stream(0);
    body.push(Buffer.from('and ended'));
    body.finish(null);
    await once(second, 'end');
    second.respond({ ':status': 200 }, { endStream: true });
    assert.equal(await answer, 200);
    await turns(3);
    assert.deepEqual([one.bodies, two.bodies], [['begun, '], ['begun, and ended']]);
    await until(() => it.group.endpoints().every(({ activeCount }) => activeCount === 0));
  }
});
