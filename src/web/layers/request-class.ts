import type { Layer } from '../../core/handler.ts';
import { withBodyMode } from '../../core/handler.ts';
import { oneOf } from '../../core/option-kind.ts';
import { withDefaults } from '../../core/options.ts';
import type { RequestClass } from '../../core/request.ts';
import { SHED_CLASSES } from '../../policy/shedding.ts';

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
  const { class: given } = withDefaults('requestClass', REQUEST_CLASS_DEFAULTS, options, {
    kinds: { class: oneOf(SHED_CLASSES) },
  });
  return (inner) =>
    withBodyMode((request) => {
      request.limitClass = given;
      return inner(request);
    }, inner.bodyMode);
}
