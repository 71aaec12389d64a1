import assert from 'node:assert/strict';
import { eventually } from '../support/wire.ts';
import { type Check, post } from './assembled.ts';
import { Layered, type LayerPlace } from './layered.ts';
import { CONCURRENCY_CHECKS } from './options-concurrency.ts';
import { RATE_CHECKS } from './options-rate.ts';
import { SHEDDING_CHECKS } from './options-shedding.ts';

/** What a key of a layer does, wherever the layer is. */
export type LayerCheck = (layered: Layered) => Promise<void>;

const PLAIN_CHECKS: Readonly<Record<string, LayerCheck>> = {
  'requestId.header': async (layered) => {
    const assembled = await layered.answering({ requestId: { header: 'x-trace' } });
    assert.match((await assembled.get()).get('x-trace') ?? '', /^[\w-]{36}$/);
    assert.equal((await (await layered.answering({ requestId: {} })).get()).get('x-trace'), null);
  },

  'requestId.trusted': async (layered) => {
    for (const trusted of [true, false]) {
      const assembled = await layered.answering({ requestId: { trusted } });
      const response = await assembled.get('/', 'host: a\r\nx-request-id: given\r\n');
      assert.equal(response.get('x-request-id') === 'given', trusted);
    }
  },

  'requestId.idMaxBytes': async (layered) => {
    for (const idMaxBytes of [5, 4]) {
      const assembled = await layered.answering({ requestId: { trusted: true, idMaxBytes } });
      const response = await assembled.get('/', 'host: a\r\nx-request-id: given\r\n');
      assert.equal(response.get('x-request-id') === 'given', idMaxBytes === 5);
    }
  },

  'timeout.totalMs': async (layered) => {
    const { assembled } = await layered.held({ timeout: { totalMs: 30 } });
    const { status, body } = await assembled.get();
    assert.equal(status, 504);
    assert.match(body, /30 ms/);
  },

  'bodyLimit.maxBytes': async (layered) => {
    const assembled = await layered.answering({ bodyLimit: { maxBytes: 3 } });
    assert.equal((await (await assembled.send(post('four'))).response()).status, 413);
    assert.equal((await (await assembled.send(post('you'))).response()).status, 200);
  },

  accessLog: async (layered) => {
    const assembled = await layered.answering({ accessLog: {} });
    await assembled.get('/logged');
    await eventually(() => assembled.lines.length > 0);
    assert.equal(assembled.lines.length, 1);
    assert.match(assembled.lines[0] ?? '', /"message":"request".*"target":"\/logged","status":200/);
  },
};

const ALL: readonly (readonly [string, LayerCheck])[] = [
  ...Object.entries(PLAIN_CHECKS),
  ...Object.entries(RATE_CHECKS),
  ...Object.entries(CONCURRENCY_CHECKS),
  ...Object.entries(SHEDDING_CHECKS),
];

const PLACES: readonly LayerPlace[] = ['routes[].layers[]', 'upstreams[].layers[]'];

/** What each key of each layer does, on a route and on an upstream. */
export const LAYER_CHECKS: Readonly<Record<string, Check>> = Object.fromEntries(
  PLACES.flatMap((place) =>
    ALL.map(([key, check]): [string, Check] => [`${place}.${key}`, (bench) => check(new Layered(bench, place))]),
  ),
);
