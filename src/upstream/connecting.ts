import type { Failure } from '../core/failure.ts';
import type { Attempt, Dial, Dialled } from './dial.ts';
import type { Endpoint } from './endpoint.ts';

/** A connection that is being opened, for waiters that may be served by another one meanwhile. */
export class Connecting {
  readonly endpoint: Endpoint;
  readonly sinceMs: number;
  /** Requests that wait for it. */
  waiterCount = 0;
  private readonly attempt: Attempt;

  /** One of the two is called once, later, unless it is cancelled. */
  constructor(
    endpoint: Endpoint,
    sinceMs: number,
    dial: Dial,
    onConnected: (connecting: Connecting, dialled: Dialled) => void,
    onFailed: (connecting: Connecting, failure: Failure) => void,
  ) {
    this.endpoint = endpoint;
    this.sinceMs = sinceMs;
    this.attempt = dial(endpoint, {
      onConnected: (dialled) => onConnected(this, dialled),
      onFailed: (failure) => onFailed(this, failure),
    });
  }

  /** Gives up; nobody is told. */
  cancel(): void {
    this.attempt.cancel();
  }
}
