import { type Clock, DateValue, systemClock } from '../core/clock.ts';
import type { Handler } from '../core/handler.ts';
import { Lifecycle } from '../core/lifecycle.ts';
import type { Measure, Measured } from '../core/metrics.ts';
import { callable } from '../core/option-kind.ts';
import { type OptionRules, part, partList, required, withDefaults } from '../core/options.ts';
import type { TlsOptions } from '../transport/tls/options.ts';
import { Drain, type DrainReport } from './drain.ts';
import { type DrainTimes, Listener, type ListenerAddress } from './listener.ts';
import { measureListener } from './measures.ts';
import { type DrainOptions, drainSettings, type ListenerOptions, listenerSettings } from './options.ts';
import { listenerStatus, type ServerInfo, type ServerStatus } from './status.ts';

export interface ServeOptions {
  /** For events and logs. Default `sluice`. */
  readonly name?: string | undefined;
  readonly listeners: readonly ListenerOptions[];
  /** Answers every request of every listener that has no handler of its own. */
  readonly handler: Handler;
  readonly drain?: Partial<DrainOptions> | undefined;
  /** Time, for tests. */
  readonly clock?: Clock | undefined;
}

export interface ReloadOptions {
  /** Listeners that get another handler, by name. */
  readonly listeners?: Readonly<Record<string, Handler>> | undefined;
  /** Called when the last request that began before has ended: what only the old handlers used may be closed. */
  readonly onRetired?: (() => void) | undefined;
}

/** A running server. */
export interface Server extends Measured {
  /** In the order of the options. */
  readonly listeners: readonly { readonly name: string; readonly address: ListenerAddress; readonly secure: boolean }[];
  /** This moment's phase and counts; never waits. */
  status(): ServerStatus;
  info(): ServerInfo;
  /** Swaps the handler: the next requests get it, those in flight keep theirs. */
  reload(handler: Handler, options?: ReloadOptions): void;
  /**
   * Reads the certificates of a listener again, or takes other TLS options for it: the next handshakes get them, and
   * connections keep what they have. Without a name it concerns every listener that speaks TLS. Throws `CertificateError`
   * or `TypeError` when they cannot be used, and what was in force stays.
   */
  updateTls(listener?: string, tls?: Partial<TlsOptions>): void;
  /** Starts a drain and returns at once. A second call changes nothing. */
  beginDrain(options?: Partial<DrainOptions>): void;
  /** Starts a drain, or joins the one that runs. Resolves when everything is closed; never rejects. */
  drain(options?: Partial<DrainOptions>): Promise<DrainReport>;
  /**
   * A drain without notice and quiet window: what is in flight finishes, what is idle closes at once. Ends those of a
   * drain that runs already, and shortens its grace if the one given here is over sooner.
   */
  shutdown(options?: Partial<Pick<DrainOptions, 'graceMs'>>): Promise<DrainReport>;
  /** Cuts everything off now. */
  close(): Promise<DrainReport>;
}

const SERVE_DEFAULTS: Required<ServeOptions> = {
  name: 'sluice',
  listeners: [],
  handler: () => ({ status: 404 }),
  drain: undefined,
  clock: systemClock,
};

const LISTENERS = 'at least one, such as { bind: "127.0.0.1:8080" }';

const RULES: OptionRules<Required<ServeOptions>> = {
  kinds: {
    listeners: partList(listenerSettings, LISTENERS, 1),
    drain: part((given) => drainSettings(given)),
  },
  relations: [required('listeners', LISTENERS), required('handler', callable.want)],
};

/**
 * Opens every listener and answers with the handler.
 * Throws `TypeError` naming what is wrong in the options; rejects with `BindError` when an address cannot be had, and
 * then nothing is left open.
 */
export async function serve(options: ServeOptions): Promise<Server> {
  const given = withDefaults<Required<ServeOptions>>('serve', SERVE_DEFAULTS, options, RULES);
  const server = new RunningServer({ ...given, clock: given.clock ?? systemClock, name: given.name ?? 'sluice' });
  await server.open();
  return server;
}

class RunningServer implements Server, DrainTimes {
  readonly listeners: readonly Listener[];
  private readonly name: string;
  private readonly clock: Clock;
  private readonly defaults: DrainOptions;
  private readonly life = new Lifecycle();
  private readonly startedAtMs: number;
  private current: Drain | null = null;

  constructor(options: ServeOptions & { readonly name: string; readonly clock: Clock }) {
    this.name = options.name;
    this.clock = options.clock;
    this.startedAtMs = options.clock.wallMs();
    this.defaults = drainSettings(options.drain);
    const settings = options.listeners.map(listenerSettings);
    const names = settings.map((listener) => listener.name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) throw new TypeError(`serve: two listeners have the name ${twice}`);
    const date = new DateValue(this.clock);
    this.listeners = settings.map((listener) => new Listener(listener, this.life, this.clock, date, this));
    this.reload(options.handler);
  }

  async open(): Promise<void> {
    try {
      for (const listener of this.listeners) await listener.open();
    } catch (error) {
      this.life.close('listener-failed');
      throw error;
    }
  }

  get quietMs(): number {
    return this.current?.quietMs ?? this.defaults.quietMs;
  }

  get streamGraceMs(): number {
    return this.current?.streamGraceLeftMs ?? this.defaults.streamGraceMs ?? this.defaults.graceMs;
  }

  status(): ServerStatus {
    const listeners = this.listeners.map(listenerStatus);
    const connections = { handshake: 0, reading: 0, 'in-flight': 0, idle: 0, stream: 0, total: 0 };
    const requests = { served: 0, inFlight: 0 };
    const refused: ServerStatus['refused'] = {};
    for (const listener of listeners) {
      addUp(connections, listener.connections);
      addUp(requests, listener.requests);
      addUp(refused, listener.refused);
    }
    const { phase, noticed } = this.life;
    return { phase, noticed, drain: this.current?.stage ?? null, connections, requests, refused, listeners };
  }

  measure(take: Measure): void {
    for (const listener of this.listeners) measureListener(take, listenerStatus(listener));
  }

  info(): ServerInfo {
    const uptimeMs = this.clock.wallMs() - this.startedAtMs;
    return {
      name: this.name,
      pid: process.pid,
      node: process.version,
      startedAt: new Date(this.startedAtMs),
      uptimeMs,
    };
  }

  reload(handler: Handler, options: ReloadOptions = {}): void {
    if (typeof handler !== 'function') throw new TypeError('reload: handler: give a function');
    let waitingCount = this.listeners.length;
    const retired = (): void => {
      waitingCount -= 1;
      if (waitingCount === 0) options.onRetired?.();
    };
    for (const listener of this.listeners) {
      listener.use(options.listeners?.[listener.name] ?? listener.settings.handler ?? handler, retired);
    }
  }

  updateTls(name?: string, tls?: Partial<TlsOptions>): void {
    const chosen = this.listeners.filter((listener) => (name === undefined ? listener.secure : listener.name === name));
    if (chosen.length === 0) {
      throw new TypeError(`updateTls: there is no listener ${name === undefined ? 'with tls' : `named ${name}`}`);
    }
    const errors: unknown[] = [];
    for (const listener of chosen) {
      try {
        listener.updateTls(tls);
      } catch (error) {
        errors.push(error);
      }
    }
    // One that cannot be used does not keep the others from being renewed.
    if (errors.length > 0) throw errors[0];
  }

  beginDrain(options?: Partial<DrainOptions>): void {
    this.start(options);
  }

  drain(options?: Partial<DrainOptions>): Promise<DrainReport> {
    return this.start(options).report;
  }

  shutdown(options?: Partial<Pick<DrainOptions, 'graceMs'>>): Promise<DrainReport> {
    const drain = this.start({ ...options, noticeMs: 0, quietMs: 0 });
    drain.hasten(options?.graceMs);
    return drain.report;
  }

  close(): Promise<DrainReport> {
    const drain = this.start({ noticeMs: 0, quietMs: 0 });
    drain.force('server-closed');
    return drain.report;
  }

  private start(options: Partial<DrainOptions> | undefined): Drain {
    if (this.current === null) {
      const settings = drainSettings(options, this.defaults);
      this.current = new Drain(this.name, this.life, this.listeners, this.clock, settings);
    }
    return this.current;
  }
}

function addUp(sums: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
}
