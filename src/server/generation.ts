import type { Handler } from '../core/handler.ts';
import type { Admission } from '../core/runner.ts';

/** A handler and the requests that began with it. A reload puts the next generation in its place. */
export class Generation implements Admission {
  handler: Handler;
  private inFlightCount = 0;
  private readonly onEnd: () => void;
  private onRetired: (() => void) | null = null;

  /** `onEnd` is called as each request ends. */
  constructor(handler: Handler, onEnd: () => void) {
    this.handler = handler;
    this.onEnd = onEnd;
  }

  begin(): this {
    this.inFlightCount += 1;
    return this;
  }

  end(): void {
    this.inFlightCount -= 1;
    this.onEnd();
    if (this.inFlightCount === 0) this.onRetired?.();
  }

  /** No request begins with it any more. `onRetired` is called when the last one has ended, or at once. */
  retire(onRetired: () => void): void {
    if (this.inFlightCount === 0) onRetired();
    else this.onRetired = onRetired;
  }
}
