import { type OptionRelation, withDefaults } from '../core/options.ts';
import type { RequestClass } from '../core/request.ts';
import { halfSipHash } from './rate/half-sip-hash.ts';

/** Who may be shed, from whom it costs least. What is in no class (health checks, admin) is never shed. */
export const SHED_CLASSES = ['low', 'normal', 'high'] as const satisfies readonly RequestClass[];

/**
 * Whether to refuse a request of a class at a pressure from 0 to 1. The classes share the range in order: with three, the low
 * ones go between 0 and 1/3, from none of them to all, then the normal, then the high. `chance`, from 0 to 1,
 * says which of a class go first: a random number, or `stableChance`.
 */
export function shed(pressureRatio: number, shedClass: RequestClass | null, chance: number): boolean {
  if (shedClass === null) return false;
  return chance < pressureRatio * SHED_CLASSES.length - SHED_CLASSES.indexOf(shedClass);
}

const hash = new Uint32Array(2);

/**
 * A chance that is the same each time for the same text: a client is then served or not, instead of each of its
 * requests at random, and a page is not half loaded. Put a period's number into the text, or it hits the same ones always.
 */
export function stableChance(text: string, key0: number, key1: number): number {
  halfSipHash(text, key0, key1, hash);
  return (hash[0] ?? 0) / 2 ** 32;
}

export interface LoopPressureOptions {
  /** The event loop's delay up to which there is no pressure. */
  delayMinMs: number;
  /** The delay at which it is full. */
  delayMaxMs: number;
  /** Delays are averaged over about this long. */
  smoothingMs: number;
  /** Pressure goes down only after the delay has fallen by this share of the range: no flutter at a threshold. */
  hysteresisRatio: number;
}

export const LOOP_PRESSURE_DEFAULTS: Readonly<LoopPressureOptions> = {
  delayMinMs: 50,
  delayMaxMs: 500,
  smoothingMs: 500,
  hysteresisRatio: 0.1,
};

/** Between the two pressure rises. */
export const delayRange: OptionRelation<Pick<LoopPressureOptions, 'delayMinMs' | 'delayMaxMs'>> = {
  of: ['delayMinMs', 'delayMaxMs'],
  fault: ({ delayMinMs, delayMaxMs }) =>
    delayMinMs < delayMaxMs ? null : `delayMinMs: ${delayMinMs} is not less than delayMaxMs, ${delayMaxMs}`,
};

/** Pressure from the delay of the event loop: how late timers run, or requests are read, because the processor is busy. */
export class LoopPressure {
  /** From 0 to 1. */
  ratio = 0;
  private readonly options: LoopPressureOptions;
  private averageMs = 0;
  private lastMs: number | null = null;

  /** Throws `TypeError` for wrong options. */
  constructor(given?: Partial<LoopPressureOptions>) {
    this.options = withDefaults('loop pressure', LOOP_PRESSURE_DEFAULTS, given, { relations: [delayRange] });
  }

  /** A delay was measured; it stands for the time since the one before. */
  observe(delayMs: number, nowMs: number): void {
    const { delayMinMs, delayMaxMs, smoothingMs, hysteresisRatio } = this.options;
    const weight =
      this.lastMs === null ? 1 : 1 - Math.exp(-(nowMs - this.lastMs) / Math.max(smoothingMs, Number.MIN_VALUE));
    this.averageMs += (Math.max(0, delayMs) - this.averageMs) * weight;
    this.lastMs = nowMs;
    const wanted = (this.averageMs - delayMinMs) / (delayMaxMs - delayMinMs);
    // Near nothing it holds less and less, so that it is nothing once the delay is.
    const held = Math.max(wanted, Math.min(this.ratio, wanted + Math.min(hysteresisRatio, Math.max(0, wanted))));
    this.ratio = Math.min(1, Math.max(0, held));
  }
}
