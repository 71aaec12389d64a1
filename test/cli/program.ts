import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';

/** What `sluice` runs. */
export const CLI = join(import.meta.dirname, '../../src/cli.ts');

/** A `sluice` process under test. */
export class Program {
  stdout = '';
  stderr = '';
  exitCode: number | null = null;
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly ended: Promise<number | null>;
  private waiters: (() => void)[] = [];

  constructor(args: readonly string[], folder: string, environment: Readonly<Record<string, string>>) {
    this.child = spawn(process.execPath, [CLI, ...args], {
      cwd: folder,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.wake();
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.wake();
    });
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code) => {
        this.exitCode = code;
        resolve(code);
        this.wake();
      });
    });
  }

  /** Waits until the output matches, and gives the match. Rejects when the program ends without it. */
  async says(pattern: RegExp, from: 'stdout' | 'stderr' = 'stderr'): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this[from]);
      if (match !== null) return match;
      if (this.child.stdout.closed && this.child.stderr.closed)
        throw new Error(`ended with ${this.exitCode} without saying ${pattern}\n${this.stdout}\n${this.stderr}`);
      await new Promise<void>((resolve) => this.waiters.push(resolve));
    }
  }

  /** The origin it listens on, such as `http://127.0.0.1:40123`. */
  async origin(listener = '[^)]*'): Promise<string> {
    const match = await this.says(new RegExp(`^listening on (https?://\\S+) \\(${listener}\\)$`, 'm'));
    return match[1] ?? '';
  }

  /** The lines on standard output with this message, read as JSON. */
  logged(message: string): Record<string, unknown>[] {
    const entries = this.stdout.split('\n').filter((line) => line !== '');
    return entries
      .map((line): Record<string, unknown> => ({ ...Object(JSON.parse(line)) }))
      .filter((entry) => entry.message === message);
  }

  private wake(): void {
    const { waiters } = this;
    this.waiters = [];
    for (const resolve of waiters) resolve();
  }
}

/** Starts `sluice` with these arguments in a folder with these files; the process and the folder end with the test. */
export function start(
  context: TestContext,
  args: readonly string[],
  files: Readonly<Record<string, string>> = {},
  environment: Readonly<Record<string, string>> = {},
): Program & { readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const program = Object.assign(new Program(args, folder, environment), { folder });
  context.after(async () => {
    program.child.kill('SIGKILL');
    await program.ended;
    rmSync(folder, { recursive: true });
  });
  return program;
}

/** Runs `sluice` to its end. */
export async function run(
  context: TestContext,
  ...given: Parameters<typeof start> extends [unknown, ...infer Rest] ? Rest : never
): Promise<Program> {
  const program = start(context, ...given);
  await program.ended;
  return program;
}
