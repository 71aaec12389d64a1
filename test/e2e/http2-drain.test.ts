import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { BoundSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { ServerProcess } from '../server/process.ts';
import { eventually } from '../support/wire.ts';
import { http2Fleet, newHttp2Tally } from './http2-fleet.ts';

const FLEET = { connectionCount: 20, loopCount: 10 };
const h2 = { protocols: ['h2', 'http1'] } as const;

for (const target of ['/', '/?delayMs=5']) {
  test(`200 requests at once over HTTP/2 in closed loops to ${target}: a drain loses none`, async (t) => {
    for (let round = 0; round < 2; round += 1) {
      const server = new ServerProcess(t, { listeners: [{ bind: '127.0.0.1:0', ...h2 }] });
      const [port = 0] = await server.ports();
      const tally = newHttp2Tally();
      const fleet = http2Fleet(port, FLEET, { target, wanted: 'served /\n' }, tally, () => false);
      await eventually(() => tally.answered > 400 + round * 37);
      const [report] = await Promise.all([server.drain(), fleet]);
      assert.deepEqual([...tally.how], [], 'requests that ended otherwise');
      assert.deepEqual([report.outcome, report.mayHaveLostCount], ['clean', 0]);
      assert.equal((await server.last()).served, tally.answered, 'what was refused has never come here');
      assert.equal(await server.ended, 0);
    }
  });
}

/** The program on a socket that it inherits, which its successors have too. */
async function program(t: TestContext, fd: number) {
  const config = { listeners: [{ bind: 'fd:3', ...h2 }], routes: [{ respond: { body: 'served\n' } }] };
  const main = join(import.meta.dirname, '../../src/cli.ts');
  const folder = mkdtempSync(join(tmpdir(), 'sluice-restart-'));
  const path = join(folder, 'sluice.json');
  writeFileSync(path, JSON.stringify(config));
  const args = ['--conditions=sluice-source', main, 'run', path];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe', fd] });
  t.after(() => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await eventually(() => said.includes('listening on') || child.exitCode !== null, 'the program');
  assert.ok(said.includes('listening on'), said);
  return child;
}

test('restarts by SIGTERM under load lose no request of HTTP/2 clients', async (t) => {
  const socket = new BoundSocket({ host: '127.0.0.1', port: 0 });
  t.after(() => socket.close());
  const tally = newHttp2Tally();
  let over = false;
  let running = await program(t, socket.fd());
  const { port } = socket.address();
  const fleet = http2Fleet(port, FLEET, { target: '/', wanted: 'served\n' }, tally, () => over);
  for (let restart = 0; restart < 2; restart += 1) {
    const before = tally.answered;
    await eventually(() => tally.answered > before + 400);
    const next = await program(t, socket.fd());
    const old = running;
    running = next;
    old.kill('SIGTERM');
    assert.deepEqual(await once(old, 'exit'), [0, null]);
  }
  const before = tally.answered;
  await eventually(() => tally.answered > before + 400);
  over = true;
  running.kill('SIGTERM');
  await Promise.all([fleet, once(running, 'exit')]);
  assert.deepEqual([...tally.how], [], 'requests that ended otherwise');
});

const run = promisify(execFile);

const withoutTools = !existsSync('/usr/bin/h2load') && 'needs nghttp2-client';

test('h2load and nghttp are answered, during a drain too', { skip: withoutTools }, async (t) => {
  const server = new ServerProcess(t, { listeners: [{ bind: '127.0.0.1:0', ...h2 }] });
  const [port = 0] = await server.ports();
  const url = `http://127.0.0.1:${port}/`;
  const { stdout } = await run('h2load', ['-n2000', '-c4', '-m16', url]);
  assert.match(stdout, /requests: 2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored/);
  const { stdout: verbose } = await run('nghttp', ['-v', `${url}?delayMs=1`, `${url}b`]);
  assert.match(verbose, /served \/b/);
  assert.match(verbose, /:status: 200/);
  const slow = run('nghttp', ['-v', `${url}?delayMs=700`]);
  while ((await server.status()).requests.inFlight === 0) await new Promise((resolve) => setImmediate(resolve));
  const report = server.drain();
  const { stdout: late } = await slow;
  assert.match(late, /recv GOAWAY frame <length=8, [^>]*>\n\s+\(last_stream_id=2147483647, error_code=NO_ERROR/);
  assert.match(late, /served \//);
  assert.equal((await report).outcome, 'clean');
});
