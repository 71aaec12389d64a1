import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Servers under test run on the first core; load, origin and the benchmark itself on the second. */
export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

const root = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const groups = new Set<number>();
let folderCount = 0;

/** A running program. It leads a process group, so that its children can be counted and ended with it. */
export interface Program extends AsyncDisposable {
  readonly pid: number;
  /** Its exit status; `null` when a signal ended it. */
  readonly ended: Promise<number | null>;
  running(): boolean;
  /** What it and its children have written to stdout and stderr. */
  output(): string;
  /** SIGTERM, and SIGKILL for whatever of the group is left after three seconds. */
  stop(): Promise<void>;
}

/** A new empty folder, gone when the benchmark ends. */
export function newFolder(): string {
  const folder = join(root, String(++folderCount));
  mkdirSync(folder);
  return folder;
}

/** Starts a program on one core. It is ended when the benchmark ends, whatever the reason. */
export function start(command: readonly string[], core: number): Program {
  const outputFile = join(newFolder(), 'output.txt');
  const output = openSync(outputFile, 'w');
  // Should the benchmark be killed, the kernel tells its children (pdeathsig); in all other cases it tells them itself.
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', 'taskset', '-c', String(core), ...command], {
    detached: true,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  const { pid } = child;
  if (pid === undefined) throw new Error('setpriv (util-linux) could not be started');
  groups.add(pid);
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', (status) => resolve(status));
  });
  const stop = async (): Promise<void> => {
    if (!groups.has(pid)) return;
    signalGroup(pid, 'SIGTERM', child.exitCode === null);
    await Promise.race([ended, sleep(3000, undefined, { ref: false })]);
    endGroup(pid);
    await ended;
  };
  return {
    pid,
    ended,
    running: () => child.exitCode === null && child.signalCode === null,
    output: () => readFileSync(outputFile, 'utf8'),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Keeps the benchmark itself off the servers' core, and leaves nothing behind when it ends. */
export function settle(): void {
  const { status } = spawnSync('taskset', ['-acp', String(LOAD_CORE), String(process.pid)]);
  if (status !== 0) throw new Error('the benchmark needs Linux, taskset (util-linux) and two cores');
  process.on('exit', () => {
    for (const pid of groups) endGroup(pid);
    rmSync(root, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
}

/** To the leader alone where it still runs: servers such as nginx pass it on in their own way. */
function signalGroup(pid: number, signal: 'SIGTERM' | 'SIGKILL', leaderOnly: boolean): void {
  try {
    process.kill(leaderOnly ? pid : -pid, signal);
  } catch {
    // Nobody of the group is left.
  }
}

function endGroup(pid: number): void {
  signalGroup(pid, 'SIGKILL', false);
  groups.delete(pid);
}
