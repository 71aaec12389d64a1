import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from './configurations.ts';
import { originCommand, type Peer } from './peers.ts';
import { LOAD_CORE, newFolder, type Program, SERVER_CORE, start } from './program.ts';
import type { Check, Scenario } from './scenarios.ts';

const READY_MS = 15_000;

/** A server that answers as it should. */
export interface Server extends AsyncDisposable {
  readonly peer: string;
  readonly version: string;
  readonly port: number;
  readonly program: Program;
}

/** Starts a peer on the servers' core. Throws, with what it has printed, when it does not answer as it should. */
export async function startServer(peer: Peer, scenario: Scenario, originPort: number): Promise<Server> {
  const version = peer.version();
  if (version === null) throw new Error('not installed');
  const job: Job = { site: scenario.site, port: await freePort(), originPort, folder: newFolder() };
  const program = start(peer.command(job), SERVER_CORE);
  await ready(program, job.port, scenario.check);
  return { peer: peer.name, version, port: job.port, program, [Symbol.asyncDispose]: () => program.stop() };
}

/** Starts the server behind the proxies, on the load's core. */
export async function startOrigin(check: Check): Promise<Server> {
  const port = await freePort();
  const job: Job = { site: 'hello', port, originPort: port, folder: newFolder() };
  const program = start(originCommand(job), LOAD_CORE);
  await ready(program, port, check);
  return { peer: 'origin', version: '', port, program, [Symbol.asyncDispose]: () => program.stop() };
}

async function ready(program: Program, port: number, check: Check): Promise<void> {
  const untilMs = performance.now() + READY_MS;
  for (;;) {
    const fault = await answerFault(port, check);
    if (fault === null) return;
    const ended = !program.running();
    if (ended || performance.now() > untilMs) {
      await program.stop();
      throw new Error(`${ended ? 'it ended before it answered' : fault}\n${program.output().slice(-2000)}`.trim());
    }
    await sleep(50);
  }
}

async function answerFault(port: number, { method, path, body, answer }: Check): Promise<string | null> {
  const headers = body === null ? {} : { 'content-type': 'application/octet-stream' };
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      body,
      headers: { ...headers, connection: 'close' },
      signal: AbortSignal.timeout(2000),
    });
    const text = await response.text();
    if (response.status !== 200) return `${method} ${path} answered ${response.status}: ${text.slice(0, 200)}`;
    return text === answer ? null : `${method} ${path} answered ${text.length} bytes that are not the expected ones`;
  } catch {
    return 'it does not answer';
  }
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
