import type { Layer } from '../../core/handler.ts';
import { withBodyMode } from '../../core/handler.ts';
import { withDefaults } from '../../core/options.ts';
import type { RequestClass } from '../../core/request.ts';
import { SHED_CLASSES } from '../../policy/shedding.ts';
import { isClass } from './shed-class.ts';

export interface RequestClassOptions {
  /** `null`: `concurrencyLimit` and `loadShedding` let it pass and take no notice, as health checks need it. */
  class: RequestClass | null;
}

const REQUEST_CLASS_DEFAULTS: Readonly<RequestClassOptions> = { class: null };

/**
 * Says how important requests are to all limits that they come to after this layer, those of an upstream among them: there
 * it goes before the limits' own `class`. Throws `TypeError` for wrong options.
 */
export function requestClass(options?: Partial<RequestClassOptions>): Layer {
  const { class: given } = withDefaults('requestClass', REQUEST_CLASS_DEFAULTS, options);
  if (given !== null && !isClass(given))
    throw new TypeError(`requestClass: class: ${JSON.stringify(given)} is none of ${SHED_CLASSES.join(', ')}`);
  return (inner) =>
    withBodyMode((request) => {
      request.limitClass = given;
      return inner(request);
    }, inner.bodyMode);
}
