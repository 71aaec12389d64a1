import type { RecordWithTtl, SrvRecord } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import type { Clock, ClockTimer } from '../core/clock.ts';
import { channel } from '../core/events.ts';
import type { Discovery, OnEndpoints } from './discover.ts';
import { type DiscoverOptions, isHostName, readHostAndPort } from './discover-options.ts';
import { endpointAddress } from './endpoint-address.ts';
import type { EndpointOptions } from './endpoint-source.ts';

const finds = channel('upstream:discover');
const faults = channel('discover:error');

/** No name is looked up more often, however short its answers last. */
const REFRESH_MIN_MS = 1000;
/** The first wait after a look-up that has failed; each further one is twice as long, up to `refreshMs`. */
const RETRY_MS = 250;
/** Each wait is shorter by up to this share of it, so that many instances do not ask at once. */
const JITTER_RATIO = 0.1;
/** A weight of 0 is a very small chance (RFC 2782), and 1 the smallest that is above it. */
const WEIGHT_MIN = 0.1;
/** The name has no records of this kind: that is an answer, too. */
const NO_RECORDS: ReadonlySet<unknown> = new Set(['ENODATA', 'ENOTFOUND']);

/** What of the resolver is used. */
export interface NameResolver {
  resolve4(name: string, options: { ttl: true }): Promise<RecordWithTtl[]>;
  resolve6(name: string, options: { ttl: true }): Promise<RecordWithTtl[]>;
  resolveSrv(name: string): Promise<SrvRecord[]>;
  /** Whoever waits hears of a failure. */
  cancel(): void;
}

/** A resolver that asks the name servers of the options; it knows neither `/etc/hosts` nor search domains. */
export function nameResolver({ servers, timeoutMs }: DiscoverOptions): NameResolver {
  const resolver = new Resolver({ timeout: Math.max(1, timeoutMs), tries: 2 });
  if (servers.length > 0) resolver.setServers(servers);
  return resolver;
}

/** What is known of a name, or of a kind of its records. */
interface Known {
  readonly addresses: readonly string[];
  /** Why that is what was found before, and not just now; `null`: it is new. */
  readonly failure: unknown;
}

/** A server that was found. */
interface Server {
  readonly host: string;
  readonly port: number;
  readonly weight: number;
  readonly priority: number;
}

/**
 * Endpoints by DNS: one for each address. What was found last stays when a look-up fails or finds nothing, for an address
 * that may be stale is better than none; each kind of record is kept apart, as one may fail without the other.
 */
export class DnsDiscovery implements Discovery {
  private readonly upstream: string;
  private readonly options: DiscoverOptions;
  private readonly resolver: NameResolver;
  private readonly clock: Clock;
  private readonly random: () => number;
  private readonly lastAddresses = new Map<string, readonly string[]>();
  private timer: ClockTimer | null = null;
  private onEndpoints: OnEndpoints | null = null;
  private found = '';
  private failureCount = 0;
  /** How long the answers of this look-up last. */
  private lastsMs = 0;

  constructor(
    upstream: string,
    options: DiscoverOptions,
    resolver: NameResolver,
    { clock, random }: { readonly clock: Clock; readonly random: () => number },
  ) {
    this.upstream = upstream;
    this.options = options;
    this.resolver = resolver;
    this.clock = clock;
    this.random = random;
  }

  start(onEndpoints: OnEndpoints): void {
    this.onEndpoints = onEndpoints;
    this.lookAgain(0);
  }

  stop(): void {
    this.onEndpoints = null;
    this.timer?.cancel();
    this.timer = null;
    this.resolver.cancel();
  }

  private lookAgain(afterMs: number): void {
    // A period that ends at once: unlike a delay it does not keep the process alive.
    const timer = this.clock.every(afterMs * (1 - JITTER_RATIO * this.random()), () => {
      timer.cancel();
      void this.look();
    });
    this.timer = timer;
  }

  private async look(): Promise<void> {
    let afterMs: number;
    try {
      this.lastsMs = Number.POSITIVE_INFINITY;
      const { endpoints, failure } = await this.lookUp();
      this.tell(endpoints);
      if (failure !== null) throw failure;
      this.failureCount = 0;
      afterMs = Math.max(REFRESH_MIN_MS, Math.min(this.options.refreshMs, this.lastsMs));
    } catch (error) {
      if (this.onEndpoints !== null && faults.heard) faults.publish({ upstream: this.upstream, error: asError(error) });
      afterMs = Math.min(Math.max(REFRESH_MIN_MS, this.options.refreshMs), RETRY_MS * 2 ** this.failureCount);
      this.failureCount = Math.min(this.failureCount + 1, 30);
    }
    if (this.onEndpoints !== null) this.lookAgain(afterMs);
  }

  private tell(endpoints: readonly EndpointOptions[]): void {
    const found = JSON.stringify(endpoints);
    if (this.onEndpoints === null || found === this.found) return;
    this.found = found;
    if (finds.heard) finds.publish({ upstream: this.upstream, endpoints: endpoints.map(({ url }) => url) });
    this.onEndpoints(endpoints);
  }

  private async lookUp(): Promise<{ endpoints: EndpointOptions[]; failure: unknown }> {
    const byUrl = new Map<string, EndpointOptions>();
    const servers = await this.servers();
    const known = await Promise.all(servers.map(({ host }) => this.addresses(host)));
    const hosts = new Set(servers.map(({ host }) => host));
    for (const key of this.lastAddresses.keys()) if (!hosts.has(key.slice(2))) this.lastAddresses.delete(key);
    for (const [index, { host, port, priority, weight }] of servers.entries()) {
      for (const address of known[index]?.addresses ?? []) {
        const authority = `${address.includes(':') ? `[${address}]` : address}:${port}`;
        const { url } = endpointAddress(`${this.options.secure ? 'https' : 'http'}://${authority}`);
        if (!byUrl.has(url)) byUrl.set(url, { url, host, priority, weight });
      }
    }
    // One name that cannot be looked up takes nothing from the others.
    const failure = known.find((one) => one.failure !== null)?.failure ?? null;
    if (byUrl.size === 0) throw failure ?? new Error(`${this.options.dns ?? this.options.srv} has no addresses`);
    const endpoints = [...byUrl.values()].sort((a, b) => (a.url < b.url ? -1 : 1));
    return { endpoints, failure };
  }

  private async servers(): Promise<Server[]> {
    const { dns, srv } = this.options;
    if (dns !== null) return [{ ...readHostAndPort(dns), priority: 0, weight: 1 }];
    const records = await this.resolver.resolveSrv(srv ?? '');
    return (
      records
        // A dot alone: the service is decidedly not available there (RFC 2782).
        .filter(({ name, port }) => isHostName(name) && port > 0)
        .map(({ name, port, priority, weight }) => ({
          host: name,
          port,
          priority,
          weight: Math.max(WEIGHT_MIN, weight),
        }))
        .sort((a, b) => a.priority - b.priority || (a.host < b.host ? -1 : 1))
    );
  }

  /** One kind of record may fail without the other; when both do, that is a failure. */
  private async addresses(host: string): Promise<Known> {
    const [v4, v6] = await Promise.all([
      this.records(`4 ${host}`, this.resolver.resolve4(host, { ttl: true })),
      this.records(`6 ${host}`, this.resolver.resolve6(host, { ttl: true })),
    ]);
    return { addresses: [...v4.addresses, ...v6.addresses], failure: v6.failure === null ? null : v4.failure };
  }

  /** What was found last when that cannot be found out. */
  private async records(key: string, asked: Promise<RecordWithTtl[]>): Promise<Known> {
    let failure: unknown = null;
    try {
      const records = await asked;
      for (const { ttl } of records) this.lastsMs = Math.min(this.lastsMs, ttl * 1000);
      this.lastAddresses.set(
        key,
        records.map(({ address }) => address),
      );
    } catch (error) {
      if (isNoRecords(error)) this.lastAddresses.set(key, []);
      else failure = error;
    }
    return { addresses: this.lastAddresses.get(key) ?? [], failure };
  }
}

const isNoRecords = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && NO_RECORDS.has(error.code);

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
