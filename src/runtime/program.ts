import { inspect } from 'node:util';
import { LOG_DEFAULTS, Log } from '../ops/log.ts';
import { logEvents } from '../ops/log-events.ts';
import { BindError } from '../server/bind.ts';
import type { DrainReport } from '../server/drain.ts';
import { DRAIN_DEFAULTS } from '../server/options.ts';
import { type Server, serve } from '../server/serve.ts';
import { CertificateError } from '../transport/tls/certificate.ts';
import { openAdmin } from './admin.ts';
import { type Assembly, assemble, goneUpstreams } from './assemble.ts';
import type { LoadedConfig } from './config.ts';
import { ConfigError } from './problem.ts';
import type { Config } from './schema.ts';
import { followSignals } from './signals.ts';

/** A program, from its configuration to its exit code. */
export interface ProgramOptions {
  /** Reads the configuration: at the start, and again on SIGHUP. */
  readonly load: () => Promise<LoadedConfig>;
  /** Called when it listens, after the `listening on` lines. */
  readonly ready?: (origins: readonly string[]) => void;
  /** Called when the drain is over. */
  readonly stopped?: () => Promise<void>;
}

/** How long the last log lines may take to leave. */
const FLUSH_MS = 1000;
/** The process ends by itself when nothing holds it; this is for when something does. */
const EXIT_MS = 500;

/**
 * Serves until a signal has ended it. Resolves with the exit code: 0 after a clean drain, 1 when it could not listen,
 * had to force, or met an error nobody caught. Rejects with `ConfigError` when the first configuration is wrong.
 */
export async function runProgram(options: ProgramOptions): Promise<number> {
  const loaded = await options.load();
  notice(loaded.warnings);
  const log = new Log(logSettings(loaded));
  const assembly = assemble(loaded, log);
  // What happens while it opens is logged, too.
  const stopLogging = logEvents(log);
  try {
    const server = await serve({
      listeners: assembly.listeners,
      handler: () => ({ status: 404 }),
      drain: loaded.config.drain,
    });
    return await new Program(options, server, assembly, log, stopLogging).run();
  } catch (error) {
    // A TypeError here is an address that only the running process can judge, such as a socket from systemd.
    const expected = error instanceof BindError || error instanceof TypeError || error instanceof CertificateError;
    if (!expected) throw error;
    notice(error.message);
    return 1;
  }
}

/** The log line of a drain names this many of those who were cut off, and counts the rest. */
const FORCED_SHOWN_COUNT = 20;

class Program {
  private readonly options: ProgramOptions;
  readonly server: Server;
  assembly: Assembly;
  private readonly log: Log;
  /** With what it has begun to listen: reloads do not change that. */
  private readonly begun: Config;
  private admin: Server | null = null;
  private stopLogging: () => void;
  private draining = false;
  private failed = false;
  private reloading: Promise<void> = Promise.resolve();
  private end: (report: DrainReport) => void = () => undefined;

  constructor(options: ProgramOptions, server: Server, assembly: Assembly, log: Log, stopLogging: () => void) {
    this.options = options;
    this.server = server;
    this.assembly = assembly;
    this.log = log;
    this.begun = assembly.loaded.config;
    this.stopLogging = stopLogging;
  }

  async run(): Promise<number> {
    const ended = new Promise<DrainReport>((resolve) => {
      this.end = resolve;
    });
    const stopFollowing = followSignals(
      process,
      {
        drain: (signal) => this.drain(`${signal} received`),
        force: (signal) => this.force(signal),
        reload: () => this.reload(),
      },
      () => performance.now(),
    );
    const uncaught = (error: unknown): void => this.fail(error);
    process.on('uncaughtException', uncaught);
    // Not before signals are heeded: it serves already.
    this.admin = await this.openAdmin();
    const origins = this.server.listeners.map(origin);
    for (const listener of [...this.server.listeners, ...(this.admin?.listeners ?? [])])
      notice(`listening on ${origin(listener)} (${listener.name})`);
    this.options.ready?.(origins);
    const report = await ended;
    for (const { group } of this.assembly.upstreams.values()) group.close();
    await this.options.stopped?.();
    // Until now it tells how the drain goes.
    await this.admin?.close();
    this.write(report);
    this.stopLogging();
    await this.log.flush(FLUSH_MS);
    stopFollowing();
    process.off('uncaughtException', uncaught);
    const code = this.failed || report.outcome === 'forced' ? 1 : 0;
    setTimeout(() => process.exit(code), EXIT_MS).unref();
    return code;
  }

  private async openAdmin(): Promise<Server | null> {
    try {
      return await openAdmin(this.assembly.loaded, () => this);
    } catch (error) {
      await this.server.close();
      for (const { group } of this.assembly.upstreams.values()) group.close();
      throw error;
    }
  }

  private drain(why: string): void {
    if (this.draining) return;
    this.draining = true;
    const drain = { ...DRAIN_DEFAULTS, ...this.assembly.loaded.config.drain };
    this.log.info(`draining: ${why}`, { ...drain });
    void this.server.drain(drain).then(this.end);
  }

  private force(signal: string): void {
    this.log.warn(`stopping now: ${signal} received again`);
    void this.server.close();
  }

  /** One request's bug should not cost the others, and a process in an unknown state should not go on for long. */
  private fail(error: unknown): void {
    this.failed = true;
    this.log.error('an error that nobody caught', { error });
    this.drain('after an error that nobody caught');
  }

  private reload(): void {
    if (!this.draining) this.reloading = this.reloading.then(() => this.swap());
  }

  private async swap(): Promise<void> {
    try {
      const loaded = await this.options.load();
      notice(loaded.warnings);
      const next = assemble(loaded, this.log, this.assembly);
      this.goLive(next);
      this.stopLogging();
      this.log.configure(logSettings(loaded));
      this.stopLogging = logEvents(this.log);
      if (needsRestart(this.begun, loaded.config))
        this.log.warn('reloaded, but the listeners have changed and need a restart');
      else this.log.info('reloaded');
    } catch (error) {
      if (error instanceof ConfigError) notice(error.message);
      this.log.error(
        'not reloaded, the configuration in force stays',
        error instanceof ConfigError ? { reason: firstLine(error.message) } : { error },
      );
    }
  }

  /** Puts the next graph in place of the one in force, or throws and leaves everything as it was. */
  private goLive(next: Assembly): void {
    const gone = goneUpstreams(this.assembly, next);
    try {
      for (const { name, tls } of next.listeners) {
        const open = this.server.listeners.find((listener) => listener.name === name);
        if (tls !== undefined && open?.secure === true) this.server.updateTls(name, tls);
      }
    } catch (error) {
      next.discard();
      throw error;
    }
    // Before the first request gets there: it should find what is known of endpoints.
    next.goLive();
    this.server.reload(() => ({ status: 404 }), {
      listeners: next.handlers,
      // Not before: a request that began with the old routes may be about to use an old upstream.
      onRetired: () => gone.forEach((group) => void group.drain()),
    });
    this.assembly = next;
  }

  private write(report: DrainReport): void {
    const { forced, durationMs, ...rest } = report;
    const level = report.outcome === 'forced' || report.mayHaveLostCount > 0 ? 'warn' : 'info';
    const shown = { forcedCount: forced.length, forced: forced.slice(0, FORCED_SHOWN_COUNT) };
    this.log.write(level, 'drained', { ...rest, durationMs: Math.round(durationMs), ...shown });
  }
}

const logSettings = ({ config }: LoadedConfig) => ({ ...LOG_DEFAULTS, ...config.logs });

/** All but what TLS is done with takes effect only when the listener is opened. */
function needsRestart(before: Config, after: Config): boolean {
  const [old, now] = [before, after].map(({ listeners, admin }) =>
    inspect([admin, ...listeners.map((listener) => ({ ...listener, tls: listener.tls !== undefined }))], {
      depth: null,
    }),
  );
  return old !== now;
}

function origin({ address: { host, port }, secure }: Server['listeners'][number]): string {
  if (port === 0) return `unix:${host}`;
  return `${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function notice(text: string): void {
  if (text !== '') process.stderr.write(`${text}\n`);
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';
