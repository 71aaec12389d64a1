import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEvent } from '../../../src/core/events.ts';
import { HeaderFields } from '../../../src/core/headers.ts';
import type { HttpResponse } from '../../../src/core/message.ts';
import type { HttpRequest } from '../../../src/core/request.ts';
import { type LoadSheddingOptions, loadShedding } from '../../../src/web/layers/load-shedding.ts';
import { reply } from '../../../src/web/reply.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { arrivingBody, makeRequest, type RequestParts } from '../../support/request.ts';

/** A clock whose timers run late: as on a processor that cannot keep up. */
class BusyClock extends ManualClock {
  lateMs = 0;

  override now(): number {
    return super.now() + this.lateMs;
  }

  /** Each timer of the next second runs so much later than it should. */
  busy(delayMs: number): void {
    for (let passedMs = 0; passedMs < 5000; passedMs += 50) {
      this.advance(50);
      this.lateMs += delayMs;
    }
  }
}

function shedding(options: Partial<LoadSheddingOptions>) {
  const clock = new BusyClock();
  const layer = loadShedding({ clock, ...options });
  const handler = layer(() => reply.text('hi'));
  const ask = (parts: RequestParts = {}, path = '/'): HttpResponse => {
    const answer = handler(makeRequest('GET', path, parts));
    assert.ok(!(answer instanceof Promise));
    return answer;
  };
  return { clock, layer, handler, ask };
}

/** How many of a hundred clients are served. */
function servedCount(ask: (parts: RequestParts) => HttpResponse, headers = {}): number {
  const clients = Array.from({ length: 100 }, (_, index) => ({ peer: { address: `192.0.2.${index}` }, headers }));
  return clients.filter((parts) => ask(parts).status === 200).length;
}

test('while the event loop keeps up nothing is refused, and a request costs no look at the clock', () => {
  const { clock, layer, ask } = shedding({ class: 'low' });
  clock.busy(40);
  assert.equal(layer.status().pressureRatio, 0);
  assert.equal(servedCount(ask), 100);
});

test('when it does not, the classes are refused in order, and 503 says when to come again', () => {
  const options = {
    delayMinMs: 100,
    delayMaxMs: 400,
    class: ({ path }: HttpRequest) => (path === '/health' ? null : 'low'),
  } as const;
  const { clock, layer, ask } = shedding({ ...options, classHeader: 'x-class', trustedProxies: ['192.0.2.0/24'] });
  clock.busy(250);
  assert.ok(Math.abs(layer.status().pressureRatio - 0.5) < 0.01);
  assert.equal(servedCount(ask), 0);
  const normalCount = servedCount(ask, { 'x-class': 'normal' });
  assert.ok(normalCount > 25 && normalCount < 75, `${normalCount}`);
  assert.equal(servedCount(ask, { 'x-class': 'high' }), 100);
  assert.equal(
    ask({ headers: { 'x-class': 'high' }, peer: { address: '198.51.100.1' } }).status,
    503,
    'anybody’s word',
  );
  clock.busy(1000);
  assert.equal(layer.status().pressureRatio, 1);
  assert.equal(servedCount(ask, { 'x-class': 'high' }), 0);
  assert.equal(ask({}, '/health').status, 200);
  const refused = ask();
  assert.deepEqual(
    [refused.status, refused.body, HeaderFields.from(refused.headers).get('retry-after')],
    [503, 'The server has too much to do.\n', '1'],
  );
  clock.busy(0);
  assert.equal(layer.status().pressureRatio, 0);
  assert.equal(servedCount(ask), 100);
});

test('a client is refused or served as a whole, for a period', () => {
  const { clock, ask } = shedding({ delayMinMs: 100, delayMaxMs: 400, class: 'normal', periodMs: 60_000 });
  clock.busy(250);
  const served = (): boolean[] =>
    Array.from({ length: 50 }, (_, index) => ask({ peer: { address: `192.0.2.${index}` } }).status === 200);
  const first = served();
  assert.deepEqual(served(), first);
  clock.busy(250);
  clock.busy(250);
  clock.busy(250);
  assert.notDeepEqual(served(), first);
});

test('layers with the same options share one pressure, also those of a later configuration', () => {
  const clock = new BusyClock();
  const one = loadShedding({ clock });
  clock.busy(600);
  assert.equal(loadShedding({ clock }).status().pressureRatio, one.status().pressureRatio);
  assert.equal(loadShedding({ clock, delayMinMs: 49 }).status().pressureRatio, 0);
  assert.equal(clock.timerCount, 1);
});

test('a refusal is an event, and reads no body', async () => {
  const { clock, handler } = shedding({ name: 'edge', class: 'high' });
  clock.busy(1000);
  const heard: unknown[] = [];
  const stop = onEvent('limit:refuse', (event) => heard.push(event));
  const body = arrivingBody(5);
  assert.equal((await handler(makeRequest('POST', '/', { body }))).status, 503);
  stop();
  assert.equal(body.used, false);
  const [layer, requestId, key, reason] = ['loadShedding', 'request-1', 'high', 'shed'];
  assert.deepEqual(heard, [{ layer, name: 'edge', requestId, key, reason, retryAfterMs: 1000 }]);
});

test('wrong options are named', () => {
  const wrong =
    (options: object): (() => unknown) =>
    () =>
      loadShedding(options);
  assert.throws(wrong({ delayMinMS: 1 }), /loadShedding: delayMinMS: no such option, did you mean delayMinMs\?/);
  assert.throws(wrong({ delayMinMs: 600 }), /loadShedding: delayMinMs: 600 is not less than delayMaxMs, 500$/);
  assert.throws(wrong({ class: 'middle' }), /class: "middle" is not one of low, normal, high \(null/);
  assert.throws(wrong({ class: 5 }), /class: 5 is not one of/);
  assert.throws(wrong({ classHeader: 'x-class' }), /classHeader: means nothing without trustedProxies/);
  assert.throws(wrong({ delayMinMs: 500, delayMaxMs: 100, periodMs: 0 }), {
    message: 'loadShedding: periodMs: 0 is not milliseconds above 0; delayMinMs: 500 is not less than delayMaxMs, 100',
  });
});
