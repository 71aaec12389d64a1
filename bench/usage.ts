import { readdirSync, readFileSync } from 'node:fs';

/** The kernel counts CPU time for programs in hundredths of a second, on every architecture Node runs on. */
const MICROS_PER_TICK = 10_000;

/** CPU time of a process group since its beginning. */
export interface CpuTime {
  readonly userMicros: number;
  readonly systemMicros: number;
}

/** CPU time of all processes of a group, and of their children that have ended. */
export function cpuTime(group: number): CpuTime {
  let userTicks = 0;
  let systemTicks = 0;
  for (const { fields } of processesOf(group)) {
    userTicks += Number(fields[11]) + Number(fields[13]);
    systemTicks += Number(fields[12]) + Number(fields[14]);
  }
  return { userMicros: userTicks * MICROS_PER_TICK, systemMicros: systemTicks * MICROS_PER_TICK };
}

/** Memory of all processes of a group; pages that several share are counted once (PSS). */
export function memoryBytes(group: number): number {
  let kibibytes = 0;
  for (const { pid } of processesOf(group)) {
    const rollup = readIfThere(`/proc/${pid}/smaps_rollup`);
    kibibytes += Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0);
  }
  return kibibytes * 1024;
}

/** `fields` are those of /proc/PID/stat from the third on: state, parent, group, … */
function processesOf(group: number): { pid: string; fields: string[] }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      const stat = readIfThere(`/proc/${pid}/stat`);
      // The second field is the program's name in brackets, which may itself have blanks and brackets.
      return { pid, fields: stat.slice(stat.lastIndexOf(')') + 2).split(' ') };
    })
    .filter(({ fields }) => Number(fields[2]) === group);
}

/** Processes come and go while their files are read. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
