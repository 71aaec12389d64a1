import assert from 'node:assert/strict';
import { onEvent } from '../../src/core/events.ts';
import { eventually } from '../support/wire.ts';
import type { Assembled } from './assembled.ts';
import { type Layered, type LayerInput, untilStatus } from './layered.ts';
import type { LayerCheck } from './options-layers.ts';

type SheddingInput = NonNullable<LayerInput['loadShedding']>;

/** Any delay is too long. */
const FULL: SheddingInput = { delayMinMs: 0, delayMaxMs: 0.001 };
/** Nothing that happens in a test is. */
const NEVER: SheddingInput = { delayMinMs: 60_000, delayMaxMs: 60_001 };
/** A stall of the event loop is remembered for much longer than a test takes, as a delay of some milliseconds. */
const LASTING: SheddingInput = { delayMinMs: 1, delayMaxMs: 1.2, smoothingMs: 20_000, class: 'low' };

const CLASS = 'host: a\r\nx-class: low\r\n';

const serving = (layered: Layered, loadShedding: SheddingInput): Promise<Assembled> =>
  layered.answering({ loadShedding });

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Keeps the event loop busy, so that its timers are late by some 300 ms, once. */
async function stall(): Promise<void> {
  await sleep(60);
  const untilMs = performance.now() + 350;
  while (performance.now() < untilMs);
  await sleep(60);
}

export const SHEDDING_CHECKS: Readonly<Record<string, LayerCheck>> = {
  'requestClass.class': async (layered) => {
    await untilStatus(await serving(layered, FULL), 503);
    const spared = await layered.answering({ requestClass: { class: null } }, { loadShedding: FULL });
    assert.equal((await spared.get()).status, 200);
    const limited = { loadShedding: { ...FULL, class: null } };
    await untilStatus(await layered.answering({ requestClass: { class: 'low' } }, limited), 503);
  },
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
    const elsewhere = await serving(layered, { ...options, trustedProxies: ['192.0.2.1'] });
    assert.equal((await elsewhere.get('/', CLASS)).status, 200);
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
    const [lasting, brief] = [await serving(layered, LASTING), await serving(layered, { ...LASTING, smoothingMs: 0 })];
    await stall();
    assert.equal((await lasting.get()).status, 503);
    await untilStatus(brief, 200);
    assert.equal((await lasting.get()).status, 503);
  },
  'loadShedding.hysteresisRatio': async (layered) => {
    const options = { delayMinMs: 0, delayMaxMs: 1000, smoothingMs: 0 };
    const held = await serving(layered, { ...options, hysteresisRatio: 1 });
    const released = await serving(layered, { ...options, hysteresisRatio: 0 });
    await stall();
    // The delay after the stall is less than that of the stall, and at least now and then more than nothing.
    await eventually(() => held.pressureRatio() > released.pressureRatio());
  },
  'loadShedding.periodMs': async (layered) => {
    // A few of the lowest class: with a new period each millisecond the same client is now of them, now not.
    const assembled = await serving(layered, { ...LASTING, delayMinMs: 0, delayMaxMs: 300, periodMs: 1 });
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
