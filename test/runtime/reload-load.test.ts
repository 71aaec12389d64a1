import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { start } from '../cli/program.ts';
import { eventually } from '../support/wire.ts';
import { Answering } from '../upstream/answering.ts';

/** Status of an answer that was read to its end, or what went wrong. */
function outcome(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve) => {
    const request = get(url, { agent }, (response) => {
      response.on('error', ({ message }) => resolve(message));
      response.on('end', () => resolve(String(response.statusCode))).resume();
    });
    request.on('error', ({ message }) => resolve(message));
  });
}

test('reloads that move, weigh and rebuild an upstream fail no request under load', async (context) => {
  await using servers = new AsyncDisposableStack();
  const [a, b, c] = await Promise.all([Answering.listen(), Answering.listen(), Answering.listen()]);
  for (const server of [a, b, c]) {
    servers.use(server);
    server.instead = (_request, response) => void setImmediate(() => response.end('answer'));
  }
  const hitCount = (): number => a.hitCount + b.hitCount + c.hitCount;
  const config = (endpoints: string, more = ''): string => `
listeners: [{ name: web, bind: "127.0.0.1:0" }]
routes: [{ proxy: { upstream: api } }]
upstreams:
  - name: api
    endpoints: [${endpoints}]
    health: { active: { intervalMs: 20 }, passive: {} }
    breaker: {}
${more}`;
  const steps = [
    config(`"${b.url}", "${c.url}"`),
    config(`{ url: "${b.url}", weight: 3 }, "${a.url}"`),
    config(`"${a.url}"`, '    timeouts: { headMs: 1234 }'),
    config(`"${a.url}", "${c.url}"`, '    timeouts: { headMs: 1234 }'),
  ];
  const program = start(context, ['run'], { 'sluice.yaml': config(`"${a.url}", "${b.url}"`) });
  const origin = await program.origin('web');
  const agent = new Agent({ keepAlive: true });
  const counts = new Map<string, number>();
  let loading = true;
  const clients = Array.from({ length: 8 }, async () => {
    while (loading) {
      const result = await outcome(`${origin}/`, agent);
      counts.set(result, (counts.get(result) ?? 0) + 1);
    }
  });
  for (let reload = 1; reload <= 12; reload += 1) {
    writeFileSync(join(program.folder, 'sluice.yaml'), steps[reload % steps.length] ?? '');
    program.child.kill('SIGHUP');
    await eventually(() => program.logged('reloaded').length === reload);
    const askedCount = hitCount();
    await eventually(() => hitCount() >= askedCount + 50);
  }
  loading = false;
  await Promise.all(clients);
  agent.destroy();
  assert.deepEqual([...counts.keys()], ['200'], JSON.stringify([...counts]));
});
