import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReceiveWindow } from '../../../src/protocol/http2/window.ts';

test('a window is refilled when its threshold, or half of it, has been used', () => {
  const window = new ReceiveWindow(1000, 400);
  assert.equal(window.take(400), true);
  assert.equal(window.credit(399), 0);
  assert.equal(window.credit(1), 400);
  const small = new ReceiveWindow(100, 400);
  small.take(50);
  assert.equal(small.credit(50), 50);
});

test('more than it allows is not taken, and shuts it', () => {
  const window = new ReceiveWindow(10, 5);
  assert.deepEqual([window.take(10), window.open, window.take(1)], [true, false, false]);
});

test('a window that may grow doubles each time its reader has kept up, as far as it may', () => {
  const window = new ReceiveWindow(100, 50, 350);
  const used = (bytes: number): number => {
    assert.equal(window.take(bytes), true);
    return window.credit(bytes);
  };
  assert.equal(used(50), 50 + 100, 'to 200');
  assert.equal(used(50), 50 + 150, 'to 350');
  assert.equal(used(50), 50);
  assert.equal(window.take(350), true);
  assert.equal(window.take(1), false, 'no larger than it may be');
});
