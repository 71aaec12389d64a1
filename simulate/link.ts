import type { Clock, ClockTimer } from '../src/core/clock.ts';
import { exponential, type Random } from './random.ts';
import type { SimulatedServer } from './server.ts';

/** How long TCP waits before it sends a packet again the first time; each time twice as long. Linux's minimum. */
const RESEND_MS = 200;
/** The same for the first packet of a connection (RFC 6298 §2.1). */
export const SYN_RESEND_MS = 1000;

/** The way to a server and back. What does not arrive is sent again, as TCP does. */
export class Link {
  readonly server: SimulatedServer;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly latencyMs: number;

  /** `latencyMs`: the least that one way takes; on average it is half as much again. */
  constructor(server: SimulatedServer, latencyMs: number, clock: Clock, random: Random) {
    this.server = server;
    this.latencyMs = latencyMs;
    this.clock = clock;
    this.random = random;
  }

  /** Calls `arrived` when a packet that is sent now has come to the other side. */
  carry(arrived: () => void, resendMs = RESEND_MS): Packet {
    return new Packet(this, arrived, resendMs);
  }

  /** Runs once after as long as a packet takes. */
  afterLatency(run: () => void): ClockTimer {
    return this.clock.after(this.latencyMs + exponential(this.random, this.latencyMs / 2), run);
  }

  after(delayMs: number, run: () => void): ClockTimer {
    return this.clock.after(delayMs, run);
  }
}

/** A packet on its way. */
class Packet {
  private readonly link: Link;
  private readonly arrived: () => void;
  private timer: ClockTimer;

  constructor(link: Link, arrived: () => void, resendMs: number) {
    this.link = link;
    this.arrived = arrived;
    this.timer = this.send(resendMs);
  }

  cancel(): void {
    this.timer.cancel();
  }

  private send(resendMs: number): ClockTimer {
    return this.link.afterLatency(() => {
      if (this.link.server.condition.reach !== 'cut') this.arrived();
      else
        this.timer = this.link.after(resendMs, () => {
          this.timer = this.send(2 * resendMs);
        });
    });
  }
}
