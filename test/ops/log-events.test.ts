import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { channel } from '../../src/core/events.ts';
import { Log } from '../../src/ops/log.ts';
import { logEvents } from '../../src/ops/log-events.ts';

test('refused connections are told at once, and a flood of them is one line', async () => {
  let written = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written += String(chunk);
      done();
    },
  });
  const log = new Log({ level: 'info', format: 'json', stream });
  const stop = logEvents(log);
  const refused = channel('connection:refuse');
  for (let count = 0; count < 100; count += 1) {
    refused.publish({ listener: 'web', peer: '127.0.0.1', reason: 'connection-budget-exceeded' });
  }
  stop();
  refused.publish({ listener: 'web', peer: '127.0.0.1', reason: 'connection-budget-exceeded' });
  await log.flush(1000);
  const lines = written
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ level, message, listener, reason, count }) => ({ level, message, listener, reason, count })),
    [
      {
        level: 'warn',
        message: 'connections are refused',
        listener: 'web',
        reason: 'connection-budget-exceeded',
        count: 1,
      },
    ],
  );
});
