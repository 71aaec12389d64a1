import assert from 'node:assert/strict';
import { onEvent } from '../../src/core/events.ts';
import type { Held, Layered, LayerInput } from './layered.ts';
import type { LayerCheck } from './options-layers.ts';

type ConcurrencyInput = NonNullable<LayerInput['concurrencyLimit']>;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const TRUSTING: ConcurrencyInput = { trustedProxies: ['127.0.0.1'] };

/** One place, and `options` for who waits. One request runs already. */
async function occupied(layered: Layered, options: ConcurrencyInput): Promise<Held> {
  const held = await layered.held({ concurrencyLimit: { requestMaxCount: 1, ...options } });
  await held.send('/first');
  return held;
}

/** How many of these requests wait; the next one would be refused, and so it is. */
async function waiting(held: Held, fields: readonly string[], refused: string): Promise<void> {
  for (const field of fields) await held.send('/', field);
  assert.equal(await held.refused('/', refused), 503);
}

/** The order in which requests of these tenants are served, after one that ran already. */
async function order(layered: Layered, options: ConcurrencyInput, tenants: readonly string[]): Promise<string[]> {
  const held = await occupied(layered, options);
  for (const [index, tenant] of tenants.entries()) await held.send(`/${tenant}${index}`, `x-tenant: ${tenant}\r\n`);
  return (await held.order(tenants.length + 1)).slice(1);
}

/** Statuses of three that wait behind a first one, when each is answered 10 ms after it comes to the upstream. */
async function codelStatuses(layered: Layered, codel: NonNullable<ConcurrencyInput['codel']>): Promise<number[]> {
  const held = await occupied(layered, { codel });
  const wires = [await held.send(), await held.send(), await held.send()];
  let over = false;
  const serving = (async () => {
    while (!over) {
      const { answer } = await held.next();
      await sleep(10);
      answer();
    }
  })();
  const responses = await Promise.all(wires.map((wire) => wire.response()));
  over = true;
  void serving;
  return responses.map(({ status }) => status);
}

export const CONCURRENCY_CHECKS: Readonly<Record<string, LayerCheck>> = {
  'concurrencyLimit.name': async (layered) => {
    const names: string[] = [];
    const stop = onEvent('limit:refuse', ({ name }) => names.push(name));
    const held = await occupied(layered, { name: 'api', queueMaxCount: null });
    await held.refused();
    stop();
    assert.deepEqual(names, ['api']);
  },
  'concurrencyLimit.requestMaxCount': async (layered) => {
    const held = await layered.held({ concurrencyLimit: { requestMaxCount: 2, queueMaxCount: null } });
    await waiting(held, ['', ''], '');
    const free = await layered.held({ concurrencyLimit: { queueMaxCount: null } });
    for (let count = 0; count < 3; count += 1) await free.send();
  },
  'concurrencyLimit.adaptive': async (layered) => {
    const held = await layered.held({ concurrencyLimit: { adaptive: 'gradient', queueMaxCount: null } });
    await waiting(held, new Array<string>(20).fill(''), '');
  },
  'concurrencyLimit.requestStartCount': async (layered) => {
    const adaptive = { adaptive: 'vegas', requestMinCount: 1, requestStartCount: 2, queueMaxCount: null } as const;
    await waiting(await layered.held({ concurrencyLimit: adaptive }), ['', ''], '');
  },
  'concurrencyLimit.requestMinCount': async (layered) => {
    // More than where it starts by default.
    const adaptive = { adaptive: 'vegas', requestMinCount: 22, queueMaxCount: null } as const;
    await waiting(await layered.held({ concurrencyLimit: adaptive }), Array<string>(22).fill(''), '');
  },
  'concurrencyLimit.probeIntervalMs': async (layered) => {
    // A probe lets few requests through; with the usual interval the first comes after three seconds.
    const limits: number[] = [];
    const stop = onEvent('limit:change', ({ limitCount }) => limits.push(limitCount));
    const bounds = { requestStartCount: 2, requestMinCount: 1, requestMaxCount: 2 };
    const assembled = await layered.answering({
      concurrencyLimit: { adaptive: 'vegas', ...bounds, probeIntervalMs: 1 },
    });
    const endMs = performance.now() + 2000;
    while (!limits.includes(1) && performance.now() < endMs) {
      await Promise.all([assembled.get(), assembled.get()]);
      await sleep(10);
    }
    stop();
    assert.ok(limits.includes(1));
  },
  'concurrencyLimit.queueMaxCount': async (layered) => {
    await waiting(await occupied(layered, { queueMaxCount: 2 }), ['', ''], '');
    await waiting(await occupied(layered, { queueMaxCount: null }), [], '');
  },
  'concurrencyLimit.queueTimeoutMs': async (layered) => {
    const held = await occupied(layered, { queueTimeoutMs: 20 });
    assert.equal(await held.refused(), 503);
  },
  'concurrencyLimit.codel.mode': async (layered) => {
    // The second interval of `deadline` begins long after the first has ended, which tells nothing any more.
    const codel = { targetMs: 1, intervalMs: 1 };
    assert.deepEqual(await codelStatuses(layered, { ...codel, mode: 'deadline' }), [200, 200, 200]);
    assert.deepEqual(await codelStatuses(layered, { ...codel, mode: 'paced' }), [200, 503, 200]);
  },
  'concurrencyLimit.codel.targetMs': async (layered) => {
    const codel = { mode: 'paced', intervalMs: 1 } as const;
    assert.deepEqual(await codelStatuses(layered, { ...codel, targetMs: 60_000 }), [200, 200, 200]);
    assert.deepEqual(await codelStatuses(layered, { ...codel, targetMs: 1 }), [200, 503, 200]);
  },
  'concurrencyLimit.codel.intervalMs': async (layered) => {
    const codel = { mode: 'paced', targetMs: 1 } as const;
    assert.deepEqual(await codelStatuses(layered, { ...codel, intervalMs: 60_000 }), [200, 200, 200]);
    assert.deepEqual(await codelStatuses(layered, { ...codel, intervalMs: 1 }), [200, 503, 200]);
  },
  'concurrencyLimit.tenant': async (layered) => {
    const held = await occupied(layered, { tenant: 'path' });
    for (const target of ['/a', '/a', '/b']) await held.send(target);
    assert.deepEqual(await held.order(4), ['/first', '/a', '/b', '/a']);
  },
  'concurrencyLimit.tenant.header': async (layered) => {
    const tenant = { header: 'x-tenant' };
    assert.deepEqual(await order(layered, { ...TRUSTING, tenant }, ['a', 'a', 'b']), ['/a0', '/b2', '/a1']);
    const elsewhere = { trustedProxies: ['192.0.2.1'], tenant };
    assert.deepEqual(await order(layered, elsewhere, ['a', 'a', 'b']), ['/a0', '/a1', '/b2']);
  },
  'concurrencyLimit.tenantWeights': async (layered) => {
    const options = { ...TRUSTING, tenant: { header: 'x-tenant' }, tenantWeights: { a: 2 } };
    assert.deepEqual(await order(layered, options, ['a', 'b', 'a', 'b']), ['/a0', '/a2', '/b1', '/b3']);
  },
  'concurrencyLimit.tenantQueueMaxCount': async (layered) => {
    await waiting(await occupied(layered, { tenant: 'client-ip', tenantQueueMaxCount: 1 }), [''], '');
  },
  'concurrencyLimit.ipv6PrefixLength': async (layered) => {
    const options = { ...TRUSTING, tenant: 'client-ip', tenantQueueMaxCount: 1, ipv6PrefixLength: 48 } as const;
    const [one, other] = ['x-forwarded-for: 2001:db8::1\r\n', 'x-forwarded-for: 2001:db8:0:1::1\r\n'];
    await waiting(await occupied(layered, options), [one], other);
  },
  'concurrencyLimit.class': async (layered) => {
    await waiting(await occupied(layered, { queueMaxCount: 3, class: 'low' }), [''], '');
    await waiting(await occupied(layered, { queueMaxCount: 3, class: 'normal' }), ['', ''], '');
  },
  'concurrencyLimit.classHeader': async (layered) => {
    const held = await occupied(layered, { ...TRUSTING, queueMaxCount: 3, classHeader: 'x-class' });
    await waiting(held, [''], 'x-class: low\r\n');
  },
  'concurrencyLimit.trustedProxies': async (layered) => {
    const held = await occupied(layered, {
      queueMaxCount: 2,
      classHeader: 'x-class',
      trustedProxies: ['192.0.2.1'],
    });
    await waiting(held, ['', 'x-class: low\r\n'], '');
  },
  'concurrencyLimit.retryAfterMs': async (layered) => {
    const { assembled } = await occupied(layered, { queueMaxCount: null, retryAfterMs: 7000 });
    assert.equal((await assembled.get()).get('retry-after'), '7');
  },
};
