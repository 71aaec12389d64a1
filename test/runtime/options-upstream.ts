import assert from 'node:assert/strict';
import { eventually, turns } from '../support/wire.ts';
import { type Check, get } from './assembled.ts';
import { BALANCE_CHECKS } from './options-balance.ts';
import { BREAKER_CHECKS } from './options-breaker.ts';
import { DISCOVER_CHECKS } from './options-discover.ts';
import { HEALTH_CHECKS } from './options-health.ts';
import { OUTLIER_CHECKS } from './options-outlier.ts';
import { RETRY_CHECKS } from './options-retry.ts';
import { UPSTREAM_TLS_CHECKS } from './options-upstream-tls.ts';

/** What each key of an upstream does. */
export const UPSTREAM_CHECKS: Readonly<Record<string, Check>> = {
  ...UPSTREAM_TLS_CHECKS,
  ...BALANCE_CHECKS,
  ...BREAKER_CHECKS,
  ...DISCOVER_CHECKS,
  ...HEALTH_CHECKS,
  ...OUTLIER_CHECKS,
  ...RETRY_CHECKS,

  'upstreams[].name': async (bench) => {
    const upstream = await bench.upstream();
    const upstreams = [{ name: 'other', endpoints: [upstream.url] }];
    await assert.rejects(
      bench.open({ upstreams, routes: [{ proxy: { upstream: 'api' } }] }),
      /no upstream named "api"/,
    );
    const assembled = await bench.open({ upstreams, routes: [{ proxy: { upstream: 'other' } }] });
    await assembled.send(get());
    await (await upstream.connection()).head();
  },

  'upstreams[].balance': async (bench) => {
    const both = [await bench.upstream(), await bench.upstream()];
    const endpoints = both.map(({ url }) => url);
    const assembled = await bench.open({ upstream: { endpoints, balance: 'round-robin' } });
    await assembled.send(get());
    await assembled.send(get());
    for (const upstream of both) await (await upstream.connection()).head();
    const unknown = JSON.parse('"fastest"'); // past the compiler, as a file would be
    await assert.rejects(bench.open({ upstream: { endpoints, balance: unknown } }), /balance.*round-robin/s);
  },

  'upstreams[].protocol': async (bench) => {
    const upstream = await bench.upstream();
    const assembled = await bench.open({ upstream: { endpoints: [upstream.url], protocol: 'http1' } });
    await assembled.send(get());
    await (await upstream.connection()).head();
    const multiplexed = await bench.open({ upstream: { endpoints: [upstream.url], protocol: 'h2' } });
    await multiplexed.send(get());
    assert.match(await (await upstream.connection()).take('SM\r\n\r\n'), /^PRI \* HTTP\/2\.0\r\n/);
  },

  'upstreams[].endpoints[]': async (bench) => {
    const both = [await bench.upstream(), await bench.upstream()];
    const assembled = await bench.open({ upstream: { endpoints: both.map(({ url }) => url) } });
    await assembled.send(get());
    await assembled.send(get());
    for (const upstream of both) await (await upstream.connection()).head();
  },

  'upstreams[].endpoints[].url': async (bench) => {
    const upstream = await bench.upstream();
    const assembled = await bench.open({ upstream: { endpoints: [{ url: upstream.url }] } });
    await assembled.send(get());
    await (await upstream.connection()).head();
  },

  'upstreams[].pool.connectionMaxCount': async (bench) => {
    const upstream = await bench.upstream();
    const assembled = await bench.open({ upstream: { endpoints: [upstream.url], pool: { connectionMaxCount: 1 } } });
    const first = await assembled.send(get('/1'));
    const connection = await upstream.connection();
    await connection.head();
    const second = await assembled.send(get('/2'));
    await eventually(() => assembled.server.status().requests.inFlight === 2);
    await turns(20);
    assert.equal(upstream.accepted.length, 1);
    connection.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    await first.response();
    assert.match(await connection.answer(), /^GET \/2 /);
    await second.response();
  },

  'upstreams[].pool.connectionTotalMaxCount': async (bench) => {
    const both = [await bench.upstream(), await bench.upstream()];
    const endpoints = both.map(({ url }) => url);
    const assembled = await bench.open({ upstream: { endpoints, pool: { connectionTotalMaxCount: 1 } } });
    await assembled.send(get());
    await assembled.send(get());
    await eventually(() => assembled.server.status().requests.inFlight === 2);
    await turns(20);
    assert.equal(
      both.reduce((sum, { accepted }) => sum + accepted.length, 0),
      1,
    );
  },

  // What it does is in test/upstream/multiplex.test.ts; a connection over a socket carries one request at a time.
  'upstreams[].pool.streamMaxCount': async (bench) => {
    const { url } = await bench.upstream();
    await bench.open({ upstream: { endpoints: [url], pool: { streamMaxCount: 1 } } });
    await assert.rejects(bench.open({ upstream: { endpoints: [url], pool: { streamMaxCount: 0 } } }), /1 or more/);
  },

  'upstreams[].pool.connectionMinCount': async (bench) => {
    const upstream = await bench.upstream();
    await bench.open({ upstream: { endpoints: [upstream.url], pool: { connectionMinCount: 2, idleTimeoutMs: 200 } } });
    await eventually(() => upstream.accepted.length >= 2);
  },

  'upstreams[].pool.ageMaxMs': async (bench) => {
    const upstream = await bench.upstream();
    const pool = { ageMaxMs: 30, idleTimeoutMs: 100 };
    const assembled = await bench.open({ upstream: { endpoints: [upstream.url], pool } });
    const wire = await assembled.send(get());
    const connection = await upstream.connection();
    await connection.head();
    const openedMs = performance.now();
    await eventually(() => performance.now() - openedMs > 120);
    connection.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    await wire.response();
    await connection.closed();
  },

  'upstreams[].pool.idleTimeoutMs': async (bench) => {
    const upstream = await bench.upstream();
    const assembled = await bench.open({ upstream: { endpoints: [upstream.url], pool: { idleTimeoutMs: 30 } } });
    const wire = await assembled.send(get());
    const connection = await upstream.connection();
    await connection.answer();
    await wire.response();
    await connection.closed();
  },

  'upstreams[].pool.queueMaxCount': async (bench) => {
    const upstream = await bench.upstream();
    const pool = { connectionMaxCount: 1, queueMaxCount: 1 };
    const assembled = await bench.open({ upstream: { endpoints: [upstream.url], pool } });
    await assembled.send(get());
    await (await upstream.connection()).head();
    await assembled.send(get());
    await eventually(() => assembled.server.status().requests.inFlight === 2);
    assert.equal((await assembled.get()).status, 503);
  },

  'upstreams[].pool.queueTimeoutMs': async (bench) => {
    const upstream = await bench.upstream();
    const pool = { connectionMaxCount: 1, queueTimeoutMs: 30 };
    const assembled = await bench.open({ upstream: { endpoints: [upstream.url], pool } });
    await assembled.send(get());
    await (await upstream.connection()).head();
    assert.equal((await assembled.get()).status, 503);
  },

  'upstreams[].timeouts.connectMs': async (bench) => {
    const url = await bench.fullUpstream();
    const assembled = await bench.open({ upstream: { endpoints: [url], timeouts: { connectMs: 30 } } });
    const { status, body } = await assembled.get();
    assert.deepEqual([status, body], [504, 'The upstream could not be reached in time.\n']);
  },

  'upstreams[].timeouts.totalMs': async (bench) => {
    const upstream = await bench.upstream();
    const timeouts = { totalMs: 60, headMs: 100 };
    const assembled = await bench.open({ upstream: { endpoints: [upstream.url], timeouts } });
    const response = await assembled.get();
    assert.deepEqual([response.status, /no time left/.test(response.body)], [504, true]);
  },

  'upstreams[].timeouts.deadlineHeader': async (bench) => {
    const upstream = await bench.upstream();
    const timeouts = { totalMs: 60_000, deadlineHeader: 'x-request-timeout-ms' };
    const assembled = await bench.open({ upstream: { endpoints: [upstream.url], timeouts } });
    await assembled.send(get());
    assert.match(await (await upstream.connection()).head(), /\r\nx-request-timeout-ms: (60000|5\d{4})\r\n/);
  },

  'upstreams[].timeouts.deadlineTrusted': async (bench) => {
    const upstream = await bench.upstream();
    const timeouts = { totalMs: 60_000, deadlineHeader: 'x-left', deadlineTrusted: true };
    const assembled = await bench.open({ upstream: { endpoints: [upstream.url], timeouts } });
    await assembled.send(get('/', 'host: a\r\nx-left: 30000\r\n'));
    assert.match(await (await upstream.connection()).head(), /\r\nx-left: (30000|2\d{4})\r\n/);
  },

  'upstreams[].timeouts.headMs': async (bench) => {
    const upstream = await bench.upstream();
    const assembled = await bench.open({ upstream: { endpoints: [upstream.url], timeouts: { headMs: 40 } } });
    assert.equal((await assembled.get()).status, 504);
  },

  'upstreams[].timeouts.idleMs': async (bench) => {
    const upstream = await bench.upstream();
    const assembled = await bench.open({ upstream: { endpoints: [upstream.url], timeouts: { idleMs: 40 } } });
    const wire = await assembled.send(get());
    const connection = await upstream.connection();
    await connection.head();
    connection.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf');
    assert.match(await wire.rest(), /half$/);
  },
};
