import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { followSignals, SAME_SIGNAL_MS } from '../../src/runtime/signals.ts';

function followed() {
  const source = new EventEmitter();
  const heard: string[] = [];
  let nowMs = 1000;
  const stop = followSignals(
    source,
    {
      drain: (signal) => heard.push(`drain ${signal}`),
      force: (signal) => heard.push(`force ${signal}`),
      reload: () => heard.push('reload'),
    },
    () => nowMs,
  );
  const send = (signal: string, afterMs = 0): void => {
    nowMs += afterMs;
    source.emit(signal, signal);
  };
  return { source, heard, stop, send };
}

test('the first stop signal drains, a later one of any kind forces', () => {
  const { heard, send } = followed();
  send('SIGTERM');
  send('SIGQUIT', SAME_SIGNAL_MS);
  send('SIGINT', 1000);
  assert.deepEqual(heard, ['drain SIGTERM', 'force SIGQUIT', 'force SIGINT']);
});

test('a stop signal that comes twice at once is one', () => {
  const { heard, send } = followed();
  send('SIGINT');
  send('SIGINT', SAME_SIGNAL_MS - 1);
  assert.deepEqual(heard, ['drain SIGINT']);
});

test('SIGHUP reloads, as often as it comes', () => {
  const { heard, send } = followed();
  send('SIGHUP');
  send('SIGHUP');
  assert.deepEqual(heard, ['reload', 'reload']);
});

test('nothing is listened to any more after the end', () => {
  const { source, heard, stop, send } = followed();
  stop();
  send('SIGTERM');
  assert.deepEqual([heard, source.eventNames()], [[], []]);
});
