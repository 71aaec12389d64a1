import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TicketKeys } from '../../../src/transport/tls/tickets.ts';

const SECRET = 'a secret of thirty-two characters';

test('a key is 48 bytes, and each period has its own', () => {
  const keys = new TicketKeys(1000, SECRET);
  assert.equal(keys.key(1).length, 48);
  assert.notDeepEqual(keys.key(1), keys.key(2));
  assert.deepEqual(keys.key(1), keys.key(1));
});

test('those who share the secret and the rotation have the same keys, and nobody else', () => {
  const key = new TicketKeys(1000, SECRET).key(7);
  assert.deepEqual(new TicketKeys(1000, SECRET).key(7), key);
  assert.notDeepEqual(new TicketKeys(2000, SECRET).key(7), key);
  assert.notDeepEqual(new TicketKeys(1000, `${SECRET}!`).key(7), key);
  assert.notDeepEqual(new TicketKeys(1000, null).key(7), new TicketKeys(1000, null).key(7));
});

test('a period is a stretch of wall-clock time', () => {
  const keys = new TicketKeys(1000, null);
  assert.deepEqual(
    [0, 999, 1000, 2500].map((wallMs) => keys.periodAt(wallMs)),
    [0, 0, 1, 2],
  );
});

test('a ticket of the period before is known by its name; every other is for the present key to refuse', () => {
  const keys = new TicketKeys(1000, SECRET);
  const ticketOf = (period: number) => Buffer.concat([keys.key(period).subarray(0, 16), Buffer.alloc(100)]);
  assert.equal(keys.periodOf(ticketOf(4), 5), 4);
  assert.equal(keys.periodOf(ticketOf(5), 5), 5);
  assert.equal(keys.periodOf(ticketOf(3), 5), 5);
  assert.equal(keys.periodOf(Buffer.alloc(15), 5), 5);
  assert.equal(keys.periodOf(null, 5), 5);
});
