import type { BodyMode, Handler } from '../core/handler.ts';
import { callable, listOf, matching, object, oneOf, text, wholeNumber } from '../core/option-kind.ts';
import { type OptionRules, part, required, withDefaults } from '../core/options.ts';
import type { ConnectionRunner } from '../core/runner.ts';
import { HTTP1_DEFAULTS, HTTP1_OFFABLE, type Http1Limits } from '../protocol/http1/options.ts';
import { type Http2Options, http2Options } from '../protocol/http2/options.ts';
import { type TlsOptions, tlsSettings } from '../transport/tls/options.ts';

/** What a listener allows. `null` is off. */
export interface Limits extends Http1Limits {
  /** Open connections; one more is answered 503 and closed. Never above the process's file limit less a reserve. */
  connectionMaxCount: number;
  /** Open connections from one address. */
  connectionPerPeerMaxCount: number | null;
  /** Requests in flight; one more is answered 503, and its connection kept. */
  requestMaxCount: number | null;
}

export const LIMIT_DEFAULTS: Readonly<Limits> = {
  connectionMaxCount: 10_000,
  connectionPerPeerMaxCount: null,
  requestMaxCount: null,
  ...HTTP1_DEFAULTS,
};

/** The stages of a drain. */
export interface DrainOptions {
  /** Lame duck: readiness fails, work is still admitted. */
  noticeMs: number;
  /** How long an idle keep-alive connection may still send a request, which is answered with close. */
  quietMs: number;
  /** After this, what is left is aborted and cut off. Counts from the end of the notice. */
  graceMs: number;
  /** The same for long-lived streams: server-sent events, WebSockets, tunnels. `null`: as `graceMs`. */
  streamGraceMs: number | null;
}

export const DRAIN_DEFAULTS: Readonly<DrainOptions> = {
  noticeMs: 0,
  quietMs: 1000,
  graceMs: 30_000,
  streamGraceMs: null,
};

/** The protocols that a listener can speak. */
export const PROTOCOLS = ['http1', 'h2'] as const;
export type ProtocolName = (typeof PROTOCOLS)[number];

/** One address that is listened on. */
export interface ListenerOptions {
  /** For logs, metrics and `match.listener`; default: the address. */
  readonly name?: string | undefined;
  /** `host:port`, `[v6]:port`, `:port`, `unix:/path`, `fd:3`, or `systemd:name` from LISTEN_FDS. */
  readonly bind: string;
  /** What its connections may speak. Default `['http1']`. */
  readonly protocols?: readonly ProtocolName[] | undefined;
  /** Speaks TLS, and HTTPS with it; `certificates` must be given. */
  readonly tls?: Partial<TlsOptions> | undefined;
  readonly limits?: Partial<Limits> | undefined;
  /** What its HTTP/2 connections allow beyond the limits. */
  readonly http2?: Partial<Http2Options> | undefined;
  /** Whether bodies are read whole before the handler runs. Default `auto`. */
  readonly body?: BodyMode | undefined;
  /** Connections the kernel queues before they are accepted. Default 1024. */
  readonly backlogCount?: number | undefined;
  /** Several processes may listen on this address (SO_REUSEPORT). Default false. */
  readonly reusePort?: boolean | undefined;
  /** File mode of a unix socket, such as 0o660. */
  readonly mode?: number | undefined;
  /** Answers this listener's requests; default: the server's handler. */
  readonly handler?: Handler | undefined;
  /** Speaks on its connections in place of Sluice's own HTTP engines. */
  readonly runner?: ConnectionRunner | undefined;
  /** How often counters are compared with live connections; `null`, the default, is off. */
  readonly reconcileMs?: number | null | undefined;
}

const DEFAULT_PROTOCOLS: readonly ProtocolName[] = ['http1'];

const LISTENER_DEFAULTS: Required<ListenerOptions> = {
  name: undefined,
  bind: '',
  protocols: DEFAULT_PROTOCOLS,
  tls: undefined,
  limits: undefined,
  http2: undefined,
  body: 'auto',
  backlogCount: 1024,
  reusePort: false,
  mode: undefined,
  handler: undefined,
  runner: undefined,
  reconcileMs: null,
};

/** Listener options with nothing left open. */
export interface ListenerSettings extends ListenerOptions {
  readonly name: string;
  readonly protocols: readonly ProtocolName[];
  readonly tls: TlsOptions | undefined;
  readonly limits: Limits;
  readonly http2: Http2Options;
  readonly body: BodyMode;
  readonly backlogCount: number;
  readonly reusePort: boolean;
  readonly reconcileMs: number | null;
}

/** Fills limits up. Throws `TypeError` naming every wrong field. */
const limitOptions = (given?: Partial<Limits>): Limits =>
  withDefaults('limits', LIMIT_DEFAULTS, given, { offable: HTTP1_OFFABLE });

const ADDRESS = matching('an address, such as "127.0.0.1:8080"', /./);

const RULES: OptionRules<Required<ListenerOptions>> = {
  kinds: {
    name: text,
    bind: ADDRESS,
    protocols: listOf(oneOf(PROTOCOLS), `a list of ${PROTOCOLS.join(', ')} or both`, 1),
    tls: part((given) => tlsSettings('tls', given)),
    limits: part(limitOptions),
    http2: part((given) => http2Options('http2', given)),
    body: oneOf(['auto', 'manual']),
    mode: wholeNumber(0, 0o7777),
    handler: callable,
    runner: object,
  },
  relations: [required('bind', ADDRESS.want)],
};

/** Fills a listener's options up. Throws `TypeError` naming every wrong field. */
export function listenerSettings(given: Partial<ListenerOptions>): ListenerSettings {
  const options = withDefaults<Required<ListenerOptions>>('listener', LISTENER_DEFAULTS, given, RULES);
  return {
    ...options,
    name: options.name ?? options.bind,
    protocols: options.protocols ?? DEFAULT_PROTOCOLS,
    tls: options.tls === undefined ? undefined : tlsSettings('tls', options.tls),
    limits: limitOptions(options.limits),
    http2: http2Options('http2', options.http2),
    body: options.body ?? 'auto',
    backlogCount: options.backlogCount ?? 1024,
    reusePort: options.reusePort ?? false,
    reconcileMs: options.reconcileMs ?? null,
  };
}

/** Fills drain options up. Throws `TypeError` naming every wrong field. */
export const drainSettings = (given: Partial<DrainOptions> | undefined, defaults = DRAIN_DEFAULTS): DrainOptions =>
  withDefaults('drain', defaults, given, { offable: ['streamGraceMs'] });

/** How often deadlines are checked: every 250 ms, or a quarter of the shortest timeout, those of `others` included. */
export function sweepPeriodMs(limits: Limits, others: readonly (number | null)[]): number {
  const { headTimeoutMs, idleTimeoutMs, writeStallTimeoutMs, handlerTimeoutMs } = limits;
  const timeouts = [headTimeoutMs, idleTimeoutMs, writeStallTimeoutMs, handlerTimeoutMs, ...others];
  const shortest = Math.min(...timeouts.filter((ms) => ms !== null && ms > 0).map(Number));
  return Math.max(1, Math.min(250, shortest / 4));
}
