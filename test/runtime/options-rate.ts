import assert from 'node:assert/strict';
import type { Layered, LayerInput } from './layered.ts';
import type { LayerCheck } from './options-layers.ts';

type RateInput = NonNullable<LayerInput['rateLimit']>;

/** So slow that no test sees a second one. */
const ONE: RateInput = { requestsPerSec: 0.001, burstCount: 1 };

/** What is told about the limit: `"name";q=quota;w=seconds`. */
async function policy(layered: Layered, rateLimit: RateInput): Promise<string | null> {
  return (await (await layered.answering({ rateLimit })).get()).get('ratelimit-policy');
}

/** The statuses of requests to these targets, one after the other. */
async function statuses(layered: Layered, rateLimit: RateInput, requests: readonly (readonly [string, string])[]) {
  const assembled = await layered.answering({ rateLimit });
  const seen: number[] = [];
  for (const [target, fields] of requests) seen.push((await assembled.get(target, `host: a\r\n${fields}`)).status);
  return seen;
}

const through = (address: string): readonly [string, string] => ['/', `x-forwarded-for: ${address}\r\n`];

export const RATE_CHECKS: Readonly<Record<string, LayerCheck>> = {
  'rateLimit.algorithm': async (layered) => {
    assert.equal(await policy(layered, {}), '"default";q=50;w=1');
    assert.equal(await policy(layered, { algorithm: 'sliding-window' }), '"default";q=6000;w=60');
    assert.equal(await policy(layered, { algorithm: 'leaky-bucket' }), '"default";q=51;w=1');
  },
  'rateLimit.requestsPerSec': async (layered) => {
    assert.equal(await policy(layered, { requestsPerSec: 5 }), '"default";q=50;w=10');
  },
  'rateLimit.burstCount': async (layered) => {
    assert.deepEqual(
      await statuses(layered, { ...ONE, burstCount: 2 }, [
        ['/', ''],
        ['/', ''],
        ['/', ''],
      ]),
      [200, 200, 429],
    );
  },
  'rateLimit.queueMaxCount': async (layered) => {
    assert.equal(await policy(layered, { algorithm: 'leaky-bucket', queueMaxCount: 9 }), '"default";q=10;w=1');
  },
  'rateLimit.requestMaxCount': async (layered) => {
    assert.equal(await policy(layered, { algorithm: 'sliding-window', requestMaxCount: 9 }), '"default";q=9;w=60');
  },
  'rateLimit.windowMs': async (layered) => {
    assert.equal(await policy(layered, { algorithm: 'sliding-window', windowMs: 5000 }), '"default";q=6000;w=5');
  },
  'rateLimit.name': async (layered) => {
    assert.equal(await policy(layered, { name: 'api' }), '"api";q=50;w=1');
  },
  'rateLimit.key': async (layered) => {
    assert.deepEqual(
      await statuses(layered, ONE, [
        ['/a', ''],
        ['/b', ''],
      ]),
      [200, 429],
    );
    assert.deepEqual(
      await statuses(layered, { ...ONE, key: 'path' }, [
        ['/a', ''],
        ['/b', ''],
        ['/a', ''],
      ]),
      [200, 200, 429],
    );
  },
  'rateLimit.key.header': async (layered) => {
    const requests = ['one', 'two', 'one'].map((key): [string, string] => ['/', `x-key: ${key}\r\n`]);
    assert.deepEqual(await statuses(layered, { ...ONE, key: { header: 'x-key' } }, requests), [200, 200, 429]);
  },
  'rateLimit.keyMaxCount': async (layered) => {
    // Room for one key is room for sixteen, of which others are forgotten.
    const paths = Array.from({ length: 40 }, (_, index): [string, string] => [`/${index}`, '']);
    for (const [keyMaxCount, forgets] of [
      [1, true],
      [1000, false],
    ] as const) {
      const seen = await statuses(layered, { ...ONE, key: 'path', keyMaxCount }, [...paths, ...paths]);
      assert.equal(seen.slice(40).includes(200), forgets);
    }
  },
  'rateLimit.ipv6PrefixLength': async (layered) => {
    for (const [ipv6PrefixLength, status] of [
      [48, 429],
      [64, 200],
    ] as const) {
      const rate = { ...ONE, ipv6PrefixLength, trustedProxies: ['127.0.0.1'] };
      const requests = [through('2001:db8::1'), through('2001:db8:0:1::1')];
      assert.deepEqual(await statuses(layered, rate, requests), [200, status]);
    }
  },
  'rateLimit.trustedProxies': async (layered) => {
    const requests = [through('192.0.2.1'), through('192.0.2.2')];
    assert.deepEqual(await statuses(layered, ONE, requests), [200, 429]);
    assert.deepEqual(await statuses(layered, { ...ONE, trustedProxies: ['127.0.0.0/8'] }, requests), [200, 200]);
  },
  'rateLimit.headers': async (layered) => {
    assert.equal(await policy(layered, { headers: false }), null);
  },
};
