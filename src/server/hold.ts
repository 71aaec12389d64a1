import { Failure } from '../core/failure.ts';
import type { Handler } from '../core/handler.ts';

interface Held {
  begin(): void;
  refuse(failure: Failure): void;
}

/** Requests that are here and wait for a place at their handler, in the order in which they came. */
export class Hold {
  private readonly held = new Set<Held>();

  get count(): number {
    return this.held.size;
  }

  /** A handler whose requests wait here first. One that ends before its turn is never given to the handler. */
  before(handler: Handler): Handler {
    return async (request) => {
      await new Promise<void>((begin, refuse) => {
        const held = { begin, refuse };
        this.held.add(held);
        request.onAbort((failure) => {
          if (this.held.delete(held)) refuse(failure);
        });
      });
      return handler(request);
    };
  }

  /** Lets the one that has waited longest begin. */
  next(): void {
    for (const held of this.held) {
      this.held.delete(held);
      held.begin();
      return;
    }
  }

  /** Sends all away: their handlers have not seen them. */
  refuse(): void {
    for (const held of this.held) {
      this.held.delete(held);
      held.refuse(new Failure('server-draining'));
    }
  }
}
