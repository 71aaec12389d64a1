import type { Clock } from '../../core/clock.ts';
import { LoopPressure, type LoopPressureOptions } from '../../policy/shedding.ts';

/** How often the delay is measured. One timer for the whole process, which does not keep it alive. */
const SAMPLE_MS = 50;

/** Measures how late the event loop runs its timers: about as long as it lets what comes in wait. */
class LoopDelay {
  private readonly pressures = new Map<string, LoopPressure>();
  private lastMs: number;

  constructor(clock: Clock) {
    this.lastMs = clock.now();
    clock.every(SAMPLE_MS, () => {
      const nowMs = clock.now();
      const delayMs = nowMs - this.lastMs - SAMPLE_MS;
      this.lastMs = nowMs;
      for (const pressure of this.pressures.values()) pressure.observe(delayMs, nowMs);
    });
  }

  pressure(options: LoopPressureOptions): LoopPressure {
    const name = JSON.stringify(options);
    const known = this.pressures.get(name) ?? new LoopPressure(options);
    this.pressures.set(name, known);
    return known;
  }
}

const delays = new WeakMap<Clock, LoopDelay>();

/**
 * The pressure from the delay of this process's event loop; the same options share one, over reloads too. Throws
 * `TypeError` for wrong options.
 */
export function loopPressure(options: LoopPressureOptions, clock: Clock): Readonly<LoopPressure> {
  const delay = delays.get(clock) ?? new LoopDelay(clock);
  delays.set(clock, delay);
  return delay.pressure(options);
}
