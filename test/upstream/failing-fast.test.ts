import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Answering } from './answering.ts';
import { Asking } from './asking.ts';

/** How many of 300 requests, one after the other, fail when the first endpoint fails from then on. */
async function failedCount(endpointCount: number, failFrom: number, how: 'answers 500' | 'refuses'): Promise<number> {
  const endpoints = await Promise.all(Array.from({ length: endpointCount }, () => Answering.listen()));
  let seed = 1;
  const random = (): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  using it = new Asking({
    endpoints: endpoints.map(({ url }) => url),
    balance: 'power-of-two',
    retry: { attemptMaxCount: 1 },
    random,
  });
  for (const endpoint of endpoints)
    endpoint.instead = (_, response) => {
      // A good answer takes 5 ms, a bad one none.
      if (endpoint.status === 200) it.clock.advance(5);
      response.writeHead(endpoint.status).end();
    };
  let count = 0;
  for (let turn = 0; turn < 300; turn += 1) {
    const [bad] = endpoints;
    if (turn === failFrom && bad !== undefined) {
      if (how === 'refuses') await bad.stop();
      else bad.status = 500;
    }
    if ((await it.status()) >= 500) count += 1;
  }
  for (const endpoint of endpoints) await endpoint.stop();
  return count;
}

test('an endpoint that fails at once does not draw the traffic of power-of-two to itself', async () => {
  for (const endpointCount of [2, 4])
    for (const failFrom of [0, 100])
      for (const how of ['answers 500', 'refuses'] as const) {
        const count = await failedCount(endpointCount, failFrom, how);
        assert.ok(count <= 15, `${count} of 300 failed: of ${endpointCount} one ${how} from ${failFrom} on`);
      }
});
