import type { Channel } from 'node:diagnostics_channel';
import diagnostics_channel from 'node:diagnostics_channel';
import type { CloseReason } from './runner.ts';

/** What is published on each channel. Names are `sluice:<key>`; publishing costs nothing while nobody listens. */
export interface Events {
  'listener:open': { listener: string; address: string };
  'listener:close': { listener: string; reason: string };
  /** The accept loop met an error such as EMFILE; it goes on by itself. */
  'listener:error': { listener: string; error: Error };
  'connection:accept': { listener: string; connectionId: number; peer: string };
  'connection:refuse': { listener: string; peer: string; reason: string };
  'connection:close': { listener: string; connectionId: number; peer: string; reason: CloseReason };
  /** Hands were not shaken; `error` says what went wrong. */
  'handshake:fail': { listener: string; connectionId: number; peer: string; error: Error };
  /** Other certificates are in force from now on. */
  'tls:reload': { listener: string; sources: readonly string[] };
  /** New certificates were refused, or their files cannot be watched; those in force stay. */
  'tls:error': { listener: string; error: Error };
  /** A certificate that was just read has ceased to be valid. */
  'tls:expired': { listener: string; source: string; validTo: Date };
  'request:start': { connectionId: number; method: string; target: string };
  'request:end': { connectionId: number; method: string; target: string; status: number; durationMs: number };
  /** What came was no request; it was answered with `status` and the connection closed. */
  'request:refuse': { connectionId: number; peer: string; code: string; status: number };
  /** A handler or a body failed; `error` is what was thrown. */
  'request:error': { requestId: string; method: string; target: string; error: unknown };
  /** A layer lets a request pass that it could have refused; `waitMs` is how long it was or will be held back. */
  'limit:admit': LimitDecision & { waitMs: number };
  /** A layer refused a request. */
  'limit:refuse': LimitDecision & { reason: LimitReason; retryAfterMs: number };
  /** An adaptive limit has changed. */
  'limit:change': { name: string; limitCount: number };
  'drain:stage': { server: string; stage: 'notice' | 'refuse' | 'finish' | 'force' | 'done'; liveCount: number };
  'slots:reconcile': { listener: string; releasedConnectionCount: number; releasedRequestCount: number };
  'upstream:connect': { upstream: string; endpoint: string };
  'upstream:close': { upstream: string; endpoint: string; reason: string };
  /** Probes say otherwise of an endpoint than before; `why` tells what the last one met, where it met something. */
  'endpoint:health': { upstream: string; endpoint: string; state: string; before: string; why: string | null };
  /** What has been found where endpoints are looked for, when that is other than before. */
  'upstream:discover': { upstream: string; endpoints: readonly string[] };
  /** A look-up has failed or found nothing; what was found before stays. */
  'discover:error': { upstream: string; error: Error };
  /** A request is sent again after `delayMs`; `code` is how attempt `attemptCount` ended: a failure's code, or a status. */
  'upstream:retry': { upstream: string; endpoint: string; code: string; attemptCount: number; delayMs: number };
  /** A request that waits for an answer is sent to this endpoint, too; that is attempt `attemptCount`. */
  'upstream:hedge': { upstream: string; endpoint: string; attemptCount: number };
  /**
   * A request that could have been sent again was not: the budget for that is used up. `hedge`: it was not sent to another
   * endpoint, too, for which there is half the budget.
   */
  'upstream:spent': { upstream: string; kind: 'retry' | 'hedge' };
  /** Requests go to an endpoint otherwise than before: `well`, `degraded`, `out`, `untried`. */
  'endpoint:state': { upstream: string; endpoint: string; state: string; before: string };
  /** `closed`, `open`, `half-open`. */
  'endpoint:breaker': { upstream: string; endpoint: string; state: string; before: string };
  /** An endpoint is taken out for how it answers requests. */
  'endpoint:eject': { upstream: string; endpoint: string; reason: string; forMs: number };
}

/** Why a request was refused by a limit. `shed`: less important than others. `codel`: it has waited too long in a queue that stands. */
export type LimitReason = 'rate' | 'queue-full' | 'queue-timeout' | 'codel' | 'shed';

/** Whom a limit has decided about. */
export interface LimitDecision {
  readonly layer: 'rateLimit' | 'concurrencyLimit' | 'loadShedding';
  /** What the layer is called in its options. */
  readonly name: string;
  readonly requestId: string;
  /** What the limit was counted by: the key of a rate, the tenant under a concurrency limit, the class that is shed. */
  readonly key: string;
}

export type EventName = keyof Events;

export interface EventChannel<Message> {
  /** Check before building a message. */
  readonly heard: boolean;
  publish(message: Message): void;
}

class TypedChannel<Message> implements EventChannel<Message> {
  private readonly channel: Channel;

  constructor(name: string) {
    this.channel = diagnostics_channel.channel(name);
  }

  get heard(): boolean {
    return this.channel.hasSubscribers;
  }

  publish(message: Message): void {
    this.channel.publish(message);
  }
}

/** The channel of an event, for publishing. Look it up once, at module level. */
export function channel<Name extends EventName>(name: Name): EventChannel<Events[Name]> {
  return new TypedChannel(`sluice:${name}`);
}

/** Listens to an event. Returns the function that stops listening. */
export function onEvent<Name extends EventName>(name: Name, listen: (message: Events[Name]) => void): () => void {
  // diagnostics_channel is untyped; `channel()` is the only publisher on these names and is typed by the same table.
  const listener = (message: unknown): void => listen(message as Events[Name]);
  diagnostics_channel.subscribe(`sluice:${name}`, listener);
  return () => {
    diagnostics_channel.unsubscribe(`sluice:${name}`, listener);
  };
}
