import type { Clock } from '../../core/clock.ts';
import { systemClock } from '../../core/clock.ts';
import { channel } from '../../core/events.ts';
import type { Layer } from '../../core/handler.ts';
import { bodyReady, withBodyMode } from '../../core/handler.ts';
import type { Measure, Measured } from '../../core/metrics.ts';
import { needs, type OptionRules, withDefaults } from '../../core/options.ts';
import type { HttpRequest, RequestClass } from '../../core/request.ts';
import {
  delayRange,
  LOOP_PRESSURE_DEFAULTS,
  type LoopPressureOptions,
  shed,
  stableChance,
} from '../../policy/shedding.ts';
import { LimitCounts } from './limit-counts.ts';
import { loopPressure } from './loop-delay.ts';
import { overloadRefusal } from './refusal.ts';
import { CLIENT_DEFAULTS, CLIENT_KINDS, ClientKeys, type ClientOptions } from './request-key.ts';
import { CLASS_KINDS, type ClassOptions, classReader } from './shed-class.ts';

/** From which delay of the event loop on which requests are refused. */
export interface LoadSheddingOptions extends LoopPressureOptions, ClassOptions, ClientOptions {
  /** The layer's name in events. */
  name: string;
  /** For so long the same clients of a class are refused or served, rather than each of their requests at random. */
  periodMs: number;
  /** What `retry-after` says to who is refused. */
  retryAfterMs: number;
  clock: Clock;
}

export const LOAD_SHEDDING_DEFAULTS: Readonly<LoadSheddingOptions> = {
  name: 'default',
  class: 'normal',
  classHeader: null,
  ...LOOP_PRESSURE_DEFAULTS,
  ...CLIENT_DEFAULTS,
  periodMs: 10_000,
  retryAfterMs: 1000,
  clock: systemClock,
};

const RULES: OptionRules<LoadSheddingOptions> = {
  offable: ['class'],
  kinds: { ...CLASS_KINDS, ...CLIENT_KINDS },
  relations: [needs('classHeader', 'trustedProxies'), delayRange],
};

/** All options of the layer. Throws `TypeError` naming every wrong one. */
export const loadSheddingOptions = (given?: Partial<LoadSheddingOptions>): LoadSheddingOptions =>
  withDefaults('loadShedding', LOAD_SHEDDING_DEFAULTS, given, RULES);

const refuses = channel('limit:refuse');

/** The layer, and how it stands. */
export interface LoadShedding extends Layer, Measured {
  /** The pressure is from 0, nothing is refused, to 1, everything that has a class. What has no class is not counted. */
  status(): { readonly pressureRatio: number; readonly admittedCount: number; readonly refusedCount: number };
}

/**
 * Answers 503 (`overloaded`) with `retry-after` while the processor cannot keep up, which shows in the delay of the event
 * loop: the class `low` first, then `normal`, then `high`, and within a class client by client. It has nothing to do
 * with slow upstreams, for which there is `concurrencyLimit`.
 *
 * The layer reads the body itself, once the request is admitted, for a handler that does not say `manual`. Throws
 * `TypeError` for wrong options.
 */
export function loadShedding(given?: Partial<LoadSheddingOptions>): LoadShedding {
  const options = loadSheddingOptions(given);
  const { name, delayMinMs, delayMaxMs, smoothingMs, hysteresisRatio, periodMs, retryAfterMs, clock } = options;
  const classOf = classReader(options);
  const clients = new ClientKeys(options);
  const refusal = overloadRefusal(retryAfterMs);
  const pressure = loopPressure({ delayMinMs, delayMaxMs, smoothingMs, hysteresisRatio }, clock);
  const counts = new LimitCounts();
  const [key0, key1] = crypto.getRandomValues(new Int32Array(2));
  const isShed = (request: HttpRequest, shedClass: RequestClass): boolean => {
    if (pressure.ratio === 0) return false;
    const period = Math.floor(clock.now() / periodMs);
    return shed(pressure.ratio, shedClass, stableChance(`${clients.of(request)} ${period}`, key0 ?? 0, key1 ?? 0));
  };
  const layer: Layer = (handler) => {
    const inner = bodyReady(handler, 'auto');
    return withBodyMode((request) => {
      const shedClass = classOf(request);
      if (shedClass === null) return inner(request);
      if (!isShed(request, shedClass)) {
        counts.admit(false);
        return inner(request);
      }
      counts.refuse('shed');
      if (refuses.heard) {
        const { id: requestId } = request;
        refuses.publish({ layer: 'loadShedding', name, requestId, key: shedClass, reason: 'shed', retryAfterMs });
      }
      return refusal;
    }, 'manual');
  };
  return Object.assign(layer, {
    status() {
      const { admittedCount, refusedCount } = counts;
      return { pressureRatio: pressure.ratio, admittedCount, refusedCount };
    },
    measure(take: Measure, place = '') {
      const at = { limit: name, place };
      counts.measure(take, 'loadShedding', at);
      take('sluice_load_pressure_ratio', at, pressure.ratio);
    },
  });
}
