import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { eventually, turns } from '../support/wire.ts';
import type { Answering } from '../upstream/answering.ts';
import { type Assembled, type Bench, type Check, get, type Parts } from './assembled.ts';

type Retrying = NonNullable<NonNullable<Parts['upstream']>['retry']>;

interface Failing {
  readonly assembled: Assembled;
  readonly server: Answering;
}

/** One server, which answers 503. */
async function failing(bench: Bench, retry: Retrying, fields: Readonly<Record<string, string>> = {}): Promise<Failing> {
  const [server] = await bench.answering(1);
  server.instead = (_request, response) => response.writeHead(503, fields).end();
  return {
    assembled: await bench.open({ upstream: { endpoints: [server.url], retry: { backoffMs: 0, ...retry } } }),
    server,
  };
}

/** Attempts for so many requests, one after another. */
async function attempts({ assembled, server }: Failing, requestCount = 1): Promise<number> {
  for (let index = 0; index < requestCount; index += 1) assert.equal((await assembled.get()).status, 503);
  return server.hitCount;
}

/** Whether it waits before it tries once more. */
async function pauses({ assembled, server }: Failing): Promise<boolean> {
  const wire = await assembled.send(get());
  await eventually(() => server.hitCount === 1);
  await turns(50);
  return wire.receivedBytes === 0 && server.hitCount === 1;
}

const LONG_MS = 3_600_000;

export const RETRY_CHECKS: Readonly<Record<string, Check>> = {
  'upstreams[].retry.attemptMaxCount': async (bench) => {
    assert.equal(await attempts(await failing(bench, {})), 3);
    assert.equal(await attempts(await failing(bench, { attemptMaxCount: 2 })), 2);
  },

  'upstreams[].retry.on': async (bench) => {
    assert.equal(await attempts(await failing(bench, { on: [503] })), 3);
    assert.equal(await attempts(await failing(bench, { on: ['connect', 502] })), 1);
  },

  'upstreams[].retry.perTryTimeoutMs': async (bench) => {
    const [stuck, other] = await bench.answering(2);
    stuck.instead = () => undefined;
    const endpoints = [stuck.url, other?.url ?? ''];
    const assembled = await bench.open({ upstream: { endpoints, retry: { perTryTimeoutMs: 20 } } });
    assert.equal((await assembled.get()).status, 200);
    assert.equal(stuck.hitCount, 1);
  },

  'upstreams[].retry.hedgeAfterMs': async (bench) => {
    const [stuck, other] = await bench.answering(2);
    stuck.instead = () => undefined;
    const endpoints = [stuck.url, other?.url ?? ''];
    const hedging = await bench.open({ upstream: { endpoints, retry: { hedgeAfterMs: 20 } } });
    assert.equal((await hedging.get()).status, 200);
    assert.equal(stuck.hitCount, 1);
    const patient = await bench.open({ upstream: { endpoints, retry: { hedgeAfterMs: LONG_MS } } });
    const wire = await patient.send(get());
    await eventually(() => stuck.hitCount === 2);
    await turns(50);
    assert.deepEqual([wire.receivedBytes, other?.hitCount], [0, 1]);
  },

  'upstreams[].retry.budgetRatio': async (bench) => {
    // The floor allows one in ten seconds.
    assert.equal(await attempts(await failing(bench, { budgetRatio: 0, budgetMinPerSec: 0.1 }), 4), 5);
    assert.equal(await attempts(await failing(bench, { budgetRatio: 1, budgetMinPerSec: 0.1 }), 4), 9);
  },

  'upstreams[].retry.budgetMinPerSec': async (bench) => {
    assert.equal(await attempts(await failing(bench, { budgetRatio: 0, budgetMinPerSec: 0.3 }), 4), 7);
    assert.equal(await attempts(await failing(bench, { budgetRatio: 0, budgetMinPerSec: null }), 4), 4);
  },

  'upstreams[].retry.replayMaxBytes': async (bench) => {
    for (const [replayMaxBytes, status] of [
      [4, 503],
      [100, 200],
    ] as const) {
      const upstream = await bench.upstream();
      const retry = { replayMaxBytes, backoffMs: 0 };
      const assembled = await bench.open({ upstream: { endpoints: [upstream.url], retry } });
      const head = 'POST / HTTP/1.1\r\nhost: a\r\nidempotency-key: 1\r\ntransfer-encoding: chunked\r\n\r\n';
      const wire = await assembled.send(`${head}5\r\nabcde\r\n`);
      const first = await upstream.connection();
      await first.take('abcde');
      first.write('HTTP/1.1 503 Not now\r\ncontent-length: 0\r\n\r\n');
      if (status === 200) {
        const second = await upstream.connection();
        await second.take('abcde');
        wire.write('0\r\n\r\n');
        await second.take('0\r\n\r\n');
        second.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      }
      assert.equal((await wire.response()).status, status);
    }
  },

  'upstreams[].retry.backoffMs': async (bench) => {
    const retry = { jitter: 'decorrelated', backoffMaxMs: LONG_MS } as const;
    assert.equal(await pauses(await failing(bench, { ...retry, backoffMs: LONG_MS })), true);
    assert.equal(await attempts(await failing(bench, { ...retry, backoffMs: 0 })), 3);
  },

  'upstreams[].retry.backoffMaxMs': async (bench) => {
    const retry = { jitter: 'decorrelated', backoffMs: LONG_MS } as const;
    assert.equal(await pauses(await failing(bench, retry)), true);
    await assert.rejects(
      failing(bench, { ...retry, backoffMaxMs: 1 }),
      /retry\.backoffMs: 3600000 is above backoffMaxMs, 1/,
    );
  },

  'upstreams[].retry.jitter': async (bench) => {
    const random = mock.method(Math, 'random', () => 0);
    const backoff = { backoffMs: LONG_MS, backoffMaxMs: LONG_MS };
    try {
      assert.equal(await attempts(await failing(bench, { ...backoff, jitter: 'full' })), 3);
      assert.equal(await pauses(await failing(bench, { ...backoff, jitter: 'decorrelated' })), true);
    } finally {
      random.mock.restore();
    }
  },

  'upstreams[].retry.retryAfterMaxMs': async (bench) => {
    const later = { 'retry-after': '2' };
    assert.equal(await attempts(await failing(bench, { retryAfterMaxMs: 1999 }, later)), 1);
    assert.equal(await pauses(await failing(bench, { retryAfterMaxMs: 2000 }, later)), true);
  },
};
