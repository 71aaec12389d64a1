import type { Layer } from '../../core/handler.ts';
import { bodyReady, withBodyMode } from '../../core/handler.ts';
import { withDefaults } from '../../core/options.ts';

export interface BodyLimitOptions {
  /** `null` for no limit. */
  maxBytes: number | null;
}

export const BODY_LIMIT_DEFAULTS: Readonly<BodyLimitOptions> = { maxBytes: 10 * 1024 * 1024 };

/**
 * Puts another limit on request bodies than the listener's `bodyMaxBytes`, lower or higher. Over it is 413
 * (`body-too-large`), before anything is read where content-length says so.
 *
 * The layer reads the body itself, under the new limit, for a handler that does not say `manual`.
 */
export function bodyLimit(options?: Partial<BodyLimitOptions>): Layer {
  const { maxBytes } = withDefaults('bodyLimit', BODY_LIMIT_DEFAULTS, options, { offable: ['maxBytes'] });
  return (handler) => {
    const inner = bodyReady(handler, 'auto');
    return withBodyMode((request) => {
      if (request.incoming !== null) {
        request.incoming.maxBytes = maxBytes;
        request.incoming.admit();
      }
      return inner(request);
    }, 'manual');
  };
}
