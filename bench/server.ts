import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerFault } from './answer.ts';
import { certificateFiles } from './certificate.ts';
import type { Address, Job } from './job.ts';
import { originCommand, type Peer } from './peers.ts';
import { LOAD_CORE, newFolder, type Program, SERVER_CORE, start } from './program.ts';
import type { Check, Scenario } from './scenarios.ts';

const READY_MS = 15_000;
const NO_ORIGIN: Address = { wire: 'http', port: 0 };

/** A server that answers as it should. */
export interface Server extends Address, AsyncDisposable {
  readonly peer: string;
  readonly version: string;
  readonly program: Program;
}

/** Starts a peer on the servers' core. Throws, with what it has printed, when it does not answer as it should. */
export async function startServer(peer: Peer, scenario: Scenario, origin = NO_ORIGIN): Promise<Server> {
  const version = peer.version();
  if (version === null) throw new Error('not installed');
  const { site, wire, check } = scenario;
  const job = await newJob({ site, wire, origin });
  return started(peer.name, version, job, start(peer.command(job), SERVER_CORE), check);
}

/** Starts the server behind the proxies, on the load's core. */
export async function startOrigin({ originWire, check }: Scenario): Promise<Server> {
  const job = await newJob({ site: 'hello', wire: originWire, origin: NO_ORIGIN });
  return started('origin', '', job, start(originCommand(job), LOAD_CORE), check);
}

async function newJob(what: Pick<Job, 'site' | 'wire' | 'origin'>): Promise<Job> {
  return { ...what, port: await freePort(), folder: newFolder(), certificate: certificateFiles() };
}

async function started(peer: string, version: string, job: Job, program: Program, check: Check): Promise<Server> {
  await ready(program, job, check);
  const { wire, port } = job;
  return { peer, version, wire, port, program, [Symbol.asyncDispose]: () => program.stop() };
}

async function ready(program: Program, address: Address, check: Check): Promise<void> {
  const untilMs = performance.now() + READY_MS;
  for (;;) {
    const fault = await answerFault(address, check);
    if (fault === null) return;
    const ended = !program.running();
    if (ended || performance.now() > untilMs) {
      await program.stop();
      throw new Error(`${ended ? 'it ended before it answered' : fault}\n${program.output().slice(-2000)}`.trim());
    }
    await sleep(50);
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
