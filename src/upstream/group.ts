import type { Clock, ClockTimer } from '../core/clock.ts';
import { Lifecycle } from '../core/lifecycle.ts';
import type { Measure, Measured } from '../core/metrics.ts';
import type { HttpRequest } from '../core/request.ts';
import { createBalancer } from '../policy/balance/balancer.ts';
import { keyReader } from './balance.ts';
import { UpstreamCounts } from './counts.ts';
import { DeadlineHeader } from './deadline-header.ts';
import { type Dial, socketDial } from './dial.ts';
import { type Discovery, isDiscovery } from './discover.ts';
import { DnsDiscovery, nameResolver } from './discover-dns.ts';
import { findsTheSame } from './discover-options.ts';
import type { Endpoint } from './endpoint.ts';
import { type EndpointOptions, type EndpointSource, type Member, readMembers } from './endpoint-source.ts';
import { Hedger } from './hedger.ts';
import { measureEndpoint, measureUpstream } from './measures.ts';
import { EndpointFactory, type EndpointObserver } from './members.ts';
import { openersFor } from './openers.ts';
import { type UpstreamOptions, type UpstreamSettings, upstreamSettings } from './options.ts';
import { Pool } from './pool.ts';
import { Prober } from './prober.ts';
import type { PoolClient, Waiter } from './queue.ts';
import { Retrier } from './retrier.ts';
import { Roster } from './roster.ts';
import { Judge, type Rank } from './standing.ts';
import { type EndpointStatus, endpointStatus, type UpstreamStatus } from './status.ts';
import { Sticky } from './sticky.ts';
import { Warmth } from './warmth.ts';

/** Servers that answer the same requests. Made by `upstream()`, used by `proxy()`. */
export class UpstreamGroup implements Measured {
  readonly name: string;
  /** Every connection is its child, every waiting request its work. */
  readonly life: Lifecycle;
  readonly clock: Clock;
  counts = new UpstreamCounts();
  readonly retrier: Retrier;
  /** `null`: one attempt at a time. */
  readonly hedger: Hedger | null;
  /** What a request is pinned by, as a hash. */
  readonly keyOf: (request: HttpRequest) => number | null;
  /** Which endpoint a client belongs to; `null`: clients belong nowhere. */
  readonly sticky: Sticky | null;
  /** How endpoints are told what time is left; `null`: they are not. */
  readonly deadlineHeader: DeadlineHeader | null;
  private readonly settings: UpstreamSettings;
  /** It has settings that are for secure endpoints only, so some must be. */
  private readonly needsSecure: boolean;
  private readonly roster: Roster;
  private readonly pool: Pool;
  private readonly factory: EndpointFactory;
  private readonly observer: EndpointObserver;
  private readonly warmth: Warmth | null;
  private readonly prober: Prober | null;
  private readonly discovery: Discovery | null;
  /** What it was given, and what was found besides. */
  private given: ReadonlyMap<string, Member>;
  private found: ReadonlyMap<string, Member> = new Map();
  /** Endpoints that were drained by themselves, and stay out as long as they are given or found. */
  private readonly drained = new Set<string>();
  private readonly sweep: ClockTimer | null;

  /** `dial`: how its endpoints are reached, for tests and simulations; default: by sockets. */
  constructor(given: UpstreamOptions, dial?: Dial) {
    const settings = upstreamSettings(given);
    const members = readMembers(settings.endpoints);
    const [first = ''] = members.keys();
    const { discover } = settings;
    this.given = members;
    const dns = discover === null || isDiscovery(discover) ? null : discover;
    this.name = [settings.name, first, dns?.dns, dns?.srv].find((name) => name) ?? '';
    this.settings = { ...settings, name: this.name };
    this.needsSecure = given.tls !== undefined && (discover === null || dns?.secure === false);
    if (this.needsSecure) checkSecure(members);
    const { clock, random, balance, breaker, passive, active, slowStart, spill, zone } = settings;
    // Who reads the clock for a call anyway has it for next to nothing.
    const measuresLatency = balance.policy === 'power-of-two' || breaker !== null || passive !== null;
    const hedgeAfterMs = settings.retry?.hedgeAfterMs ?? null;
    const judge = new Judge({ breaker, passive, active, hedgeAfterMs, measuresLatency }, clock, random);
    this.clock = clock;
    this.keyOf = keyReader(balance);
    this.sticky = balance.sticky === null ? null : new Sticky(balance.sticky);
    const { deadlineHeader, deadlineTrusted } = settings.timeouts;
    this.deadlineHeader = deadlineHeader === null ? null : new DeadlineHeader(deadlineHeader, deadlineTrusted);
    this.retrier = new Retrier(this.name, settings.retry, clock, random, this.counts);
    this.hedger = hedgeAfterMs === null ? null : new Hedger(hedgeAfterMs, clock);
    this.life = new Lifecycle({ onDrain: () => this.stopLooking(), onClose: () => this.closed() });
    this.roster = new Roster({ newBalancer: () => createBalancer(balance.policy, balance), spill, zone, random });
    this.warmth = slowStart === null ? null : new Warmth(this.roster, slowStart, clock);
    this.factory = new EndpointFactory(this.settings, judge);
    // Before anything is begun that would have to be stopped.
    const isSecure = ({ address }: Member): boolean => address.secureHost !== null;
    if (discover !== null || [...members.values()].some(isSecure)) this.factory.readTls();
    this.observer = {
      onRank: (endpoint, before) => this.ranked(endpoint, before),
      onBreaker: (endpoint, state) => {
        if (state !== 'closed') return;
        this.warmth?.begin(endpoint);
        this.pool.pump();
      },
    };
    const dialFor = (life: Lifecycle): Dial => dial ?? socketDial(openersFor(life, settings), settings.protocol);
    this.prober = active === null ? null : new Prober(this.name, active, clock, dialFor);
    this.pool = new Pool(this.settings, this.roster, this.life, dialFor(this.life));
    for (const member of members.values()) this.add(member);
    this.discovery =
      discover === null || isDiscovery(discover)
        ? discover
        : new DnsDiscovery(this.name, discover, nameResolver(discover), settings);
    this.roster.seeking = discover !== null;
    this.discovery?.start((endpoints) => this.discovered(endpoints));
    if (settings.pool.connectionMinCount !== null) this.pool.begin();
    this.sweep = passive === null ? null : clock.every(LOOK_MS, () => this.look(judge));
  }

  private add(member: Member): Endpoint {
    const endpoint = this.factory.make(member, this.observer);
    this.roster.add(endpoint);
    this.sticky?.add(endpoint);
    this.prober?.add(endpoint);
    return endpoint;
  }

  /** An endpoint stands otherwise than before. */
  private ranked(endpoint: Endpoint, before: Rank): void {
    if (before !== 'degraded' && before !== 'well' && endpoint.standing.rank !== 'out') this.warmth?.begin(endpoint);
    this.roster.review();
    this.pool.pump();
  }

  /** Some are back, and some have become too slow for the others. */
  private look(judge: Judge): void {
    const nowMs = this.clock.now();
    judge.outliers?.sweep(nowMs);
    for (const { standing } of this.roster.all) standing.review(nowMs);
  }

  // ── for requests ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Bodies up to this size can be sent again. */
  get replayMaxBytes(): number {
    return this.settings.retry?.replayMaxBytes ?? 0;
  }

  /** How long a request may take with all its attempts; `null`: as long as it wants. */
  get totalMs(): number | null {
    return this.settings.timeouts.totalMs;
  }

  /** Whether an endpoint besides these may be called. `reachable`: one that was reached when that was tried last. */
  hasOther(tried: readonly Endpoint[], reachable = false): boolean {
    const { clock } = this;
    return this.roster.some(
      (other) => !tried.includes(other) && (other.reachable || !reachable) && other.standing.mayCall(clock),
    );
  }

  /**
   * Gives the client a connection before it returns, or else the waiter it has become. `fresh`: a new one, or where
   * none may be opened one that is not idle. Throws `upstream-queue-full`, `upstream-unavailable` and `upstream-closed`.
   */
  acquire(client: PoolClient, fresh: boolean): Waiter | null {
    return this.pool.acquire(client, fresh);
  }

  /** Whether the client would be given a connection now, or one would be opened for it; not while others wait for room. */
  hasRoomFor(client: PoolClient): boolean {
    return this.pool.hasRoomFor(client);
  }

  /** The client wants no connection any more. */
  leave(waiter: Waiter): void {
    this.pool.leave(waiter);
  }

  // ── for operators ─────────────────────────────────────────────────────────────────────────────────────────────

  status(): UpstreamStatus {
    const { name, life, pool } = this;
    return { name, phase: life.phase, waitingCount: pool.waitingCount, endpoints: this.endpoints() };
  }

  measure(take: Measure): void {
    measureUpstream(take, this.name, this.counts, this.pool.waitingCount);
    for (const endpoint of this.roster.all) measureEndpoint(take, this.name, endpoint);
  }

  /** Every endpoint, also those that leave, as it is now. */
  endpoints(): readonly EndpointStatus[] {
    const nowMs = this.clock.now();
    return [...this.roster.all].map((endpoint) => endpointStatus(endpoint, nowMs));
  }

  /**
   * Makes these its endpoints, besides those that are discovered. Those that stay keep their connections and all that is
   * known of them. Throws `TypeError`.
   */
  update(endpoints: readonly EndpointSource[]): void {
    this.plan(endpoints)();
  }

  /** Checks an update to come. What it returns makes it, and throws nothing. Throws `TypeError`. */
  plan(endpoints: readonly EndpointSource[]): () => void {
    const members = readMembers(endpoints);
    if (members.size === 0 && this.discovery === null) {
      throw new TypeError('upstream: endpoints: at least one is needed');
    }
    if (this.needsSecure) checkSecure(members);
    return () => {
      this.given = members;
      this.enrol();
    };
  }

  /**
   * Begins with what another upstream has found and knows of the endpoints that both have: health, breakers, ejections and
   * latencies. Connections stay where they are.
   */
  adopt(previous: UpstreamGroup): void {
    const { discover } = this.settings;
    if (discover !== null && findsTheSame(discover, previous.settings.discover) && !previous.roster.seeking) {
      this.found = previous.found;
      this.roster.seeking = false;
      this.enrol(false);
    }
    this.counts = previous.counts;
    this.retrier.adopt(previous.retrier, this.counts);
    for (const id of previous.drained) {
      this.drained.add(id);
      if (this.roster.present.has(id)) void this.drainOne(id);
    }
    for (const [id, endpoint] of this.roster.present) {
      const known = previous.roster.present.get(id);
      if (known?.address.authority !== endpoint.address.authority) continue;
      endpoint.standing.adopt(known.standing);
      if (previous.warmth !== null) this.warmth?.adopt(endpoint, previous.warmth, known);
    }
    this.roster.review();
    this.pool.pump();
  }

  private discovered(endpoints: readonly EndpointOptions[]): void {
    if (this.life.phase !== 'accepting') return;
    this.found = readMembers(endpoints);
    this.roster.seeking = false;
    this.enrol();
  }

  /** Makes those that were given or found its endpoints, and no others. `cold`: those that are new come up slowly. */
  private enrol(cold = true): void {
    const members = new Map([...this.found, ...this.given]);
    // What is still looked for may be there.
    for (const id of this.drained) if (!members.delete(id) && !this.roster.seeking) this.drained.delete(id);
    const { present } = this.roster;
    for (const [id, endpoint] of [...present]) {
      const member = members.get(id);
      // With another name it is another server.
      if (member?.address.authority !== endpoint.address.authority) void this.retire(endpoint);
    }
    for (const [id, member] of members) {
      const known = present.get(id);
      if (known === undefined) this.join(member, cold);
      else this.describe(known, member);
    }
    this.pool.pump();
  }

  private join(member: Member, cold: boolean): void {
    const endpoint = this.add(member);
    if (cold) this.warmth?.begin(endpoint);
  }

  private describe(endpoint: Endpoint, { traits }: Member): void {
    endpoint.traits = traits;
    endpoint.weight = traits.weight;
    this.warmth?.reweigh(endpoint);
    this.roster.update(endpoint);
    this.roster.review();
  }

  /** It gets no new requests. Resolves when the last one is answered. */
  private retire(endpoint: Endpoint): Promise<void> {
    endpoint.standing.leave();
    this.prober?.leave(endpoint);
    this.roster.leave(endpoint);
    this.sticky?.remove(endpoint);
    this.warmth?.leave(endpoint);
    this.pool.retire(endpoint);
    return this.roster.gone(endpoint);
  }

  private endpointAt(url: string): Endpoint {
    const endpoint = this.roster.present.get(url);
    if (endpoint === undefined) throw new TypeError(`upstream ${this.name}: there is no endpoint ${url}`);
    return endpoint;
  }

  /** Holds an endpoint's breaker open or closed; `null` lets go. Throws `TypeError` when there is none. */
  forceBreaker(url: string, state: 'open' | 'closed' | null): void {
    const { standing } = this.endpointAt(url);
    if (!standing.forceBreaker(state)) throw new TypeError(`upstream ${this.name}: it has no breakers`);
    this.pool.pump();
  }

  /**
   * Keeps no connection any more, and closes when the last request is answered. A request that comes before that is
   * still served. After `graceMs` what is left is cut off. Resolves when closed.
   *
   * With an endpoint's URL only that one: it gets no new requests, and is gone when the last one is answered. It stays out,
   * whatever is updated or found, until `resume`, or until it is neither given nor found any more. Throws `TypeError` when
   * there is none.
   */
  async drain(options: DrainOptions | string = {}): Promise<void> {
    if (typeof options === 'string') {
      await this.drainOne(this.endpointAt(options).id);
      return;
    }
    this.life.drain();
    if (this.life.phase === 'closed') return;
    const force = this.clock.after(options.graceMs ?? 30_000, () => this.close());
    await this.life.closed();
    force.cancel();
  }

  private drainOne(id: string): Promise<void> {
    this.drained.add(id);
    return this.retire(this.endpointAt(id));
  }

  /** An endpoint that was drained takes part again. Throws `TypeError` when it was not. */
  resume(url: string): void {
    if (!this.drained.delete(url)) throw new TypeError(`upstream ${this.name}: endpoint ${url} was not drained`);
    this.enrol();
  }

  /** Cuts off what is running and closes every connection now. */
  close(): void {
    this.life.close();
  }

  private stopLooking(): void {
    this.prober?.stop();
    this.discovery?.stop();
  }

  private closed(): void {
    this.sweep?.cancel();
    this.warmth?.stop();
    this.hedger?.stop();
    this.stopLooking();
    this.pool.closed();
  }
}

interface DrainOptions {
  readonly graceMs?: number;
}

/** How often it is looked whether somebody ejected is back. */
const LOOK_MS = 250;

/** Throws `TypeError` when TLS settings are for nobody. */
function checkSecure(members: ReadonlyMap<string, Member>): void {
  const secure = [...members.values()].some(({ address }) => address.secureHost !== null);
  if (!secure) throw new TypeError('upstream: tls: no endpoint is https://');
}

/** An upstream: where its servers are and how they are used. Throws `TypeError` on options that cannot work. */
export function upstream(options: UpstreamOptions): UpstreamGroup {
  return new UpstreamGroup(options);
}
