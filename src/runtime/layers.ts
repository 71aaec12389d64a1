import type { LimitDecision } from '../core/events.ts';
import { type Layer, stack } from '../core/handler.ts';
import type { Measured } from '../core/metrics.ts';
import type { Log } from '../ops/log.ts';
import { accessLog } from '../web/layers/access-log.ts';
import { bodyLimit } from '../web/layers/body-limit.ts';
import { concurrencyLimit } from '../web/layers/concurrency-limit.ts';
import { CONCURRENCY_LIMIT_DEFAULTS } from '../web/layers/concurrency-options.ts';
import { LOAD_SHEDDING_DEFAULTS, loadShedding } from '../web/layers/load-shedding.ts';
import { RATE_LIMIT_DEFAULTS, rateLimit } from '../web/layers/rate-limit.ts';
import { requestClass } from '../web/layers/request-class.ts';
import { requestId } from '../web/layers/request-id.ts';
import { timeout } from '../web/layers/timeout.ts';
import type { Config } from './schema.ts';

type LayerConfig = NonNullable<Config['routes'][number]['layers']>[number];

/** A layer that decides and counts, and where it does. */
export interface Limit {
  readonly kind: LimitDecision['layer'];
  readonly name: string;
  /** The route or upstream, for people. */
  readonly place: string;
  readonly layer: Layer & Measured & { status(): object };
}

/** Where layers are. */
export interface Place {
  /** What tells it from all others. */
  readonly identity: string;
  /** For people. */
  readonly name: string;
}

/**
 * Makes the layers of a configuration. Those that count are carried over from the one before when neither their place
 * nor their settings have changed: a reload neither forgives a rate nor lets twice as many requests run.
 */
export class LayerMaker {
  /** Those that count, by place and settings. */
  readonly limits = new Map<string, Limit>();
  private readonly log: Log;
  private readonly previous: ReadonlyMap<string, Limit>;

  constructor(log: Log, previous: ReadonlyMap<string, Limit>) {
    this.log = log;
    this.previous = previous;
  }

  /** The layers of one place, a route or an upstream, as one; `null` when there are none. */
  stacked(configs: readonly LayerConfig[] | undefined, place: Place): Layer | null {
    if (configs === undefined || configs.length === 0) return null;
    return stack(...configs.map((config) => this.make(config, place)));
  }

  private make(config: LayerConfig, place: Place): Layer {
    if (config.requestId !== undefined) return requestId(config.requestId);
    if (config.timeout !== undefined) return timeout(config.timeout);
    if (config.bodyLimit !== undefined) return bodyLimit(config.bodyLimit);
    if (config.requestClass !== undefined) return requestClass(config.requestClass);
    const limit = readLimit(config);
    return limit === null ? accessLayer(this.log) : this.carried(place, config, limit);
  }

  private carried(place: Place, config: LayerConfig, { make, ...described }: LimitConfig): Layer {
    const identity = `${place.identity} ${JSON.stringify(config)}`;
    let key = identity;
    // Two of a kind in one place are two.
    for (let count = 2; this.limits.has(key); count += 1) key = `${identity} ${count}`;
    const layer = this.previous.get(key)?.layer ?? make();
    this.limits.set(key, { ...described, place: place.name, layer });
    return layer;
  }
}

/** A limit that is wanted. */
type LimitConfig = Pick<Limit, 'kind' | 'name'> & { readonly make: () => Limit['layer'] };

function readLimit({
  rateLimit: rate,
  concurrencyLimit: concurrency,
  loadShedding: load,
}: LayerConfig): LimitConfig | null {
  if (rate !== undefined)
    return { kind: 'rateLimit', name: rate.name ?? RATE_LIMIT_DEFAULTS.name, make: () => rateLimit(rate) };
  if (concurrency !== undefined) {
    const name = concurrency.name ?? CONCURRENCY_LIMIT_DEFAULTS.name;
    return { kind: 'concurrencyLimit', name, make: () => concurrencyLimit(concurrency) };
  }
  if (load === undefined) return null;
  return { kind: 'loadShedding', name: load.name ?? LOAD_SHEDDING_DEFAULTS.name, make: () => loadShedding(load) };
}

/** One log line for each request. */
export function accessLayer(log: Log): Layer {
  return accessLog({
    write: ({ requestId: id, peer, method, target, status, durationMs, bytes }) => {
      const roundedMs = Math.round(durationMs * 1000) / 1000;
      log.info('request', { requestId: id, peer, method, target, status, durationMs: roundedMs, bytes });
    },
  });
}
