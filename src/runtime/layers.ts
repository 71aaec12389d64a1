import { type Layer, stack } from '../core/handler.ts';
import type { Log } from '../ops/log.ts';
import { accessLog } from '../web/layers/access-log.ts';
import { bodyLimit } from '../web/layers/body-limit.ts';
import { concurrencyLimit } from '../web/layers/concurrency-limit.ts';
import { loadShedding } from '../web/layers/load-shedding.ts';
import { rateLimit } from '../web/layers/rate-limit.ts';
import { requestId } from '../web/layers/request-id.ts';
import { timeout } from '../web/layers/timeout.ts';
import type { Config } from './schema.ts';

type LayerConfig = NonNullable<Config['routes'][number]['layers']>[number];

/**
 * Makes the layers of a configuration. Those that count are carried over from the one before when neither their place
 * nor their settings have changed: a reload neither forgives a rate nor lets twice as many requests run.
 */
export class LayerMaker {
  /** Those that count, by place and settings. */
  readonly counting = new Map<string, Layer>();
  private readonly log: Log;
  private readonly previous: ReadonlyMap<string, Layer>;

  constructor(log: Log, previous: ReadonlyMap<string, Layer>) {
    this.log = log;
    this.previous = previous;
  }

  /** The layers of one place, a route or an upstream, as one; `null` when there are none. `place` tells it from others. */
  stacked(configs: readonly LayerConfig[] | undefined, place: string): Layer | null {
    if (configs === undefined || configs.length === 0) return null;
    return stack(...configs.map((config) => this.make(config, place)));
  }

  private make(config: LayerConfig, place: string): Layer {
    if (config.requestId !== undefined) return requestId(config.requestId);
    if (config.timeout !== undefined) return timeout(config.timeout);
    if (config.bodyLimit !== undefined) return bodyLimit(config.bodyLimit);
    if (config.loadShedding !== undefined) return loadShedding(config.loadShedding);
    const { rateLimit: rate, concurrencyLimit: concurrency } = config;
    if (rate !== undefined) return this.carried(place, config, () => rateLimit(rate));
    if (concurrency !== undefined) return this.carried(place, config, () => concurrencyLimit(concurrency));
    return accessLayer(this.log);
  }

  private carried(place: string, config: LayerConfig, make: () => Layer): Layer {
    const identity = `${place} ${JSON.stringify(config)}`;
    let name = identity;
    // Two of a kind in one place are two.
    for (let count = 2; this.counting.has(name); count += 1) name = `${identity} ${count}`;
    const layer = this.previous.get(name) ?? make();
    this.counting.set(name, layer);
    return layer;
  }
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
