import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DateValue, systemClock } from '../../src/core/clock.ts';
import { ManualClock } from '../support/manual-clock.ts';

test('the date is of this second, and made once in it (RFC 9110 §5.6.7)', () => {
  const clock = new ManualClock(Date.UTC(2026, 1, 3, 4, 5, 6, 400));
  const date = new DateValue(clock);
  const first = date.at(clock.now());
  assert.equal(first, 'Tue, 03 Feb 2026 04:05:06 GMT');
  clock.advance(599);
  assert.equal(date.at(clock.now()), first);
  clock.advance(1);
  assert.equal(date.at(clock.now()), 'Tue, 03 Feb 2026 04:05:07 GMT');
  clock.advance(10_000);
  assert.equal(date.at(clock.now()), 'Tue, 03 Feb 2026 04:05:17 GMT');
});

test('the system clock runs what is due and not what was cancelled', async () => {
  const ran: string[] = [];
  systemClock.after(1, () => ran.push('cancelled')).cancel();
  const before = systemClock.now();
  await new Promise<void>((resolve) => systemClock.after(1, resolve));
  const timer = await new Promise<{ cancel(): void }>((resolve) => {
    const started = systemClock.every(1, () => {
      ran.push('every');
      if (ran.length === 2) resolve(started);
    });
    systemClock.after(50, () => undefined);
  });
  timer.cancel();
  assert.deepEqual(ran, ['every', 'every']);
  assert.ok(systemClock.now() > before);
  assert.ok(Math.abs(systemClock.wallMs() - Date.now()) < 1000);
});

test('what is due in more than a timer of Node can count to is not due at once', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const ran: string[] = [];
  const monthMs = 30 * 86_400_000;
  const timerMaxMs = 2 ** 31 - 1;
  systemClock.after(monthMs, () => ran.push('month'));
  systemClock.after(monthMs, () => ran.push('cancelled')).cancel();
  const later = systemClock.after(monthMs, () => ran.push('cancelled later'));
  // Rarely enough: who looks after something every month may do so every 25 days.
  systemClock.every(monthMs, () => ran.push('every'));
  context.mock.timers.tick(timerMaxMs - 1);
  assert.deepEqual(ran.splice(0), []);
  context.mock.timers.tick(1);
  assert.deepEqual(ran.splice(0), ['every']);
  later.cancel();
  context.mock.timers.tick(monthMs - timerMaxMs - 1);
  assert.deepEqual(ran.splice(0), []);
  context.mock.timers.tick(1);
  assert.deepEqual(ran.splice(0), ['month']);
});
