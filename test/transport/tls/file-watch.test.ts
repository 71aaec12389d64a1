import assert from 'node:assert/strict';
import fs, { type FSWatcher } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FileWatch } from '../../../src/transport/tls/file-watch.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { eventually } from '../../support/wire.ts';

/** A watch on one file, and the watchers that it has opened so far. */
function watched(context: TestContext) {
  const folder = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'sluice-watch-')));
  const file = join(folder, 'tls.crt');
  fs.writeFileSync(file, 'one');
  const watchers: FSWatcher[] = [];
  const { watch } = fs;
  const mocked = context.mock.method(fs, 'watch', (...how: Parameters<typeof watch>) => {
    const watcher = watch(...how);
    watchers.push(watcher);
    return watcher;
  });
  syncBuiltinESMExports();
  const clock = new ManualClock();
  const errors: string[] = [];
  const on = { file, watchers, mocked, clock, errors, changeCount: 0 };
  const fileWatch = new FileWatch(
    [file],
    clock,
    () => {
      on.changeCount += 1;
    },
    (error) => errors.push(error.message),
  );
  context.after(() => {
    fileWatch.close();
    mocked.mock.restore();
    syncBuiltinESMExports();
    fs.rmSync(folder, { recursive: true });
    assert.equal(clock.timerCount, 0);
  });
  return on;
}

test('a watcher that fails is opened again, and what was missed meanwhile is read', async (context) => {
  const on = watched(context);
  const before = on.watchers.length;
  for (const watcher of on.watchers.splice(0)) watcher.emit('error', new Error('lost'));
  assert.equal(on.errors.length, before);
  on.clock.advance(999);
  assert.deepEqual([on.watchers.length, on.changeCount], [0, 0]);
  on.clock.advance(1);
  assert.deepEqual([on.watchers.length, on.changeCount], [before, 1]);
  fs.writeFileSync(on.file, 'two');
  await eventually(() => {
    on.clock.advance(200);
    return on.changeCount > 1;
  });
});

test('a folder that cannot be watched is tried again five times, ever more seldom, and anew when it has gone well for a while', (context) => {
  const on = watched(context);
  on.mocked.mock.mockImplementation(() => {
    throw new Error('no watchers left');
  });
  syncBuiltinESMExports();
  on.watchers[0]?.emit('error', new Error('lost'));
  const triedSec: number[] = [];
  for (let second = 1; second <= 40; second += 1) {
    const before = on.changeCount;
    on.clock.advance(1000);
    if (on.changeCount > before) triedSec.push(second);
  }
  assert.deepEqual(triedSec, [1, 3, 7, 15, 31]);
  assert.equal(on.clock.timerCount, 0);
  on.clock.advance(60_000);
  on.watchers[1]?.emit('error', new Error('lost'));
  assert.equal(on.clock.timerCount, 1);
});
