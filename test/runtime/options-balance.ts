import assert from 'node:assert/strict';
import { eventually } from '../support/wire.ts';
import type { Answering } from '../upstream/answering.ts';
import { type Assembled, type Bench, type Check, get } from './assembled.ts';

/** How many requests each of them gets of so many, one after another. */
export async function shares(assembled: Assembled, servers: readonly Answering[], count: number): Promise<number[]> {
  const before = servers.map(({ hitCount }) => hitCount);
  for (let index = 0; index < count; index += 1) await assembled.get();
  return servers.map(({ hitCount }, index) => hitCount - (before[index] ?? 0));
}

type UpstreamParts = NonNullable<Parameters<Bench['open']>[0]['upstream']>;

/** As many servers as there are endpoints said of, with a configuration for them. */
async function balanced(
  bench: Bench,
  options: UpstreamParts,
  said: readonly object[] = [{}, {}],
): Promise<{ assembled: Assembled; servers: readonly Answering[] }> {
  const servers = await bench.answering(said.length);
  const endpoints = servers.map(({ url }, index) => ({ url, ...said[index] }));
  return { assembled: await bench.open({ upstream: { ...options, endpoints } }), servers };
}

/** Which of two servers a request with these fields goes to: the same one each time. */
async function places(
  assembled: Assembled,
  [first]: readonly Answering[],
  ask: (index: number) => [target: string, fields: string],
): Promise<string> {
  let places = '';
  for (let index = 0; index < 32; index += 1) {
    const before = first?.hitCount ?? 0;
    await assembled.get(...ask(index));
    places += first?.hitCount === before ? 'b' : 'a';
  }
  return places;
}

/** Requests that differ in what is hashed spread, the others do not. */
async function pins(bench: Bench, balance: UpstreamParts['balance'], ask: (index: number) => [string, string]) {
  const { assembled, servers } = await balanced(bench, { ...(balance === undefined ? {} : { balance }) });
  const spread = await places(assembled, servers, ask);
  assert.match(spread, /ab|ba/);
  assert.equal(await places(assembled, servers, ask), spread, 'the same goes to the same');
  assert.doesNotMatch(await places(assembled, servers, () => ask(1)), /ab|ba/);
}

const paths = (index: number): [string, string] => [`/${index}`, ''];

export const BALANCE_CHECKS: Readonly<Record<string, Check>> = {
  'upstreams[].balance.policy': async (bench) => {
    const { assembled, servers } = await balanced(bench, { balance: { policy: 'hash' } });
    assert.ok((await shares(assembled, servers, 6)).includes(0));
  },

  'upstreams[].balance.key': (bench) => pins(bench, { policy: 'hash', key: 'path' }, paths),

  'upstreams[].balance.key.header': (bench) =>
    pins(bench, { policy: 'hash', key: { header: 'x-user' } }, (user) => ['/', `host: a\r\nx-user: ${user}\r\n`]),

  'upstreams[].balance.key.cookie': (bench) =>
    pins(bench, { policy: 'hash', key: { cookie: 'user' } }, (user) => ['/', `host: a\r\ncookie: user=${user}\r\n`]),

  'upstreams[].balance.trustedProxies': (bench) =>
    pins(bench, { policy: 'hash', trustedProxies: ['127.0.0.1'] }, (user) => [
      '/',
      `host: a\r\nx-forwarded-for: 10.0.0.${user}\r\n`,
    ]),

  'upstreams[].balance.table': async (bench) => {
    const servers = await bench.answering(2);
    const endpoints = servers.map(({ url }) => url);
    const [ring, maglev] = await Promise.all(
      (['ring', 'maglev'] as const).map((table) =>
        bench.open({ upstream: { endpoints, balance: { policy: 'hash', key: 'path', table } } }),
      ),
    );
    assert.ok(ring !== undefined && maglev !== undefined);
    assert.notEqual(await places(ring, servers, paths), await places(maglev, servers, paths));
  },

  'upstreams[].balance.slackRatio': async (bench) => {
    const { assembled, servers } = await balanced(bench, { balance: { policy: 'hash', slackRatio: 0 } });
    for (const server of servers) server.instead = () => undefined;
    await assembled.send(get());
    await eventually(() => servers.some(({ hitCount }) => hitCount === 1));
    await assembled.send(get());
    await eventually(() => servers.every(({ hitCount }) => hitCount === 1));
  },

  'upstreams[].balance.sticky.cookie': async (bench) => {
    const { assembled, servers } = await balanced(bench, { balance: { sticky: { cookie: 'place' } } });
    const [cookie = ''] = (await assembled.get()).get('set-cookie')?.split(';') ?? [];
    assert.match(cookie, /^place=/);
    for (let index = 0; index < 5; index += 1) await assembled.get('/', `host: a\r\ncookie: ${cookie}\r\n`);
    assert.deepEqual(
      servers.map(({ hitCount }) => hitCount).toSorted((a, b) => a - b),
      [0, 6],
    );
  },

  'upstreams[].balance.sticky.secret': async (bench) => {
    const [server] = await bench.answering(1);
    const cookie = async (letter: string): Promise<string | null> => {
      const sticky = { secret: letter.repeat(16) };
      const assembled = await bench.open({ upstream: { endpoints: [server.url], balance: { sticky } } });
      return (await assembled.get()).get('set-cookie');
    };
    assert.equal(await cookie('a'), await cookie('a'));
    assert.notEqual(await cookie('a'), await cookie('b'));
  },

  'upstreams[].endpoints[].weight': async (bench) => {
    const { assembled, servers } = await balanced(bench, { balance: 'weighted-round-robin' }, [{ weight: 3 }, {}]);
    assert.deepEqual(await shares(assembled, servers, 8), [6, 2]);
  },

  'upstreams[].endpoints[].priority': async (bench) => {
    const { assembled, servers } = await balanced(bench, {}, [{ priority: 1 }, {}]);
    assert.deepEqual(await shares(assembled, servers, 4), [0, 4]);
  },

  'upstreams[].endpoints[].zone': async (bench) => {
    const { assembled, servers } = await balanced(bench, { zone: 'here' }, [{ zone: 'there' }, { zone: 'here' }]);
    assert.deepEqual(await shares(assembled, servers, 6), [0, 6]);
  },

  'upstreams[].zone': async (bench) => {
    const { assembled, servers } = await balanced(bench, { zone: 'there' }, [{ zone: 'there' }, { zone: 'here' }]);
    assert.deepEqual(await shares(assembled, servers, 6), [6, 0]);
  },

  'upstreams[].spill.spareRatio': async (bench) => {
    const spilled = async (spareRatio: number): Promise<boolean> => {
      const options = { spill: { spareRatio }, health: { passive: { failureCount: 1, ejectedMaxRatio: 0.4 } } };
      const { assembled, servers } = await balanced(bench, options, [{}, {}, { priority: 1 }]);
      const [failing, , spare] = servers;
      assert.ok(failing !== undefined && spare !== undefined);
      failing.status = 500;
      await shares(assembled, servers, 40);
      assert.equal(failing.hitCount, 1);
      return spare.hitCount > 0;
    };
    assert.equal(await spilled(1), false);
    assert.equal(await spilled(0), true);
  },

  'upstreams[].spill.panicRatio': async (bench) => {
    const asked = async (panicRatio: number | null): Promise<number> => {
      const options = { spill: { panicRatio }, health: { passive: { failureCount: 1, ejectedMaxRatio: 0.7 } } };
      const { assembled, servers } = await balanced(bench, options, [{}, {}, {}]);
      for (const server of servers.slice(0, 2)) server.status = 500;
      await shares(assembled, servers, 12);
      return servers[0]?.hitCount ?? 0;
    };
    assert.equal(await asked(null), 1);
    assert.ok((await asked(0.5)) > 1);
  },
};
