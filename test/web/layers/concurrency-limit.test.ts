import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEvent } from '../../../src/core/events.ts';
import { Failure } from '../../../src/core/failure.ts';
import { HeaderFields } from '../../../src/core/headers.ts';
import type { HttpResponse } from '../../../src/core/message.ts';
import { concurrencyLimit } from '../../../src/web/layers/concurrency-limit.ts';
import type { ConcurrencyLimitOptions } from '../../../src/web/layers/concurrency-options.ts';
import { reply } from '../../../src/web/reply.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { FakeExchange, makeRequest } from '../../support/request.ts';
import { Limited, type Sent, turn } from './places.ts';

const outcomes = (all: readonly Sent[]): (number | string | null)[] => all.map(({ outcome }) => outcome);

async function* drip(): AsyncGenerator<string, void, undefined> {
  yield 'x';
}

test('a synchronous answer is synchronous, is passed on as it is, and has its place back at once', () => {
  const clock = new ManualClock();
  const limit = concurrencyLimit({ requestMaxCount: 1, clock });
  const response = reply.text('hi');
  const handler = limit(() => {
    assert.equal(limit.status().inFlightCount, 1);
    return response;
  });
  for (let count = 0; count < 3; count += 1) assert.equal(handler(makeRequest('GET', '/')), response);
  assert.deepEqual(limit.status(), {
    limitCount: 1,
    inFlightCount: 0,
    waitingCount: 0,
    waitingTenantCount: 0,
    admittedCount: 3,
    delayedCount: 0,
    refusedCount: 0,
  });
  assert.equal(clock.timerCount, 0);
});

test('a place is free again when a handler has returned nothing, or what cannot be read', async () => {
  const limit = concurrencyLimit({ requestMaxCount: 1, queueMaxCount: null });
  const broken: HttpResponse = {
    status: 200,
    get body(): never {
      throw new Error('spent');
    },
  };
  // `Reflect` forgets types, as programs in JavaScript do.
  const answering: (() => HttpResponse)[] = [
    () => Reflect.get({}, 'nothing'),
    () => Reflect.get({ nothing: null }, 'nothing'),
    () => broken,
  ];
  for (const answer of answering) {
    for (const handler of [answer, async () => answer()]) {
      assert.equal(await limit(handler)(makeRequest('GET', '/')), answer());
      assert.equal(limit.status().inFlightCount, 0);
    }
  }
});

test('so many run at once, more wait in line, and who finds the queue full is 503 with retry-after', async () => {
  const limited = new Limited({ requestMaxCount: 2, queueMaxCount: 2, retryAfterMs: 4200 });
  const all = Array.from({ length: 5 }, () => limited.send());
  await turn();
  assert.deepEqual(limited.counts, [2, 2]);
  assert.deepEqual(outcomes(all), [null, null, null, null, 503]);
  assert.equal(HeaderFields.from(all[4]?.response?.headers).get('retry-after'), '5');
  await all[1]?.end();
  assert.deepEqual([limited.counts, all[2]?.running, all[3]?.running], [[2, 1], true, false]);
  await all[0]?.end();
  await all[2]?.end();
  await all[3]?.end();
  assert.deepEqual(outcomes(all), [200, 200, 200, 200, 503]);
  assert.deepEqual([limited.counts, limited.clock.timerCount], [[0, 0], 0]);
});

test('without a queue one more is refused at once', async () => {
  const limited = new Limited({ requestMaxCount: 1, queueMaxCount: null });
  const [first, second] = [limited.send(), limited.send()];
  await turn();
  assert.deepEqual([first.outcome, second.outcome, limited.clock.timerCount], [null, 503, 0]);
  await first.end();
  assert.deepEqual(limited.counts, [0, 0]);
});

test('who has waited too long is refused, and its room in the queue is free', async () => {
  const limited = new Limited({ requestMaxCount: 1, queueMaxCount: 1, queueTimeoutMs: 100 });
  const first = limited.send();
  const late = limited.send();
  limited.clock.advance(99);
  await turn();
  assert.equal(late.outcome, null);
  limited.clock.advance(1);
  await turn();
  assert.deepEqual([late.outcome, late.running, limited.counts], [503, false, [1, 0]]);
  const next = limited.send();
  await first.end();
  assert.ok(next.running);
  await next.end();
  assert.deepEqual([limited.counts, limited.clock.timerCount], [[0, 0], 0]);
});

test('who leaves while it waits, or just as its turn comes, has no handler called and no place', async () => {
  const limited = new Limited({ requestMaxCount: 1 });
  const [first, second, third] = [limited.send(), limited.send(), limited.send()];
  await second.leave();
  assert.deepEqual([second.outcome, limited.counts], ['client-gone', [1, 1]]);
  first.answer?.(reply.text('ok'));
  // Its turn comes some microtasks from now; the connection breaks before the handler is called.
  while (limited.counts[1] > 0) await Promise.resolve();
  assert.equal(third.running, false);
  await third.leave();
  assert.deepEqual([third.outcome, third.running, limited.counts], ['client-gone', false, [0, 0]]);
  const gone = new FakeExchange();
  gone.abort(new Failure('client-gone'));
  assert.equal(limited.clock.timerCount, 0);
});

test('a request that ended before it came to the layer does not wait', async () => {
  const clock = new ManualClock();
  const limit = concurrencyLimit({ requestMaxCount: 1, clock });
  const pending = Promise.withResolvers<HttpResponse>();
  const handler = limit(() => pending.promise);
  const first = handler(makeRequest('GET', '/'));
  const exchange = new FakeExchange();
  exchange.onAbort = (listener) => listener(new Failure('client-gone'));
  await assert.rejects(Promise.resolve(handler(makeRequest('GET', '/', { exchange }))), Failure);
  assert.equal(limit.status().waitingCount, 0);
  pending.resolve(reply.text('ok'));
  await first;
  assert.deepEqual([limit.status().inFlightCount, clock.timerCount], [0, 0]);
});

test('nobody passes those who wait', async () => {
  const limited = new Limited({ requestMaxCount: 1 });
  const [first, second] = [limited.send(), limited.send()];
  first.answer?.(reply.text('ok'));
  while (limited.counts[1] > 0) await Promise.resolve();
  const third = limited.send();
  await turn();
  assert.deepEqual([second.running, third.running], [true, false]);
  await second.end();
  await third.end();
  assert.deepEqual(limited.counts, [0, 0]);
});

test('a handler that throws gives its place back, at once or later', async () => {
  const limit = concurrencyLimit({ requestMaxCount: 1, clock: new ManualClock() });
  const throwing = limit(() => {
    throw new Error('broken');
  });
  for (let count = 0; count < 3; count += 1) assert.throws(() => throwing(makeRequest('GET', '/')), /broken/);
  const rejecting = limit(() => Promise.reject(new Error('broken later')));
  for (let count = 0; count < 3; count += 1)
    await assert.rejects(Promise.resolve(rejecting(makeRequest('GET', '/'))), /broken later/);
  assert.equal(limit.status().inFlightCount, 0);
});

test('a body that comes in pieces keeps the place until it has been sent; a long-lived stream does not', async () => {
  const limited = new Limited({ requestMaxCount: 5 });
  const streamed = limited.send();
  streamed.answer?.(reply.stream(drip()));
  await turn();
  assert.deepEqual([streamed.outcome, limited.counts], [200, [1, 0]]);
  streamed.exchange.conclude();
  assert.deepEqual(limited.counts, [0, 0]);
  const events = limited.send();
  events.answer?.({ ...reply.stream(drip()), onDrain: () => undefined });
  const socket = limited.send();
  socket.answer?.({ status: 101, takeover: () => undefined });
  await turn();
  assert.deepEqual([events.outcome, socket.outcome, limited.counts], [200, 101, [0, 0]]);
});

test('a synchronous answer whose body comes in pieces keeps its place as well', () => {
  const limit = concurrencyLimit({ requestMaxCount: 5, clock: new ManualClock() });
  const exchange = new FakeExchange();
  void limit(() => reply.stream(drip()))(makeRequest('GET', '/', { exchange }));
  assert.equal(limit.status().inFlightCount, 1);
  exchange.conclude();
  assert.equal(limit.status().inFlightCount, 0);
});

test('a handler that goes on for nobody keeps its place, but not for ever', async () => {
  const limited = new Limited({ requestMaxCount: 2, abandonMs: 1000 });
  const [stops, hangs] = [limited.send(), limited.send()];
  await stops.leave();
  assert.deepEqual(limited.counts, [1, 0]);
  await hangs.leave(false);
  assert.deepEqual(limited.counts, [1, 0]);
  limited.clock.advance(999);
  assert.deepEqual(limited.counts, [1, 0]);
  limited.clock.advance(1);
  assert.deepEqual([limited.counts, limited.clock.timerCount], [[0, 0], 0]);
  await hangs.end();
  assert.deepEqual(limited.counts, [0, 0], 'its late answer gives nothing back twice');
  const patient = new Limited({ abandonMs: null });
  const works = patient.send();
  await works.leave(false);
  assert.deepEqual([patient.counts, patient.clock.timerCount], [[1, 0], 0]);
  await works.end();
  assert.deepEqual(patient.counts, [0, 0]);
});

test('a tenant that cannot be told costs the request, and no place, whoever listens', async () => {
  const limit = concurrencyLimit({
    requestMaxCount: 1,
    tenant: () => {
      throw new TypeError('no tenant');
    },
  });
  const stop = onEvent('limit:admit', () => undefined);
  const handler = limit(() => ({ status: 200 }));
  for (let count = 0; count < 3; count += 1) assert.throws(() => handler(makeRequest('GET', '/')), /no tenant/);
  stop();
  assert.equal(limit.status().inFlightCount, 0);
  assert.equal((await handler(makeRequest('GET', '/'))).status, 200);
});

test('the weight of a tenant that a function names is that of its name', async () => {
  const limited = new Limited({
    requestMaxCount: 1,
    tenant: ({ headers }) => headers.get('x-tenant'),
    tenantWeights: { gold: 4 },
  });
  const first = limited.send();
  const [gold, other] = ['gold', 'other'].map((name) =>
    Array.from({ length: 4 }, () => limited.send({ headers: { 'x-tenant': name } })),
  );
  await first.end();
  for (const sent of gold ?? []) {
    assert.ok(sent.running);
    await sent.end();
  }
  assert.ok(other?.[0]?.running);
});

test('tenants take turns by their weights, and only a trusted proxy says who is whom', async () => {
  const limited = new Limited({
    requestMaxCount: 1,
    tenant: { header: 'x-tenant' },
    tenantWeights: { gold: 2 },
    trustedProxies: ['10.0.0.0/8'],
  });
  const order: string[] = [];
  const send = (tenant: string, address = '10.0.0.1'): Sent =>
    limited.send({ headers: { 'x-tenant': tenant }, peer: { address } });
  const first = send('any');
  const waiting = new Map<string, Sent>();
  for (const tenant of ['free', 'gold'])
    for (let index = 0; index < 3; index += 1) waiting.set(`${tenant} ${index}`, send(tenant));
  // One client claims to be two tenants, and is one.
  for (const claim of ['gold', 'free']) waiting.set(`liar ${claim}`, send(claim, '192.0.2.1'));
  await turn();
  assert.equal(limited.limit.status().waitingTenantCount, 3);
  await first.end();
  while (waiting.size > 0) {
    const [running] = [...waiting].filter(([, sent]) => sent.running);
    assert.ok(running);
    const [name, sent] = running;
    waiting.delete(name);
    order.push(name);
    await sent.end();
  }
  assert.deepEqual(order, [
    ...['free 0', 'gold 0', 'gold 1', 'liar gold'],
    ...['free 1', 'gold 2', 'liar free', 'free 2'],
  ]);
});

test('a tenant alone may have so many in the queue as its limit says; without tenants the queue is everybody’s', async () => {
  const statuses = async (options: Partial<ConcurrencyLimitOptions>): Promise<number> => {
    const limited = new Limited({ requestMaxCount: 1, queueMaxCount: 10, ...options });
    const all = Array.from({ length: 11 }, () => limited.send());
    await turn();
    assert.equal(limited.clock.timerCount, limited.counts[1], 'only who waits has a timer');
    return all.filter(({ outcome }) => outcome === 503).length;
  };
  assert.equal(await statuses({}), 0);
  assert.equal(await statuses({ tenant: 'client-ip' }), 5);
  assert.equal(await statuses({ tenant: 'client-ip', tenantQueueMaxCount: 2 }), 8);
});

test('the less important a request, the less of the queue it may fill; what has no class is not limited', async () => {
  const limited = new Limited({
    requestMaxCount: 1,
    queueMaxCount: 6,
    class: ({ path }) => (path === '/health' ? null : 'low'),
    classHeader: 'x-class',
    trustedProxies: ['127.0.0.1'],
  });
  const count = async (shedClass: string, address = '127.0.0.1'): Promise<number> => {
    const parts = { headers: { 'x-class': shedClass }, peer: { address } };
    const all = Array.from({ length: 8 }, () => limited.send(parts));
    await turn();
    return all.filter(({ outcome }) => outcome === null).length;
  };
  limited.send();
  assert.equal(await count('high', '192.0.2.1'), 2);
  assert.equal(await count('normal'), 2);
  assert.equal(await count('unheard of'), 0);
  assert.equal(await count('high'), 2);
  assert.ok(limited.send({}, '/health').outcome === null);
  assert.deepEqual(limited.counts, [1, 6]);
});

test('with CoDel the waits of a queue that stands are kept short; a burst is not refused', async () => {
  for (const [mode, servedCount] of [
    ['deadline', 6],
    ['paced', 6],
  ] as const) {
    const burst = new Limited({ requestMaxCount: 1, codel: { targetMs: 20, intervalMs: 100, mode } });
    const few = Array.from({ length: 6 }, () => burst.send());
    for (const sent of few) {
      burst.clock.advance(15);
      await sent.end();
    }
    assert.equal(few.filter(({ outcome }) => outcome === 200).length, servedCount, mode);
  }
  const waits = async (codel: ConcurrencyLimitOptions['codel']): Promise<[number, number]> => {
    const limited = new Limited({ requestMaxCount: 1, codel });
    const all: Sent[] = [];
    for (let step = 0; step < 400; step += 1) {
      all.push(limited.send());
      limited.clock.advance(5);
      await turn();
      // It serves half of what comes.
      if (step % 2 === 1) await all.find(({ running, outcome }) => running && outcome === null)?.end();
    }
    return [limited.counts[1], all.filter(({ outcome }) => outcome === 200).length];
  };
  const [standing, servedWithout] = await waits(null);
  const [short, servedWith] = await waits({ targetMs: 20, intervalMs: 100 });
  assert.ok(standing > 90, `${standing} wait without`);
  assert.ok(short < 15, `${short} wait with CoDel`);
  assert.ok(servedWith >= servedWithout - 2, 'and as many are served');
});

test('who need not wait shows CoDel that the queue does not stand', async () => {
  const limited = new Limited({ requestMaxCount: 1, codel: { targetMs: 20, intervalMs: 100 } });
  const [first, second] = [limited.send(), limited.send()];
  limited.clock.advance(50);
  await first.end();
  limited.clock.advance(10);
  await second.end();
  const direct = limited.send();
  const [waits] = [limited.send(), limited.send()];
  limited.clock.advance(100);
  await direct.end();
  assert.deepEqual([waits?.outcome, waits?.running], [null, true]);
});

test('each decision is an event, and each change of the limit', async () => {
  const heard: unknown[] = [];
  const stops = [
    onEvent('limit:admit', ({ layer, name, key, waitMs }) => heard.push(['admit', layer, name, key, waitMs])),
    onEvent('limit:refuse', ({ key, reason, retryAfterMs }) => heard.push(['refuse', key, reason, retryAfterMs])),
    onEvent('limit:change', ({ limitCount }) => heard.push(['change', limitCount])),
  ];
  const limited = new Limited({ name: 'api', requestMaxCount: 1, queueMaxCount: 2, tenant: 'client-ip' });
  const from = (host: number): Sent => limited.send({ peer: { address: `192.0.2.${host}` } });
  const [first, second] = [from(1), from(2)];
  from(2);
  limited.clock.advance(30);
  await first.end();
  await second.end();
  const adaptive = new Limited({ requestMaxCount: 100, adaptive: 'vegas', requestStartCount: 10 });
  for (let window = 0; window < 2; window += 1) {
    const all = Array.from({ length: 10 }, () => adaptive.send());
    adaptive.clock.advance(150);
    for (const sent of all) await sent.end();
  }
  for (const stop of stops) stop();
  assert.deepEqual(
    heard.filter((event) => !(Array.isArray(event) && event[2] === 'default')),
    [
      ['admit', 'concurrencyLimit', 'api', '192.0.2.1', 0],
      ['refuse', '192.0.2.2', 'queue-full', 1000],
      ['admit', 'concurrencyLimit', 'api', '192.0.2.2', 30],
      ['change', 16],
    ],
  );
  assert.equal(adaptive.limit.status().limitCount, 16);
});

test('wrong options are named, with those that mean nothing without another', () => {
  const wrong =
    (options: object): (() => unknown) =>
    () =>
      concurrencyLimit(options);
  assert.throws(wrong({ requestMaxCount: 0 }), /concurrencyLimit: requestMaxCount: 0 is not a whole number/);
  assert.throws(wrong({ adaptive: 'vega' }), /adaptive: "vega" is not one of vegas, gradient, did you mean vegas\?/);
  assert.throws(wrong({ adaptive: 'other' }), /adaptive: "other" is not one of vegas, gradient \(null turns it off\)/);
  assert.throws(
    wrong({ codel: { mode: 'pace' } }),
    /codel: mode: "pace" is not one of deadline, paced, did you mean paced\?$/,
  );
  assert.throws(wrong({ codel: { targetMS: 1 } }), /codel: targetMS: no such option, did you mean targetMs\?/);
  assert.throws(
    wrong({ requestMinCount: 3, probeIntervalMs: 1 }),
    /requestMinCount: means nothing without adaptive; probe/,
  );
  assert.throws(wrong({ queueMaxCount: null, codel: {} }), /codel: means nothing without queueMaxCount/);
  assert.throws(wrong({ tenantWeights: { a: 2 } }), /tenantWeights: means nothing without tenant/);
  assert.throws(
    wrong({ tenant: 'client-ip', tenantWeights: { a: 2, b: 0.5 } }),
    /tenantWeights: b: 0.5 is not a number, 1 or more/,
  );
  assert.throws(wrong({ class: 'lower' }), /class: "lower" is not one of low, normal, high/);
  assert.throws(wrong({ classHeader: 'x y' }), /classHeader: "x y" is not a field name/);
  assert.throws(wrong({ abandonMs: 0 }), /abandonMs: 0 is not milliseconds above 0 \(null turns it off\)/);
  assert.throws(wrong({ classHeader: 'x-class' }), /classHeader: means nothing without trustedProxies/);
  assert.throws(wrong({ tenant: { header: 'x-tenant' } }), /tenant: a header means nothing without trustedProxies/);
  assert.throws(wrong({ tenant: 'principal', tenantWeights: 5 }), /tenantWeights: 5 is not an object/);
  assert.throws(wrong({ codel: true, adaptive: true }), /codel: true is not an object.*; adaptive: true is not one of/);
});

test('an adaptive limit begins between its bounds; those that are not given give way', () => {
  const limitCount = (bounds: object): number => concurrencyLimit({ adaptive: 'vegas', ...bounds }).status().limitCount;
  assert.equal(limitCount({ requestMaxCount: 10 }), 10);
  assert.equal(limitCount({ requestMinCount: 50 }), 50);
  assert.equal(limitCount({ requestStartCount: 2 }), 2);
  for (const [bounds, message] of [
    [{ requestMinCount: 50, requestMaxCount: 10 }, /requestMinCount: 50 is above requestMaxCount, 10$/],
    [{ requestMinCount: 3, requestStartCount: 2 }, /requestMinCount: 3 is above requestStartCount, 2$/],
    [{ requestStartCount: 5000 }, /requestStartCount: 5000 is above requestMaxCount, 1000$/],
  ] as const) {
    assert.throws(() => limitCount(bounds), { name: 'TypeError', message });
  }
});
