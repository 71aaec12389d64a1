import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLIENT_DEFAULTS, ClientKeys } from '../../../src/web/layers/request-key.ts';
import { makeRequest } from '../../support/request.ts';

test('the keys of many addresses are right, and few of them are remembered', () => {
  const clients = new ClientKeys(CLIENT_DEFAULTS);
  const keyOf = (address: string): string => clients.of(makeRequest('GET', '/', { peer: { address } }));
  for (let round = 0; round < 2; round += 1)
    for (let index = 0; index < 5000; index += 1)
      assert.equal(keyOf(`2001:db8:0:${index.toString(16)}::1`), `2001:db8:0:${index.toString(16)}:0:0:0:0/64`);
  assert.equal(keyOf('unix:'), 'unix:');
});
