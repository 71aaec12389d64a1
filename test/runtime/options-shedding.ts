import assert from 'node:assert/strict';
import { onEvent } from '../../src/core/events.ts';
import type { Assembled } from './assembled.ts';
import { type Layered, type LayerInput, untilStatus } from './layered.ts';
import type { LayerCheck } from './options-layers.ts';

type SheddingInput = NonNullable<LayerInput['loadShedding']>;

/** Any delay is too long. */
const FULL: SheddingInput = { delayMinMs: 0, delayMaxMs: 0.001 };
/** Nothing that happens in a test is. */
const NEVER: SheddingInput = { delayMinMs: 60_000, delayMaxMs: 60_001 };
/** Once the pressure has been full it never goes below 2/3, which is all of the lowest class. */
const HELD: SheddingInput = { delayMinMs: 50, delayMaxMs: 200, smoothingMs: 0, hysteresisRatio: 1, class: 'low' };

const CLASS = 'host: a\r\nx-class: low\r\n';

const serving = (layered: Layered, loadShedding: SheddingInput): Promise<Assembled> =>
  layered.answering({ loadShedding });

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Keeps the event loop busy, so that its timers are late by more than the longest delay of `HELD`. */
async function stall(): Promise<void> {
  await sleep(60);
  const untilMs = performance.now() + 300;
  while (performance.now() < untilMs);
  await sleep(60);
}

export const SHEDDING_CHECKS: Readonly<Record<string, LayerCheck>> = {
  'loadShedding.name': async (layered) => {
    const names = new Set<string>();
    const stop = onEvent('limit:refuse', ({ name }) => names.add(name));
    await untilStatus(await serving(layered, { ...FULL, name: 'edge' }), 503);
    stop();
    assert.deepEqual([...names], ['edge']);
  },
  'loadShedding.class': async (layered) => {
    await untilStatus(await serving(layered, FULL), 503);
    // The pressure of these options is full already: processes have one.
    assert.equal((await (await serving(layered, { ...FULL, class: null })).get()).status, 200);
  },
  'loadShedding.classHeader': async (layered) => {
    const trusting = { ...FULL, class: null, trustedProxies: ['127.0.0.1'] };
    await untilStatus(await serving(layered, { ...trusting, classHeader: 'x-class' }), 503, CLASS);
    assert.equal((await (await serving(layered, trusting)).get('/', CLASS)).status, 200);
  },
  'loadShedding.trustedProxies': async (layered) => {
    const options = { ...FULL, class: null, classHeader: 'x-class' };
    await untilStatus(await serving(layered, { ...options, trustedProxies: ['127.0.0.1'] }), 503, CLASS);
    assert.equal((await (await serving(layered, options)).get('/', CLASS)).status, 200);
  },
  'loadShedding.delayMinMs': async (layered) => {
    await untilStatus(await serving(layered, FULL), 503);
    assert.equal((await (await serving(layered, NEVER)).get()).status, 200);
  },
  'loadShedding.delayMaxMs': async (layered) => {
    const endless = await serving(layered, { ...FULL, delayMaxMs: 1e12, class: 'low' });
    await untilStatus(await serving(layered, { ...FULL, class: 'low' }), 503);
    assert.equal((await endless.get()).status, 200);
  },
  'loadShedding.smoothingMs': async (layered) => {
    const [quick, slow] = [await serving(layered, HELD), await serving(layered, { ...HELD, smoothingMs: 1e9 })];
    await stall();
    assert.equal((await quick.get()).status, 503);
    assert.equal((await slow.get()).status, 200);
  },
  'loadShedding.hysteresisRatio': async (layered) => {
    const [held, released] = [await serving(layered, HELD), await serving(layered, { ...HELD, hysteresisRatio: 0 })];
    await stall();
    assert.equal((await held.get()).status, 503);
    await untilStatus(released, 200);
    assert.equal((await held.get()).status, 503);
  },
  'loadShedding.periodMs': async (layered) => {
    // About half of the lowest class, held there: with a new period each millisecond the same client is now of it, now not.
    const assembled = await serving(layered, { ...HELD, hysteresisRatio: 0.5, periodMs: 1 });
    await stall();
    await untilStatus(assembled, 503);
    await untilStatus(assembled, 200);
    await untilStatus(assembled, 503);
  },
  'loadShedding.retryAfterMs': async (layered) => {
    const assembled = await serving(layered, { ...FULL, retryAfterMs: 7000 });
    await untilStatus(assembled, 503);
    assert.equal((await assembled.get()).get('retry-after'), '7');
  },
};
