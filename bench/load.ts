import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { h2load } from './h2load.ts';
import { handshakes } from './handshakes.ts';
import type { Address } from './job.ts';
import { LOAD_CORE, start } from './program.ts';
import type { Round } from './results.ts';
import type { Load, Scenario } from './scenarios.ts';
import type { Server } from './server.ts';
import type { Figures, Tool } from './tool.ts';
import { cpuTime } from './usage.ts';
import { wrk } from './wrk.ts';

const TOOLS: Readonly<Record<Load['tool'], Tool>> = { wrk, h2load, handshakes };

/** Puts load on a server and measures it. */
export async function loadRound(server: Server, scenario: Scenario, seconds: number): Promise<Round> {
  const { pid } = server.program;
  const before = cpuTime(pid);
  const { figures, servedCount } = await run(server, scenario, seconds);
  const after = cpuTime(pid);
  const userMicros = after.userMicros - before.userMicros;
  const systemMicros = after.systemMicros - before.systemMicros;
  return {
    ...figures,
    cpuMicros: (userMicros + systemMicros) / figures.requestCount,
    userMicros: userMicros / figures.requestCount,
    servedCount,
  };
}

async function run(
  address: Address,
  scenario: Scenario,
  seconds: number,
): Promise<{ figures: Figures; servedCount: number | null }> {
  const { tool = 'wrk', keepsConnections = true } = scenario.load ?? {};
  const { command, figures: read } = TOOLS[tool];
  await using program = start(command(address, scenario, seconds), LOAD_CORE);
  await Promise.race([program.ended, sleep(seconds * 700)]);
  const servedCount = keepsConnections ? servedConnections(address) : null;
  const late = new AbortController();
  await Promise.race([
    program.ended,
    sleep(seconds * 300 + 10_000, undefined, { signal: late.signal }).catch(() => undefined),
  ]);
  late.abort();
  const figures = read(program.output(), scenario);
  if (figures === null) throw new Error(`${tool} gave no result\n${program.output().slice(-2000)}`);
  if (figures.requestCount === 0) throw new Error('not one request was answered');
  return { figures, servedCount };
}

/** More than a server sends before its first answer: certificates, tickets, settings. */
const PREAMBLE_MAX_BYTES = 2048;

/** How many of the open connections to a server have had bytes of an answer; `null` without `ss`. */
function servedConnections({ wire, port }: Address): number | null {
  const { status, stdout } = spawnSync('ss', ['-Htin', 'state', 'established', `dport = :${port}`], {
    encoding: 'utf8',
  });
  if (status !== 0) return null;
  const unansweredBytes = wire === 'http' ? 0 : PREAMBLE_MAX_BYTES;
  return [...stdout.matchAll(/\bbytes_received:(\d+)/g)].filter(([, bytes]) => Number(bytes) > unansweredBytes).length;
}
