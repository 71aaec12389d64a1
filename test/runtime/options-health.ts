import assert from 'node:assert/strict';
import { type Events, onEvent } from '../../src/core/events.ts';
import { eventually } from '../support/wire.ts';
import type { Answering } from '../upstream/answering.ts';
import type { Assembled, Bench, Check, Parts } from './assembled.ts';

type Active = NonNullable<NonNullable<NonNullable<Parts['upstream']>['health']>['active']>;

/** Often enough for a test, and without chance. */
const OFTEN: Active = { intervalMs: 20, unhealthyIntervalMs: 20, jitterRatio: 0 };

interface Watched {
  readonly assembled: Assembled;
  readonly server: Answering;
  /** What has become of it so far, in order. */
  readonly states: string[];
}

async function watched(
  bench: Bench,
  active: Active,
  prepare: (server: Answering) => void = () => {},
): Promise<Watched> {
  const [server] = await bench.answering(1);
  prepare(server);
  const states: string[] = [];
  const stop = onEvent('endpoint:health', ({ endpoint, state }: Events['endpoint:health']) => {
    if (endpoint === server.url) states.push(state);
  });
  bench.defer(stop);
  const upstream = { endpoints: [server.url], health: { active: { ...OFTEN, ...active } } };
  return { assembled: await bench.open({ upstream }), server, states };
}

/** What its first probe says. */
async function verdict(bench: Bench, active: Active, prepare?: (server: Answering) => void): Promise<string> {
  const { states } = await watched(bench, active, prepare);
  await eventually(() => states.length > 0);
  return states[0] ?? '';
}

/** The head of its first probe. */
async function asked(bench: Bench, active: Active): Promise<{ line: string; host: string; from: string }> {
  const heads: { line: string; host: string; from: string }[] = [];
  await watched(bench, active, (server) => {
    server.instead = ({ headers, method, url }, response) => {
      heads.push({ line: `${method} ${url}`, host: headers.host ?? '', from: String(headers['x-from']) });
      response.end();
    };
  });
  await eventually(() => heads.length > 0);
  return heads[0] ?? { line: '', host: '', from: '' };
}

/** When it was asked, as often as it takes. */
async function times(bench: Bench, active: Active, count: number, status = 200): Promise<number[]> {
  const atMs: number[] = [];
  await watched(bench, active, (server) => {
    server.instead = (_request, response) => {
      atMs.push(performance.now());
      response.writeHead(status).end();
    };
  });
  await eventually(() => atMs.length >= count);
  return atMs;
}

/** How many probes it takes until the state is another after its answers are. */
async function probesUntil(bench: Bench, active: Active, from: number, to: number): Promise<number> {
  let status = from;
  let probeCount = 0;
  const { states } = await watched(bench, active, (server) => {
    server.instead = (_request, response) => {
      if (status === to) probeCount += 1;
      response.writeHead(status).end();
    };
  });
  await eventually(() => states.length > 0);
  status = to;
  await eventually(() => states.length > 1);
  return probeCount;
}

/** What each key of active health does. */
export const HEALTH_CHECKS: Readonly<Record<string, Check>> = {
  'upstreams[].health.active.kind': async (bench) => {
    const broken = (server: Answering): void => {
      server.status = 500;
    };
    assert.equal(await verdict(bench, { kind: 'http' }, broken), 'unhealthy');
    assert.equal(await verdict(bench, { kind: 'tcp' }, broken), 'healthy');
  },

  'upstreams[].health.active.path': async (bench) => {
    assert.equal((await asked(bench, { path: '/healthz?deep=1' })).line, 'GET /healthz?deep=1');
  },

  'upstreams[].health.active.method': async (bench) => {
    assert.equal((await asked(bench, { method: 'HEAD' })).line, 'HEAD /');
  },

  'upstreams[].health.active.host': async (bench) => {
    assert.equal((await asked(bench, { host: 'api.internal' })).host, 'api.internal');
  },

  'upstreams[].health.active.headers': async (bench) => {
    assert.equal((await asked(bench, { headers: { 'x-from': 'sluice' } })).from, 'sluice');
    await assert.rejects(bench.open({ upstream: { health: { active: { headers: { Host: 'a' } } } } }), /`host`/);
  },

  'upstreams[].health.active.intervalMs': async (bench) => {
    const [first = 0, second = 0, third = 0] = await times(bench, { intervalMs: 80 }, 3);
    assert.ok(third - second >= 70 && second - first >= 70, `${first} ${second} ${third}`);
  },

  'upstreams[].health.active.unhealthyIntervalMs': async (bench) => {
    const atMs = await times(bench, { intervalMs: 60_000, unhealthyIntervalMs: 20 }, 3, 500);
    assert.equal(atMs.length, 3);
  },

  'upstreams[].health.active.jitterRatio': async (bench) => {
    const active = { intervalMs: 60_000, unhealthyIntervalMs: 60_000 };
    // Without jitter the first probe is at once; with it anywhere in an interval.
    await times(bench, { ...active, jitterRatio: 0 }, 1);
    await assert.rejects(bench.open({ upstream: { health: { active: { jitterRatio: 2 } } } }), /from 0 to 1/);
  },

  'upstreams[].health.active.timeoutMs': async (bench) => {
    const slow = (server: Answering): void => {
      server.instead = (_request, response) => void setTimeout(() => response.end(), 100);
    };
    assert.equal(await verdict(bench, { timeoutMs: 30 }, slow), 'unhealthy');
    assert.equal(await verdict(bench, { timeoutMs: 5000 }, slow), 'healthy');
  },

  'upstreams[].health.active.healthyCount': async (bench) => {
    assert.equal(await probesUntil(bench, { healthyCount: 1 }, 500, 200), 1);
    assert.equal(await probesUntil(bench, { healthyCount: 4 }, 500, 200), 4);
  },

  'upstreams[].health.active.unhealthyCount': async (bench) => {
    assert.equal(await probesUntil(bench, { unhealthyCount: 1 }, 200, 500), 1);
    assert.equal(await probesUntil(bench, { unhealthyCount: 4 }, 200, 500), 4);
  },

  'upstreams[].health.active.expectStatus': async (bench) => {
    const notFound = (server: Answering): void => {
      server.status = 404;
    };
    assert.equal(await verdict(bench, {}, notFound), 'unhealthy');
    assert.equal(await verdict(bench, { expectStatus: ['2xx', 404] }, notFound), 'healthy');
  },

  'upstreams[].health.active.expectBody': async (bench) => {
    const up = (server: Answering): void => {
      server.instead = (_request, response) => void response.end('state: up');
    };
    assert.equal(await verdict(bench, { expectBody: 'up' }, up), 'healthy');
    assert.equal(await verdict(bench, { expectBody: 'down' }, up), 'unhealthy');
  },

  'upstreams[].health.active.degradedHeader': async (bench) => {
    const tired = (server: Answering): void => {
      server.instead = (_request, response) => void response.writeHead(200, { 'x-degraded': '1' }).end();
    };
    assert.equal(await verdict(bench, { degradedHeader: 'x-degraded' }, tired), 'degraded');
    assert.equal(await verdict(bench, {}, tired), 'healthy');
  },

  'upstreams[].health.active.degradedLatencyMs': async (bench) => {
    const slow = (server: Answering): void => {
      server.instead = (_request, response) => void setTimeout(() => response.end(), 30);
    };
    assert.equal(await verdict(bench, { degradedLatencyMs: 20 }, slow), 'degraded');
    assert.equal(await verdict(bench, {}, slow), 'healthy');
  },

  'upstreams[].health.active.unknownTakesRequests': async (bench) => {
    // An endpoint that says nothing to probes, and something to requests.
    const silent = (server: Answering): void => {
      server.instead = ({ url }, response) => {
        if (url !== '/healthz') response.end('answer');
      };
    };
    const patient = { path: '/healthz', timeoutMs: 60_000 };
    assert.equal((await (await watched(bench, patient, silent)).assembled.get()).body, 'answer');
    const [server] = await bench.answering(1);
    silent(server);
    const active = { ...OFTEN, ...patient, unknownTakesRequests: false };
    const upstream = { endpoints: [server.url], health: { active }, pool: { queueTimeoutMs: 30 } };
    assert.equal((await (await bench.open({ upstream })).get()).status, 503);
  },
};
