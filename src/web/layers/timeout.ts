import type { Clock } from '../../core/clock.ts';
import { systemClock } from '../../core/clock.ts';
import { Failure } from '../../core/failure.ts';
import type { Layer } from '../../core/handler.ts';
import { bodyReady, withBodyMode } from '../../core/handler.ts';
import { discardBody } from '../../core/message.ts';
import { withDefaults } from '../../core/options.ts';

export interface TimeoutOptions {
  /** From the call to the response, reading the request's body included. A streamed response body is not part of it. */
  totalMs: number;
  clock: Clock;
}

export const TIMEOUT_DEFAULTS: Readonly<TimeoutOptions> = { totalMs: 30_000, clock: systemClock };

/**
 * Answers 504 (`handler-timeout`) when the handler takes too long; `request.signal` aborts, and reads of the body
 * reject, so that it can stop. A handler that answers synchronously costs no timer.
 *
 * The layer reads the body itself, inside the time, for a handler that does not say `manual`.
 */
export function timeout(options?: Partial<TimeoutOptions>): Layer {
  const { totalMs, clock } = withDefaults('timeout', TIMEOUT_DEFAULTS, options);
  return (handler) => {
    const inner = bodyReady(handler, 'auto');
    return withBodyMode((request) => {
      const answer = inner(request);
      if (!(answer instanceof Promise)) return answer;
      return new Promise((resolve, reject) => {
        let late = false;
        const timer = clock.after(totalMs, () => {
          late = true;
          const failure = new Failure('handler-timeout', `The limit is ${totalMs} ms.`);
          request.abort(failure);
          reject(failure);
        });
        answer.then(
          (response) => {
            timer.cancel();
            // Nobody will read it any more, and an upstream connection may hang on it.
            if (late) discardBody(response.body);
            else resolve(response);
          },
          (error: unknown) => {
            timer.cancel();
            reject(error);
          },
        );
      });
    }, 'manual');
  };
}
