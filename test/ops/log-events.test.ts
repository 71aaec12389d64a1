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

test('what becomes of endpoints is logged: a warning when one is lost, the rest with debug only', async () => {
  for (const [level, expected] of [
    [
      'info',
      [
        'warn an endpoint is out for its answers',
        'warn the breaker of an endpoint is open',
        'info the breaker of an endpoint is half-open',
        'warn requests are not sent again: the budget is used up',
      ],
    ],
    [
      'debug',
      ['debug a request is sent again', 'debug a request is sent to another endpoint, too', 'debug an endpoint is out'],
    ],
  ] as const) {
    let written = '';
    const stream = new Writable({
      write(chunk, _encoding, done) {
        written += String(chunk);
        done();
      },
    });
    const log = new Log({ level, format: 'json', stream });
    const stop = logEvents(log);
    const one = { upstream: 'api', endpoint: 'http://a' };
    channel('endpoint:eject').publish({ ...one, reason: 'failures', forMs: 30_000.4 });
    channel('endpoint:breaker').publish({ ...one, state: 'open', before: 'closed' });
    channel('endpoint:breaker').publish({ ...one, state: 'half-open', before: 'open' });
    channel('upstream:spent').publish({ upstream: 'quiet', kind: 'hedge' });
    channel('upstream:spent').publish({ upstream: 'api', kind: 'retry' });
    channel('upstream:retry').publish({ ...one, code: '503', attemptCount: 1, delayMs: 0 });
    channel('upstream:hedge').publish({ ...one, attemptCount: 2 });
    channel('endpoint:state').publish({ ...one, state: 'out', before: 'well' });
    stop();
    await log.flush(1000);
    const lines = written
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const told = lines.map((line) => `${line.level} ${line.message}`);
    assert.deepEqual(level === 'info' ? told : told.slice(-3), expected);
    assert.equal(lines[0].forMs, 30_000);
    assert.ok(!written.includes('quiet'));
  }
});

test('what probes and searches find is logged, with the reason where there is one', async () => {
  let written = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written += String(chunk);
      done();
    },
  });
  const log = new Log({ level: 'info', format: 'json', stream });
  const stop = logEvents(log);
  const one = { upstream: 'api', endpoint: 'http://a' };
  channel('endpoint:health').publish({ ...one, state: 'unhealthy', before: 'healthy', why: 'it has answered 503' });
  channel('endpoint:health').publish({ ...one, state: 'healthy', before: 'unhealthy', why: null });
  channel('upstream:discover').publish({ upstream: 'api', endpoints: ['http://a'] });
  for (let failure = 0; failure < 3; failure += 1) {
    channel('discover:error').publish({ upstream: 'api', error: new Error('queryA ETIMEOUT api.internal') });
  }
  stop();
  await log.flush(1000);
  const lines = written
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ time: _time, ...line }) => line),
    [
      { level: 'warn', message: 'an endpoint is unhealthy', ...one, before: 'healthy', why: 'it has answered 503' },
      { level: 'info', message: 'an endpoint is healthy', ...one, before: 'unhealthy' },
      { level: 'info', message: 'endpoints found', upstream: 'api', endpoints: ['http://a'] },
      {
        level: 'warn',
        message: 'looking for endpoints fails, those found before stay',
        upstream: 'api',
        reason: 'queryA ETIMEOUT api.internal',
        count: 1,
      },
    ],
  );
});
