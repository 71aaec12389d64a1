import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOAD_CORE, start } from './program.ts';
import type { Round } from './results.ts';
import type { Scenario } from './scenarios.ts';
import type { Server } from './server.ts';
import { cpuTime } from './usage.ts';

/** Puts load on a server and measures it. */
export async function loadRound(server: Server, scenario: Scenario, seconds: number): Promise<Round> {
  const { pid } = server.program;
  const before = cpuTime(pid);
  const { result, servedCount } = await runWrk(server.port, scenario, seconds);
  const after = cpuTime(pid);
  // wrk takes the latency of a batch for that of each of its requests.
  const latencyKnown = !scenario.load?.some((argument) => argument.startsWith('pipeline='));
  const userMicros = after.userMicros - before.userMicros;
  const systemMicros = after.systemMicros - before.systemMicros;
  return {
    requestsPerSec: result.requestCount / (result.durationMicros / 1e6),
    cpuMicros: (userMicros + systemMicros) / result.requestCount,
    userMicros: userMicros / result.requestCount,
    p50Ms: latencyKnown ? result.p50Micros / 1000 : null,
    p99Ms: latencyKnown ? result.p99Micros / 1000 : null,
    requestCount: result.requestCount,
    errorCount: result.statusErrorCount + result.socketErrorCount,
    servedCount,
  };
}

/** What load.lua prints. */
interface WrkResult {
  requestCount: number;
  durationMicros: number;
  statusErrorCount: number;
  socketErrorCount: number;
  p50Micros: number;
  p99Micros: number;
}

async function runWrk(
  port: number,
  { connectionCount, check, load }: Scenario,
  seconds: number,
): Promise<{ result: WrkResult; servedCount: number | null }> {
  const script = join(import.meta.dirname, 'load.lua');
  const url = `http://127.0.0.1:${port}${check.path}`;
  const options = ['-t1', `-c${connectionCount}`, `-d${seconds}s`, '--timeout', '5s', '-s', script];
  await using wrk = start(['wrk', ...options, url, '--', ...(load ?? [])], LOAD_CORE);
  await Promise.race([wrk.ended, sleep(seconds * 700)]);
  const servedCount = load?.includes('close=yes') ? null : servedConnections(port);
  const late = new AbortController();
  await Promise.race([
    wrk.ended,
    sleep(seconds * 300 + 10_000, undefined, { signal: late.signal }).catch(() => undefined),
  ]);
  late.abort();
  const line = /^result (\{.*\})$/m.exec(wrk.output())?.[1];
  if (line === undefined) throw new Error(`wrk gave no result\n${wrk.output().slice(-2000)}`);
  const result: WrkResult = JSON.parse(line);
  if (result.requestCount === 0) throw new Error('not one request was answered');
  return { result, servedCount };
}

/** How many of the open connections to a port have had bytes of an answer; `null` without `ss`. */
function servedConnections(port: number): number | null {
  const { status, stdout } = spawnSync('ss', ['-Htin', 'state', 'established', `dport = :${port}`], {
    encoding: 'utf8',
  });
  return status === 0 ? [...stdout.matchAll(/\bbytes_received:[1-9]/g)].length : null;
}
