import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { DrainReport } from '../../src/server/drain.ts';
import type { DrainOptions, ListenerOptions } from '../../src/server/options.ts';
import type { ServerStatus } from '../../src/server/status.ts';

/** What a server in a process of its own is started with. */
export interface ProcessOptions {
  readonly listeners: readonly ListenerOptions[];
  readonly drain?: Partial<DrainOptions>;
}

/** What its parent may ask of it. */
export type Command =
  | { readonly do: 'drain'; readonly options?: Partial<DrainOptions> }
  | { readonly do: 'drain-blocked'; readonly blockMs: number; readonly options?: Partial<DrainOptions> }
  | { readonly do: 'status' }
  | { readonly do: 'cpu' }
  | { readonly do: 'hold-files' }
  | { readonly do: 'release-files' };

/** `id` 0 is what it says without being asked. */
export interface Reply {
  readonly id: number;
  readonly value: unknown;
}

interface Opened {
  readonly error?: string;
  readonly listeners?: readonly { readonly name: string; readonly address: { host: string; port: number } }[];
}

export interface StartOptions {
  /** Descriptors the process gets as 3, 4 and so on. */
  readonly inherit?: readonly number[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Run by `sh` before the server takes the shell's place, such as `ulimit -n 64`. */
  readonly shell?: string;
}

/** A server in a process of its own; the process ends with the test. */
export class ServerProcess {
  readonly ended: Promise<number | null>;
  private readonly child: ChildProcess;
  private readonly replies = new Map<number, (value: unknown) => void>();
  private readonly unasked: unknown[] = [];
  private wake: (() => void) | null = null;
  private lastId = 0;

  constructor(context: TestContext, options: ProcessOptions, start: StartOptions = {}) {
    const program = join(import.meta.dirname, 'server-process.ts');
    const inherit = start.inherit ?? [];
    this.child = spawn(
      'sh',
      ['-c', `${start.shell ?? ':'}; exec "$@"`, 'sh', process.execPath, program, JSON.stringify(options)],
      {
        stdio: ['ignore', 'inherit', 'inherit', ...inherit, 'ipc'],
        env: { ...process.env, ...start.environment },
      },
    );
    this.ended = once(this.child, 'exit').then(([code]) => code);
    this.child.on('message', (reply: Reply) => this.take(reply));
    this.child.on('exit', () => this.wake?.());
    context.after(() => this.kill());
  }

  /** Its next word without being asked. */
  async says(): Promise<unknown> {
    while (this.unasked.length === 0) {
      if (this.child.exitCode !== null) throw new Error(`the server process ended with ${this.child.exitCode}`);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.unasked.shift();
  }

  /** The ports of its listeners. Rejects with its line when it could not open them. */
  async ports(): Promise<readonly number[]> {
    const opened = (await this.says()) as Opened;
    if (opened.error !== undefined) throw new Error(opened.error);
    return (opened.listeners ?? []).map(({ address }) => address.port);
  }

  drain(command: Extract<Command, { do: 'drain' | 'drain-blocked' }> = { do: 'drain' }): Promise<DrainReport> {
    return this.ask(command) as Promise<DrainReport>;
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  /** How many requests it has served, once it is drained. */
  async last(): Promise<ServerStatus['requests']> {
    return (await this.says()) as ServerStatus['requests'];
  }

  status(): Promise<ServerStatus> {
    return this.ask({ do: 'status' }) as Promise<ServerStatus>;
  }

  /** Milliseconds of CPU time it has used so far. */
  async cpuMs(): Promise<number> {
    const { user, system } = (await this.ask({ do: 'cpu' })) as NodeJS.CpuUsage;
    return (user + system) / 1000;
  }

  ask(command: Command): Promise<unknown> {
    this.lastId += 1;
    const id = this.lastId;
    return new Promise((resolve) => {
      this.replies.set(id, resolve);
      this.child.send({ id, command });
    });
  }

  private take(reply: Reply): void {
    if (reply.id === 0) {
      this.unasked.push(reply.value);
      this.wake?.();
    } else this.replies.get(reply.id)?.(reply.value);
  }
}
