import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { onEvent } from '../../../src/core/events.ts';
import { Failure } from '../../../src/core/failure.ts';
import { HeaderFields } from '../../../src/core/headers.ts';
import type { HttpResponse } from '../../../src/core/message.ts';
import type { HttpRequest } from '../../../src/core/request.ts';
import { KeyedRate } from '../../../src/policy/rate/keyed-rate.ts';
import { type RateLimitOptions, rateLimit } from '../../../src/web/layers/rate-limit.ts';
import { reply } from '../../../src/web/reply.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { arrivingBody, FakeExchange, makeRequest } from '../../support/request.ts';

const ONE = { requestsPerSec: 1, burstCount: 1 } as const;

/** A handler behind a limit whose time stands still. */
function limited(options: Partial<RateLimitOptions>) {
  const clock = new ManualClock();
  const handler = rateLimit({ clock, keyMaxCount: 100, ...options })(() => reply.text('hi'));
  const ask = (request: HttpRequest = makeRequest('GET', '/')): HttpResponse => {
    const answer = handler(request);
    assert.ok(!(answer instanceof Promise), 'what need not wait is answered at once');
    return answer;
  };
  return { clock, handler, ask };
}

const from = (address: string): HttpRequest => makeRequest('GET', '/', { peer: { address } });
const field = (response: HttpResponse, name: string): string | null => HeaderFields.from(response.headers).get(name);

test('over the rate is 429 with retry-after and the RateLimit fields, which admitted answers have too (RFC 6585 §4)', () => {
  const { clock, ask } = limited({ requestsPerSec: 0.1, burstCount: 2, name: 'api' });
  const admitted = ask();
  assert.equal(admitted.status, 200);
  assert.equal(field(admitted, 'content-type'), 'text/plain; charset=utf-8');
  assert.equal(field(admitted, 'ratelimit-policy'), '"api";q=2;w=20');
  assert.equal(field(admitted, 'ratelimit'), '"api";r=1;t=10');
  assert.equal(field(admitted, 'retry-after'), null);
  assert.equal(ask().status, 200);
  const refused = ask();
  assert.deepEqual([refused.status, refused.body], [429, 'Too many requests (RFC 6585 §4).\n']);
  assert.equal(field(refused, 'retry-after'), '10');
  assert.equal(field(refused, 'ratelimit-policy'), '"api";q=2;w=20');
  assert.equal(field(refused, 'ratelimit'), '"api";r=0;t=10');
  clock.advance(9999);
  assert.equal(ask().status, 429);
  clock.advance(1);
  assert.equal(ask().status, 200);
  assert.equal(clock.timerCount, 0);
});

test('without `headers` the answer is the very one that the handler gave', () => {
  const { ask } = limited({ ...ONE, headers: false });
  assert.equal(field(ask(), 'ratelimit'), null);
  const refused = ask();
  assert.deepEqual([refused.status, field(refused, 'ratelimit'), field(refused, 'retry-after')], [429, null, '1']);
});

test('the fields of several limits stand side by side', async () => {
  const clock = new ManualClock();
  const inner = rateLimit({ ...ONE, clock, name: 'inner' })(async () => reply.text('hi'));
  const response = await rateLimit({ ...ONE, clock, name: 'outer' })(inner)(makeRequest('GET', '/'));
  assert.equal(field(response, 'ratelimit'), '"inner";r=0;t=1, "outer";r=0;t=1');
});

test('clients are told apart by address: IPv6 by its prefix, IPv4 in IPv6 as what it is', () => {
  const { ask } = limited(ONE);
  assert.equal(ask(from('192.0.2.1')).status, 200);
  assert.equal(ask(from('::ffff:192.0.2.1')).status, 429);
  assert.equal(ask(from('192.0.2.2')).status, 200);
  assert.equal(ask(from('2001:db8::1')).status, 200);
  assert.equal(ask(from('2001:db8::ffff')).status, 429);
  assert.equal(ask(from('2001:db8:0:1::1')).status, 200);
  const wide = limited({ ...ONE, ipv6PrefixLength: 48 });
  assert.equal(wide.ask(from('2001:db8::1')).status, 200);
  assert.equal(wide.ask(from('2001:db8:0:1::1')).status, 429);
});

test('behind trusted proxies the client is who they say, and nobody else can say so', () => {
  const { ask } = limited({ ...ONE, trustedProxies: ['10.0.0.0/8'] });
  const through = (peer: string, address: string): number =>
    ask(makeRequest('GET', '/', { peer: { address: peer }, headers: { 'x-forwarded-for': address } })).status;
  assert.equal(through('10.0.0.1', '192.0.2.1'), 200);
  assert.equal(through('10.0.0.2', '192.0.2.1'), 429);
  assert.equal(through('10.0.0.1', '192.0.2.2'), 200);
  assert.equal(through('192.0.2.9', '192.0.2.3'), 200);
  assert.equal(through('192.0.2.9', '192.0.2.4'), 429);
});

test('requests are told apart by a field, a path, a principal, a function, or not at all', () => {
  const statuses = (options: Partial<RateLimitOptions>, requests: readonly HttpRequest[]): number[] => {
    const { ask } = limited({ ...ONE, ...options });
    return requests.map((request) => ask(request).status);
  };
  const keyed = (key?: string): HttpRequest =>
    makeRequest('GET', '/', { headers: key === undefined ? {} : { 'x-key': key } });
  assert.deepEqual(
    statuses({ key: { header: 'x-key' } }, [keyed('a'), keyed('b'), keyed('a'), keyed(), keyed('')]),
    [200, 200, 429, 200, 200],
  );
  const at = (path: string): HttpRequest => makeRequest('GET', path);
  assert.deepEqual(statuses({ key: 'path' }, [at('/a'), at('/b'), at('/./a?x'), at('/%61')]), [200, 200, 429, 429]);
  assert.deepEqual(statuses({ key: 'route' }, [from('192.0.2.1'), from('192.0.2.2')]), [200, 429]);
  const key = ({ path }: HttpRequest): string | null => (path === '/health' ? null : 'all');
  assert.deepEqual(statuses({ key }, [at('/health'), at('/health'), at('/'), at('/')]), [200, 200, 200, 429]);

  const who = (principal: unknown, address: string): HttpRequest =>
    Object.assign(from(address), { state: { principal } });
  const certified = (subject: string, verified: boolean): HttpRequest =>
    makeRequest('GET', '/', {
      peer: { certificate: { subject, issuer: 'CN=ca', subjectAltNames: ['DNS:a'], fingerprint256: '', verified } },
    });
  assert.deepEqual(
    statuses({ key: 'principal' }, [
      who('ann', '192.0.2.1'),
      who('ann', '192.0.2.2'),
      who('bob', '192.0.2.1'),
      who('192.0.2.3', '192.0.2.4'),
      who(undefined, '192.0.2.3'),
      who(7, '192.0.2.3'),
      certified('CN=ann', true),
      certified('CN=ann', true),
      certified('CN=bob', true),
      certified('CN=bob', false),
      certified('CN=eve', false),
    ]),
    [200, 429, 200, 200, 200, 429, 200, 429, 200, 200, 429],
  );
});

test('one layer around several handlers counts them together, and two layers do not', () => {
  const clock = new ManualClock();
  const shared = rateLimit({ ...ONE, clock });
  const [one, two] = [shared(() => reply.text('one')), shared(() => reply.text('two'))];
  const status = (answer: ReturnType<typeof one>): unknown => (answer instanceof Promise ? 'waits' : answer.status);
  assert.deepEqual([status(one(from('192.0.2.1'))), status(two(from('192.0.2.1')))], [200, 429]);
  assert.equal(status(rateLimit({ ...ONE, clock })(() => reply.text('x'))(from('192.0.2.1'))), 200);
});

test('a body that is over the limit is not read, and one that is not is read before the handler', async () => {
  const clock = new ManualClock();
  const handler = rateLimit({ ...ONE, clock })(async (request) => reply.text(await request.text()));
  assert.equal(handler.bodyMode, 'manual');
  const body = arrivingBody(5);
  const answer = handler(makeRequest('POST', '/', { body }));
  body.push(Buffer.from('hello'));
  body.finish(null);
  assert.equal((await answer).body, 'hello');
  const unread = arrivingBody(5);
  assert.equal((await handler(makeRequest('POST', '/', { body: unread }))).status, 429);
  assert.equal(unread.used, false);
});

test('in a leaky bucket requests wait for their turn; one too many is refused', async () => {
  const { clock, handler } = limited({ algorithm: 'leaky-bucket', requestsPerSec: 10, queueMaxCount: 2 });
  const order: number[] = [];
  const ask = async (index: number): Promise<void> => {
    const { status } = await handler(makeRequest('GET', '/'));
    order.push(status === 200 ? index : -index);
  };
  const all = [ask(1), ask(2), ask(3), ask(4)];
  await turn();
  assert.deepEqual(order, [1, -4]);
  assert.equal(clock.timerCount, 2);
  clock.advance(100);
  await turn();
  assert.deepEqual(order, [1, -4, 2]);
  clock.advance(100);
  await Promise.all(all);
  assert.deepEqual(order, [1, -4, 2, 3]);
  assert.equal(clock.timerCount, 0);
});

test('who waits and leaves is forgotten, and its handler is not called', async () => {
  let callCount = 0;
  const clock = new ManualClock();
  const handler = rateLimit({ clock, algorithm: 'leaky-bucket', requestsPerSec: 10, queueMaxCount: 9 })(() => {
    callCount += 1;
    return reply.text('hi');
  });
  void handler(makeRequest('GET', '/'));
  const exchange = new FakeExchange();
  const waiting = handler(makeRequest('GET', '/', { exchange }));
  exchange.abort(new Failure('client-gone'));
  await assert.rejects(Promise.resolve(waiting), (error) => error instanceof Failure && error.code === 'client-gone');
  assert.deepEqual([clock.timerCount, callCount], [0, 1]);
});

test('another store decides, at once or later, and what it throws is what the request ends with', async () => {
  const asked: [string, number][] = [];
  const memories: KeyedRate[] = [];
  const clock = new ManualClock();
  const layer = rateLimit({
    ...ONE,
    clock,
    key: 'route',
    store: (limit) => {
      const memory = new KeyedRate(limit, Math.random, { keyMaxCount: 1 });
      memories.push(memory);
      return {
        async admit(key, nowMs) {
          asked.push([key, nowMs]);
          await Promise.resolve();
          if (asked.length > 2) throw new Error('unreachable');
          return { ...memory.admit(key, nowMs) };
        },
      };
    },
  });
  const handler = layer(() => reply.text('hi'));
  assert.equal((await handler(makeRequest('GET', '/'))).status, 200);
  assert.equal((await handler(makeRequest('GET', '/'))).status, 429);
  await assert.rejects(Promise.resolve(handler(makeRequest('GET', '/'))), /unreachable/);
  assert.deepEqual([asked.length, asked[0], memories.length], [3, ['', 0], 1]);
});

test('who leaves while a store decides is not served', async () => {
  const decided = Promise.withResolvers<void>();
  const layer = rateLimit({
    store: (limit) => {
      const memory = new KeyedRate(limit, Math.random, { keyMaxCount: 1 });
      return { admit: (key, nowMs) => decided.promise.then(() => memory.admit(key, nowMs)) };
    },
  });
  let callCount = 0;
  const handler = layer(() => {
    callCount += 1;
    return { status: 200 };
  });
  const exchange = new FakeExchange();
  const left = handler(makeRequest('GET', '/', { exchange }));
  const stays = handler(makeRequest('GET', '/'));
  exchange.abort(new Failure('client-gone'));
  decided.resolve();
  await assert.rejects(Promise.resolve(left), (error) => error instanceof Failure && error.code === 'client-gone');
  assert.deepEqual([(await stays).status, callCount], [200, 1]);
});

test('each decision is an event', async () => {
  const { clock, handler, ask } = limited({ ...ONE, name: 'api' });
  const heard: unknown[] = [];
  const stops = [
    onEvent('limit:admit', (event) => heard.push(['admit', event])),
    onEvent('limit:refuse', (event) => heard.push(['refuse', event])),
  ];
  ask(from('192.0.2.1'));
  ask(from('192.0.2.1'));
  for (const stop of stops) stop();
  ask(from('192.0.2.1'));
  const said = { layer: 'rateLimit', name: 'api', requestId: 'request-1', key: '192.0.2.1' };
  assert.deepEqual(heard, [
    ['admit', { ...said, waitMs: 0 }],
    ['refuse', { ...said, reason: 'rate', retryAfterMs: 1000 }],
  ]);
  clock.advance(1000);
  await handler(makeRequest('GET', '/'));
});

test('whatever comes when, nobody gets more than burst + rate × time through any of the algorithms', () => {
  const algorithms: readonly Partial<RateLimitOptions>[] = [
    { algorithm: 'token-bucket', requestsPerSec: 7, burstCount: 3 },
    { algorithm: 'gcra', requestsPerSec: 7, burstCount: 3 },
    { algorithm: 'sliding-window', requestMaxCount: 3, windowMs: 500 },
  ];
  const arrival = fc.record({ afterMs: fc.integer({ min: 0, max: 400 }), client: fc.nat(2) });
  fc.assert(
    fc.property(fc.constantFrom(...algorithms), fc.array(arrival, { maxLength: 120 }), (options, arrivals) => {
      const { clock, ask } = limited({ ...options, headers: false });
      const admittedMs: number[][] = [[], [], []];
      for (const { afterMs, client } of arrivals) {
        clock.advance(afterMs);
        if (ask(from(`192.0.2.${client}`)).status === 200) admittedMs[client]?.push(clock.now());
      }
      for (const times of admittedMs)
        times.forEach((untilMs, last) => {
          times.slice(0, last + 1).forEach((fromMs, first) => {
            assert.ok(last - first + 1 <= 3 + ((untilMs - fromMs) / 1000) * 7 + 1e-9);
          });
        });
      assert.equal(clock.timerCount, 0);
    }),
  );
});

test('wrong options are named, with those that belong to another algorithm', () => {
  const wrong =
    (options: object): (() => unknown) =>
    () =>
      rateLimit(options);
  assert.throws(wrong({ requestPerSec: 1 }), /rateLimit: requestPerSec: no such option, did you mean requestsPerSec\?/);
  assert.throws(
    wrong({ algorithm: 'token-buket' }),
    /algorithm: "token-buket" is not one of .*, did you mean token-bucket\?/,
  );
  assert.throws(
    wrong({ algorithm: 'x' }),
    /algorithm: "x" is not one of token-bucket, gcra, leaky-bucket, sliding-window$/,
  );
  assert.throws(
    wrong({ algorithm: 'sliding-window', burstCount: 1, requestsPerSec: 5 }),
    /requestsPerSec: not an option of sliding-window, which has requestMaxCount and windowMs; burstCount: not an option/,
  );
  assert.throws(
    wrong({ key: 'client' }),
    /key: "client" is not one of client-ip, principal, path, route, \{ header \}/,
  );
  assert.throws(wrong({ key: { header: 'x y' } }), /"x y" is not a field name/);
  assert.throws(wrong({ ipv6PrefixLength: 129 }), /ipv6PrefixLength: 129 is not a whole number from 0 to 128/);
  assert.throws(wrong({ trustedProxies: ['10.0.0.300'] }), /10\.0\.0\.300/);
  assert.throws(wrong({ trustedProxies: '10.0.0.0/8' }), /trustedProxies: "10.0.0.0\/8" is not a list of addresses/);
  assert.throws(wrong({ key: null }), /key: cannot be turned off, give one of client-ip/);
  assert.throws(wrong({ key: {} }), /key: header: give a field name/);
  assert.throws(wrong({ key: { heder: 'x' } }), /key: heder: no such option, did you mean header\?$/);
  assert.throws(wrong({ key: '{ header }' }), /key: "\{ header \}" is not one of/);
  assert.throws(wrong({ store: 5 }), /store: 5 is not a function/);
  assert.throws(wrong({ clock: {} }), /clock: \{\} is not an object with now, wallMs, after, every/);
  assert.throws(wrong({ keyMaxCount: 1e11 }), /keyMaxCount: 100000000000 is not a whole number from 1 to 100000000/);
  assert.throws(() => Reflect.apply(rateLimit, null, [null]), /^TypeError: rateLimit: null is not an object$/);
  assert.throws(
    wrong({ requestsPerSec: -1, burstCount: 0, algorithm: 'foo', key: 'bar', headers: 'no', trustedProxies: ['x'] }),
    /requestsPerSec: .*; burstCount: .*; algorithm: .*; key: .*; headers: "no" is not true or false; trustedProxies: "x"/,
  );
  assert.throws(wrong({ name: 'ü' }), /name: "ü" is not printable ASCII/);
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
