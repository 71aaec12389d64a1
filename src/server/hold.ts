import { Failure } from '../core/failure.ts';
import type { Handler } from '../core/handler.ts';

interface Held {
  begin(): void;
  refuse(failure: Failure): void;
}

/** Requests that are here and wait for a place at their handler, in the order in which they came. */
export class Hold {
  private readonly held: Held[] = [];

  get count(): number {
    return this.held.length;
  }

  /** A handler whose requests wait here first. */
  before(handler: Handler): Handler {
    return async (request) => {
      await new Promise<void>((begin, refuse) => {
        this.held.push({ begin, refuse });
      });
      return handler(request);
    };
  }

  /** Lets the one that has waited longest begin. */
  next(): void {
    this.held.shift()?.begin();
  }

  /** Sends all away: their handlers have not seen them. */
  refuse(): void {
    for (const held of this.held.splice(0)) held.refuse(new Failure('server-draining'));
  }
}
