import assert from 'node:assert/strict';
import { eventually, turns } from '../support/wire.ts';
import type { Answering } from '../upstream/answering.ts';
import { type Assembled, type Bench, type Check, get, type Parts } from './assembled.ts';

type Breaking = NonNullable<NonNullable<Parts['upstream']>['breaker']>;

interface Broken {
  readonly assembled: Assembled;
  readonly server: Answering;
}

const FOR_LONG = { openMs: 3_600_000, openMaxMs: 3_600_000 };

/** One server, which answers 500 for now. */
async function failing(bench: Bench, breaker: Breaking, open: Breaking = FOR_LONG): Promise<Broken> {
  const [server] = await bench.answering(1);
  server.status = 500;
  const options = { volumeMinCount: 2, ...open, ...breaker };
  return { assembled: await bench.open({ upstream: { endpoints: [server.url], breaker: options } }), server };
}

/** How many of ten requests it sees. */
async function seen({ assembled, server }: Broken): Promise<number> {
  for (let index = 0; index < 10; index += 1) await assembled.get();
  return server.hitCount;
}

/** It was open, and answers well from now on. */
async function opened(bench: Bench, breaker: Breaking, open: Breaking = FOR_LONG): Promise<Broken> {
  const it = await failing(bench, breaker, open);
  for (let index = 0; index < 2; index += 1) await it.assembled.get();
  it.server.status = 200;
  return it;
}

async function recovers({ assembled }: Broken): Promise<void> {
  while ((await assembled.get()).status !== 200);
}

/** A window of hundredths of it, in the last of which two calls are enough. */
const QUICK = { windowMs: 2000, windowMinMs: 0, volumeEnoughCount: 2 };

/** How many failures it takes after ten good answers a while ago; fewer where these came over two parts of the window. */
async function failuresToOpen(bench: Bench, breaker: Breaking): Promise<number> {
  const it = await failing(bench, breaker);
  it.server.status = 200;
  await seen(it);
  const sinceMs = performance.now();
  await eventually(() => performance.now() - sinceMs > QUICK.windowMs / 100);
  it.server.status = 500;
  while ((await it.assembled.get()).status !== 503);
  return it.server.hitCount - 10;
}

/** What only time can tell is in test/policy/breaker.test.ts. */
const refused =
  (option: string, wrong: number, message: RegExp): Check =>
  async (bench) => {
    await failing(bench, JSON.parse(`{ "${option}": 1 }`));
    await assert.rejects(failing(bench, JSON.parse(`{ "${option}": ${wrong} }`)), message);
  };

export const BREAKER_CHECKS: Readonly<Record<string, Check>> = {
  'upstreams[].breaker.failureRatio': async (bench) => {
    assert.equal(await seen(await failing(bench, { failureRatio: 1 })), 2);
    const it = await failing(bench, { failureRatio: 1 });
    it.server.status = 200;
    await it.assembled.get();
    it.server.status = 500;
    assert.equal(await seen(it), 11);
  },

  'upstreams[].breaker.volumeMinCount': async (bench) => {
    assert.equal(await seen(await failing(bench, { volumeMinCount: 7 })), 7);
  },

  'upstreams[].breaker.windowMinMs': async (bench) => {
    assert.ok((await failuresToOpen(bench, { ...QUICK, windowMinMs: 0 })) <= 2);
    assert.equal(await failuresToOpen(bench, { ...QUICK, windowMinMs: QUICK.windowMs }), 10);
    await assert.rejects(failing(bench, { windowMinMs: 2, windowMs: 1 }), /windowMinMs: 2 is above windowMs, 1/);
  },

  'upstreams[].breaker.volumeEnoughCount': async (bench) => {
    assert.ok((await failuresToOpen(bench, QUICK)) <= 2);
    assert.ok((await failuresToOpen(bench, { ...QUICK, volumeEnoughCount: 15 })) >= 8);
    await assert.rejects(
      failing(bench, { volumeMinCount: 9, volumeEnoughCount: 8 }),
      /volumeMinCount: 9 is above volumeEnoughCount, 8/,
    );
  },

  'upstreams[].breaker.windowMs': async (bench) => {
    const { assembled, server } = await failing(bench, { windowMs: 5, windowMinMs: 0 });
    for (let index = 0; index < 4; index += 1) {
      await assembled.get();
      const sinceMs = performance.now();
      await eventually(() => performance.now() - sinceMs > 10);
    }
    assert.equal(server.hitCount, 4);
  },

  'upstreams[].breaker.slowCallMs': async (bench) => {
    const it = await failing(bench, { slowCallMs: 5 });
    it.server.instead = (_request, response) => void setTimeout(() => response.end(), 10);
    assert.equal(await seen(it), 2);
  },

  'upstreams[].breaker.slowCallRatio': async (bench) => {
    const it = await failing(bench, { slowCallMs: 20, slowCallRatio: 0.2, volumeMinCount: 3 });
    it.server.instead = (_request, response) =>
      void setTimeout(() => response.end(), it.server.hitCount === 1 ? 30 : 0);
    assert.equal(await seen(it), 3);
  },

  'upstreams[].breaker.openMs': async (bench) => recovers(await opened(bench, { openMs: 10 })),

  'upstreams[].breaker.openMaxMs': async (bench) => recovers(await opened(bench, { openMaxMs: 10 }, {})),

  'upstreams[].breaker.jitterRatio': refused('jitterRatio', 2, /from 0 to 1/),

  'upstreams[].breaker.calmMs': refused('calmMs', -1, /0 or more/),

  'upstreams[].breaker.trialCount': async (bench) => {
    const { assembled, server } = await opened(bench, { openMs: 0.001, trialCount: 2 });
    server.instead = () => undefined;
    await assembled.send(get());
    await assembled.send(get());
    await eventually(() => server.hitCount === 4);
    assert.equal((await assembled.get()).status, 503);
  },

  'upstreams[].breaker.trialTimeoutMs': async (bench) => {
    const { assembled, server } = await opened(bench, { openMs: 0.001, trialTimeoutMs: 10 });
    server.instead = () => undefined;
    await assembled.send(get());
    await eventually(() => server.hitCount === 3);
    server.instead = null;
    await turns(1);
    await recovers({ assembled, server });
  },
};
