import { Breaker, type BreakerOptions, type Siblings } from './breaker.ts';
import { CallWindow } from './call-window.ts';

/** The breakers of endpoints that answer the same requests. */
export class BreakerGroup implements Siblings {
  readonly calls: CallWindow;
  private readonly options: Readonly<BreakerOptions>;
  private readonly random: () => number;

  constructor(options: Readonly<BreakerOptions>, random: () => number) {
    this.options = options;
    this.random = random;
    this.calls = new CallWindow(options);
  }

  join(): Breaker {
    return new Breaker(this.options, this, this.random);
  }
}
