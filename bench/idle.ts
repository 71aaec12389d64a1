import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOAD_CORE, start } from './program.ts';
import type { Round } from './results.ts';
import type { Scenario } from './scenarios.ts';
import type { Server } from './server.ts';
import { memoryBytes } from './usage.ts';

const HOLD_MS = 60_000;
const SETTLE_MS = 2000;

/** Opens connections to a fresh server, has one answer on each, keeps them, and measures the server's memory. */
export async function idleRound(server: Server, { connectionCount, check }: Scenario): Promise<Round> {
  await sleep(SETTLE_MS);
  const before = memoryBytes(server.program.pid);
  const file = join(import.meta.dirname, 'connection-holder.ts');
  const command = [process.execPath, file, ...[server.port, connectionCount, check.path].map(String)];
  await using holder = start(command, LOAD_CORE);
  const untilMs = performance.now() + HOLD_MS;
  while (!holder.output().includes('answered ')) {
    if (performance.now() > untilMs || !holder.running()) throw new Error(`connections failed\n${holder.output()}`);
    await sleep(100);
  }
  await sleep(SETTLE_MS);
  const after = memoryBytes(server.program.pid);
  const answeredCount = Number(/^answered (\d+)$/m.exec(holder.output())?.[1]);
  return {
    bytesPerConnection: (after - before) / answeredCount,
    beforeMebibytes: before / 2 ** 20,
    afterMebibytes: after / 2 ** 20,
    errorCount: connectionCount - answeredCount,
    servedCount: answeredCount,
  };
}
