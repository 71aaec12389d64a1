import assert from 'node:assert/strict';
import type { ConfigInput } from '../../src/runtime/schema.ts';
import { eventually, turns } from '../support/wire.ts';
import { type Bench, type Check, get, post } from './assembled.ts';

type ProxyInput = NonNullable<ConfigInput['routes'][number]['proxy']>;
type Match = NonNullable<ConfigInput['routes'][number]['match']>;

/** Two routes: the first is narrowed by `match`, the second takes the rest. */
const narrowed = (bench: Bench, match: Match) =>
  bench.open({
    listeners: [{ name: 'second', bind: '127.0.0.1:0' }],
    routes: [{ match, respond: { body: 'first' } }, { respond: { body: 'rest' } }],
  });

/** The head that an upstream gets through a proxy with these options. */
async function passedHead(bench: Bench, options: Partial<ProxyInput>, request = get()): Promise<string> {
  const upstream = await bench.upstream();
  const assembled = await bench.open({
    upstream: { endpoints: [upstream.url] },
    route: { proxy: { upstream: 'api', ...options } },
  });
  await assembled.send(request);
  return (await upstream.connection()).head();
}

/** A connection that has switched protocols through a proxy with these options. */
async function switched(bench: Bench, options: Partial<ProxyInput>) {
  const upstream = await bench.upstream();
  const assembled = await bench.open({
    upstream: { endpoints: [upstream.url] },
    route: { proxy: { upstream: 'api', upgrade: ['websocket'], ...options } },
  });
  const wire = await assembled.send(get('/', 'host: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n'));
  const server = await upstream.connection();
  await server.head();
  server.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
  assert.equal((await wire.response()).status, 101);
  return { wire, assembled };
}

/** What each key of a route does. */
export const ROUTE_CHECKS: Readonly<Record<string, Check>> = {
  'routes[].match.listener': async (bench) => {
    const assembled = await narrowed(bench, { listener: 'second' });
    assert.equal((await assembled.get('/', '', 0)).body, 'rest');
    assert.equal((await assembled.get('/', '', 1)).body, 'first');
  },

  'routes[].match.host': async (bench) => {
    const assembled = await narrowed(bench, { host: '*.example.com' });
    assert.equal((await assembled.get('/', 'host: a.example.com:80\r\n')).body, 'first');
    assert.equal((await assembled.get('/', 'host: example.com\r\n')).body, 'rest');
  },

  'routes[].match.path': async (bench) => {
    const assembled = await narrowed(bench, { path: '/api/*' });
    assert.equal((await assembled.get('/api/x?y')).body, 'first');
    assert.equal((await assembled.get('/apis')).body, 'rest');
  },

  'routes[].match.methods': async (bench) => {
    const assembled = await narrowed(bench, { methods: ['POST'] });
    assert.equal((await (await assembled.send(post('x'))).response()).body, 'first');
    assert.equal((await assembled.get()).body, 'rest');
  },

  'routes[].body': async (bench) => {
    for (const [body, status] of [
      ['auto', 413],
      ['manual', 200],
    ] as const) {
      const assembled = await bench.open({ limits: { bodyMaxBytes: 3 }, route: { body } });
      assert.equal((await (await assembled.send(post('four'))).response()).status, status);
    }
  },

  'routes[].respond.status': async (bench) => {
    const assembled = await bench.open({ route: { respond: { status: 418 } } });
    assert.equal((await assembled.get()).status, 418);
  },

  'routes[].respond.headers': async (bench) => {
    const headers = { 'x-one': 'a', 'x-two': ['b', 'c'] };
    const response = await (await bench.open({ route: { respond: { headers } } })).get();
    assert.deepEqual([response.all('x-one'), response.all('x-two')], [['a'], ['b', 'c']]);
  },

  'routes[].respond.body': async (bench) => {
    const response = await (await bench.open({ route: { respond: { body: 'this' } } })).get();
    assert.deepEqual([response.body, response.get('content-type')], ['this', 'text/plain; charset=utf-8']);
  },

  'routes[].redirect.status': async (bench) => {
    for (const status of [301, 302, 303, 307, 308] as const) {
      const assembled = await bench.open({ routes: [{ redirect: { status, location: '/' } }] });
      assert.equal((await assembled.get()).status, status);
    }
  },

  'routes[].redirect.location': async (bench) => {
    const located = async (location: string, target: string): Promise<string | null> =>
      (await (await bench.open({ routes: [{ redirect: { location } }] })).get(target, 'host: here:81\r\n')).get(
        'location',
      );
    assert.equal(await located('https://example.com/', '/x?y'), 'https://example.com/');
    assert.equal(await located('https://example.com{uri}', '/x?y'), 'https://example.com/x?y');
    assert.equal(await located('https://{host}{path}#top', '/x?y'), 'https://here:81/x#top');
    assert.equal(await located('{uri}', '//elsewhere.example/'), '/elsewhere.example/', 'never another host');
  },

  'routes[].proxy.upstream': async (bench) => {
    const [one, two] = [await bench.upstream(), await bench.upstream()];
    const assembled = await bench.open({
      upstreams: [
        { name: 'one', endpoints: [one.url] },
        { name: 'two', endpoints: [two.url] },
      ],
      routes: [{ match: { path: '/two' }, proxy: { upstream: 'two' } }, { proxy: { upstream: 'one' } }],
    });
    await assembled.send(get('/two'));
    assert.match(await (await two.connection()).head(), /^GET \/two /);
    assert.equal(one.accepted.length, 0);
  },

  'routes[].proxy.trustedProxies': async (bench) => {
    const request = get('/', 'host: a\r\nx-forwarded-for: 203.0.113.9\r\n');
    assert.match(await passedHead(bench, {}, request), /^x-forwarded-for: 127\.0\.0\.1\r$/m);
    const trusting = await passedHead(bench, { trustedProxies: ['127.0.0.0/8'] }, request);
    assert.match(trusting, /^x-forwarded-for: 203\.0\.113\.9, 127\.0\.0\.1\r$/m);
  },

  'routes[].proxy.forwarded': async (bench) => {
    const head = await passedHead(bench, { forwarded: 'forwarded' });
    assert.match(head, /^forwarded: for=127\.0\.0\.1/m);
    assert.doesNotMatch(head, /^x-forwarded-for/m);
  },

  'routes[].proxy.host': async (bench) => {
    assert.match(await passedHead(bench, {}), /^host: a\r$/m);
    assert.match(await passedHead(bench, { host: 'upstream' }), /^host: 127\.0\.0\.1:\d+\r$/m);
  },

  'routes[].proxy.host.value': async (bench) => {
    assert.match(await passedHead(bench, { host: { value: 'inner.example' } }), /^host: inner\.example\r$/m);
  },

  'routes[].proxy.via': async (bench) => {
    assert.match(await passedHead(bench, { via: 'edge-1' }), /^via: 1\.1 edge-1\r$/m);
    assert.doesNotMatch(await passedHead(bench, { via: null }), /^via/m);
  },

  'routes[].proxy.stripPrefix': async (bench) => {
    assert.match(await passedHead(bench, { stripPrefix: '/api' }, get('/api/x?y')), /^GET \/x\?y /);
  },

  'routes[].proxy.gatherMaxBytes': async (bench) => {
    assert.match(await passedHead(bench, { gatherMaxBytes: 0 }, post('four', 2)), /^POST/);
    const upstream = await bench.upstream();
    const assembled = await bench.open({ upstream: { endpoints: [upstream.url] } });
    const wire = await assembled.send(post('four', 2));
    await eventually(() => assembled.server.status().requests.inFlight === 1);
    await turns(20);
    assert.equal(upstream.accepted.length, 0);
    wire.write('ur');
    assert.match(await (await upstream.connection()).head(), /^POST/);
  },

  'routes[].proxy.upgrade': async (bench) => {
    const request = get('/', 'host: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n');
    assert.match(await passedHead(bench, { upgrade: ['websocket'] }, request), /^upgrade: websocket\r$/m);
    const assembled = await bench.open({
      upstream: { endpoints: ['http://127.0.0.1:1'] },
      route: { proxy: { upstream: 'api' } },
    });
    assert.equal((await (await assembled.send(request)).response()).status, 501);
  },

  'routes[].proxy.tunnelIdleTimeoutMs': async (bench) => {
    const { wire } = await switched(bench, { tunnelIdleTimeoutMs: 20 });
    await wire.closed();
  },

  'routes[].proxy.drainClose': async (bench) => {
    const { wire, assembled } = await switched(bench, { drainClose: true });
    void assembled.server.drain({ quietMs: 0 });
    assert.equal(await wire.until('\xe9'), '\x88\x02\x03\xe9');
  },
};
