import { Breaker, type BreakerOptions, type Siblings } from './breaker.ts';
import { CallWindow } from './call-window.ts';

/** The breakers of endpoints that answer the same requests. */
export class BreakerGroup implements Siblings {
  readonly calls: CallWindow;
  private readonly options: Readonly<BreakerOptions>;
  private readonly random: () => number;
  private readonly members = new Set<Breaker>();

  constructor(options: Readonly<BreakerOptions>, random: () => number) {
    this.options = options;
    this.random = random;
    this.calls = new CallWindow(options);
  }

  join(): Breaker {
    const member = new Breaker(this.options, this, this.random);
    this.members.add(member);
    return member;
  }

  /** It is no member any more. What it has counted stays until that is too old. */
  leave(member: Breaker): void {
    this.members.delete(member);
  }

  areOut(except: Breaker): boolean {
    for (const other of this.members) if (other !== except && !other.aside && other.state === 'closed') return false;
    return true;
  }

  hurry(except: Breaker, withinMs: number, nowMs: number): void {
    for (const other of this.members) if (other !== except) other.hurry(nowMs + withinMs * this.random());
  }
}
