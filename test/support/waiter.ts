/** A wait that has not ended by then never will; no test waits this long when it passes. */
const DEADLINE_MS = 8000;

/** Waits, with a deadline, for what comes by events. */
export class Waiter {
  private resume: (() => void) | null = null;

  /** Something has happened: whoever waits looks again. */
  wake(): void {
    this.resume?.();
  }

  async until(met: () => boolean, what: () => string): Promise<void> {
    if (met()) return;
    const deadline = Promise.withResolvers<never>();
    const timer = setTimeout(() => deadline.reject(new Error(`waited in vain for ${what()}`)), DEADLINE_MS);
    try {
      while (!met()) {
        const change = Promise.withResolvers<void>();
        this.resume = change.resolve;
        await Promise.race([change.promise, deadline.promise]);
      }
    } finally {
      this.resume = null;
      clearTimeout(timer);
    }
  }
}
