import assert from 'node:assert/strict';
import diagnostics_channel from 'node:diagnostics_channel';
import { test } from 'node:test';
import { channel, onEvent } from '../../src/core/events.ts';

const message = { connectionId: 1, method: 'GET', target: '/' };

test('events reach who listens, and a channel knows whether anybody does', () => {
  const start = channel('request:start');
  const heard: unknown[] = [];
  assert.equal(start.heard, false);
  const stop = onEvent('request:start', (event) => heard.push(event));
  const other = onEvent('request:start', (event) => heard.push(event.target));
  assert.equal(start.heard, true);
  start.publish(message);
  stop();
  start.publish(message);
  other();
  assert.equal(start.heard, false);
  start.publish(message);
  assert.deepEqual(heard, [message, '/', '/']);
});

test('anybody can listen by the name on Node’s diagnostics channel', () => {
  const heard: unknown[] = [];
  const listener = (event: unknown): void => void heard.push(event);
  diagnostics_channel.subscribe('sluice:request:start', listener);
  channel('request:start').publish(message);
  diagnostics_channel.unsubscribe('sluice:request:start', listener);
  assert.deepEqual(heard, [message]);
});
