import type { Handler } from '../core/handler.ts';
import type { Measured } from '../core/metrics.ts';
import { reply } from '../web/reply.ts';
import { router } from '../web/router.ts';
import { metrics } from './metrics.ts';

/** What operators are told of a program. */
export interface AdminView {
  sources(): Iterable<Measured>;
  /** Everything at this moment, as JSON. */
  status(): unknown;
  /** Whether it wants new requests: a balancer should send none once a drain is announced. */
  ready(): boolean;
}

/** Nobody should keep what was true a moment ago. */
const HEADERS = { 'cache-control': 'no-store' };

/**
 * What an operator's tools ask: `/metrics`, `/status`, `/healthz` (it lives) and `/readyz` (it wants requests, else 503).
 * No limit that is set on routes holds here.
 */
export function adminHandler(view: AdminView): Handler {
  return router()
    .get(
      '/metrics',
      metrics(() => view.sources()),
    )
    .get('/status', () => reply.json(view.status(), { headers: HEADERS }))
    .get('/healthz', () => reply.text('ok\n', { headers: HEADERS }))
    .get('/readyz', () =>
      view.ready()
        ? reply.text('ready\n', { headers: HEADERS })
        : reply.text('draining\n', { status: 503, headers: HEADERS }),
    )
    .compile();
}
