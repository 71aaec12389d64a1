import assert from 'node:assert/strict';
import { onEvent } from '../../src/core/events.ts';
import { eventually } from '../support/wire.ts';
import type { Answering } from '../upstream/answering.ts';
import type { Assembled, Bench, Check, Parts } from './assembled.ts';
import { shares } from './options-balance.ts';

type Passive = NonNullable<NonNullable<NonNullable<Parts['upstream']>['health']>['passive']>;
type More = Omit<NonNullable<Parts['upstream']>, 'endpoints'>;

interface Judged {
  readonly assembled: Assembled;
  /** The first of them is the one that is watched. */
  readonly servers: readonly [Answering, ...Answering[]];
}

async function judged(bench: Bench, passive: Passive, count = 2, more: More = {}): Promise<Judged> {
  const servers = await bench.answering(count);
  const endpoints = servers.map(({ url }) => url);
  return { assembled: await bench.open({ upstream: { ...more, endpoints, health: { passive } } }), servers };
}

/** How often the first one of two is asked in 24 requests while it answers 500. */
async function asked(bench: Bench, passive: Passive): Promise<number> {
  const { assembled, servers } = await judged(bench, passive);
  servers[0].status = 500;
  await shares(assembled, servers, 24);
  return servers[0].hitCount;
}

/** One that is slow to answer is ejected, or not. */
async function slow(bench: Bench, passive: Passive): Promise<Judged> {
  const it = await judged(bench, { volumeMinCount: 1, ...passive }, 3);
  it.servers[0].instead = (_request, response) => void setTimeout(() => response.end(), 20);
  await shares(it.assembled, it.servers, 6);
  return it;
}

/** The first one of two was out for a moment. */
async function recovered(bench: Bench, slowStart: NonNullable<Parts['upstream']>['slowStart']): Promise<Judged> {
  const more: More = { balance: 'weighted-round-robin', ...(slowStart === undefined ? {} : { slowStart }) };
  const { assembled, servers } = await judged(bench, { failureCount: 1, ejectMs: 5 }, 2, more);
  const [failing] = servers;
  failing.status = 500;
  let state = '';
  const stop = onEvent('endpoint:state', (event) => {
    if (event.endpoint === failing.url) state = event.state;
  });
  await shares(assembled, servers, 4);
  failing.status = 200;
  await eventually(() => state === 'well');
  stop();
  return { assembled, servers };
}

/** Of 20 requests, how many the first one gets. */
async function share({ assembled, servers }: Judged): Promise<number> {
  const [first = 0] = await shares(assembled, servers, 20);
  return first;
}

export const OUTLIER_CHECKS: Readonly<Record<string, Check>> = {
  'upstreams[].health.passive.failureCount': async (bench) => {
    assert.equal(await asked(bench, { failureCount: 2 }), 2);
    assert.equal(await asked(bench, { failureCount: null }), 12);
  },

  'upstreams[].health.passive.localFailureCount': async (bench) => {
    const { assembled, servers } = await judged(bench, { localFailureCount: 2, failureCount: null });
    servers[0].instead = ({ socket }) => void socket.destroy();
    await shares(assembled, servers, 12);
    assert.equal(servers[0].hitCount, 2);
  },

  'upstreams[].health.passive.failureRatio': async (bench) => {
    assert.equal(await asked(bench, { failureCount: null, failureRatio: 0.9, volumeMinCount: 6 }), 6);
  },

  'upstreams[].health.passive.volumeMinCount': async (bench) => {
    assert.equal(await asked(bench, { failureCount: null, failureRatio: 0.9, volumeMinCount: 3 }), 3);
  },

  'upstreams[].health.passive.windowMs': async (bench) => {
    const passive = { failureCount: null, failureRatio: 0.9, volumeMinCount: 2, windowMs: 10 };
    const { assembled, servers } = await judged(bench, passive);
    servers[0].status = 500;
    for (let index = 0; index < 6; index += 1) {
      await shares(assembled, servers, 2);
      const sinceMs = performance.now();
      await eventually(() => performance.now() - sinceMs > 15);
    }
    assert.equal(servers[0].hitCount, 6);
  },

  'upstreams[].health.passive.latencyRatio': async (bench) => {
    const it = await slow(bench, { latencyRatio: 0.5, latencyMinMs: 10 });
    const reasons: string[] = [];
    const stop = onEvent('endpoint:eject', ({ reason }) => reasons.push(reason));
    await eventually(() => reasons.length > 0);
    stop();
    assert.deepEqual(reasons, ['latency']);
    const before = it.servers[0].hitCount;
    await shares(it.assembled, it.servers, 6);
    assert.equal(it.servers[0].hitCount, before);
  },

  'upstreams[].health.passive.latencyMinMs': async (bench) => {
    const ejected: string[] = [];
    const stop = onEvent('endpoint:eject', ({ endpoint }) => ejected.push(endpoint));
    // This one looks for the slow before the other one does.
    await slow(bench, { latencyRatio: 0.5, latencyMinMs: 60_000 });
    const { servers } = await slow(bench, { latencyRatio: 0.5, latencyMinMs: 10 });
    await eventually(() => ejected.length > 0);
    stop();
    assert.deepEqual(ejected, [servers[0].url]);
  },

  'upstreams[].health.passive.ejectMs': async (bench) => {
    const { assembled, servers } = await judged(bench, { failureCount: 1, ejectMs: 10 });
    servers[0].status = 500;
    await shares(assembled, servers, 2);
    servers[0].status = 200;
    let served = false;
    while (!served) served = (await shares(assembled, servers, 1))[0] === 1;
  },

  'upstreams[].health.passive.ejectMaxMs': async (bench) => {
    const { assembled, servers } = await judged(bench, { failureCount: 1, ejectMaxMs: 10 });
    servers[0].status = 500;
    await shares(assembled, servers, 2);
    servers[0].status = 200;
    let served = false;
    while (!served) served = (await shares(assembled, servers, 1))[0] === 1;
  },

  'upstreams[].health.passive.ejectedMaxRatio': async (bench) => {
    assert.equal(await asked(bench, { failureCount: 1, ejectedMaxRatio: 0 }), 12);
  },

  'upstreams[].slowStart.windowMs': async (bench) => {
    assert.equal(await share(await recovered(bench, { windowMs: 0, minRatio: 0.05 })), 10);
  },

  'upstreams[].slowStart.minRatio': async (bench) => {
    assert.ok((await share(await recovered(bench, { windowMs: 3_600_000, minRatio: 0.1 }))) <= 3);
    assert.equal(await share(await recovered(bench, { windowMs: 3_600_000, minRatio: 1 })), 10);
  },

  'upstreams[].slowStart.aggression': async (bench) => {
    const steep = { windowMs: 60_000, minRatio: 0.1, aggression: 1e9 };
    const { assembled, servers } = await recovered(bench, steep);
    // It has all of its share from the first step on, half a second later.
    while ((await share({ assembled, servers })) < 10);
  },
};
