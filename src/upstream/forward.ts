import { systemClock } from '../core/clock.ts';
import { Failure } from '../core/failure.ts';
import type { Handler } from '../core/handler.ts';
import type { HttpResponse } from '../core/message.ts';
import { listOf } from '../core/option-kind.ts';
import { type OptionRules, withDefaults } from '../core/options.ts';
import type { HttpRequest } from '../core/request.ts';
import { Forwarding } from './forwarding.ts';
import type { UpstreamGroup } from './group.ts';
import { oneHopLess, ownPseudonym, REWRITE_KINDS, Rewrite, type RewriteOptions } from './rewrite.ts';
import { Upgrade, type UpgradeOptions, upgradeName, wantedUpgrade } from './upgrade.ts';

/** How a route passes requests on. */
export interface ProxyOptions extends RewriteOptions, UpgradeOptions {
  /**
   * A request body of a known length up to this is awaited before an upstream connection is taken: a slow client then
   * occupies none, and the request can be sent again. Larger ones are streamed.
   */
  gatherMaxBytes: number;
}

export const PROXY_DEFAULTS: Readonly<Omit<ProxyOptions, 'via'>> = {
  trustedProxies: [],
  forwarded: 'x-forwarded',
  host: 'preserve',
  stripPrefix: null,
  gatherMaxBytes: 16_384,
  upgrade: [],
  tunnelIdleTimeoutMs: 3_600_000,
  drainClose: false,
  clock: systemClock,
};

const RULES: OptionRules<ProxyOptions> = {
  offable: ['via', 'tunnelIdleTimeoutMs'],
  kinds: { ...REWRITE_KINDS, upgrade: listOf(upgradeName) },
};

/**
 * A handler that passes requests on to an upstream. Bodies stream in both directions, without a limit unless a layer
 * sets one. Throws `TypeError` on options that cannot work.
 */
export function proxy(group: UpstreamGroup, given: Partial<ProxyOptions> = {}): Handler {
  const defaults = { ...PROXY_DEFAULTS, via: ownPseudonym() };
  const options = withDefaults('proxy', defaults, given, RULES);
  const allowed = new Set(options.upgrade);
  const rewrite = new Rewrite(options);
  const handle = (request: HttpRequest): HttpResponse | Promise<HttpResponse> => {
    const { incoming, method } = request;
    const wanted = wantedUpgrade(request, allowed);
    const passed = rewrite.request(request);
    const headers = oneHopLess(method, passed.headers);
    if (headers === null) return lastHop(method);
    if (wanted !== null || method === 'CONNECT') {
      const upgrade = new Upgrade(request, wanted, options);
      return new Forwarding(request, group, rewrite, passed, upgrade.fields(headers), null, upgrade).begin();
    }
    if (incoming === null) return new Forwarding(request, group, rewrite, passed, headers, null).begin();
    incoming.liftDefaultLimit();
    incoming.admit();
    const { lengthBytes } = incoming;
    const gatherMaxBytes = Math.max(options.gatherMaxBytes, group.replayMaxBytes);
    const small = lengthBytes !== null && lengthBytes <= gatherMaxBytes && !passed.expectContinue;
    if (incoming.used || (small && !incoming.complete)) {
      return incoming.whole().then((bytes) => new Forwarding(request, group, rewrite, passed, headers, bytes).begin());
    }
    // Trailers can only follow a body that is sent in chunks.
    const whole = incoming.trailers === null ? incoming.takeWhole() : null;
    return new Forwarding(request, group, rewrite, passed, headers, whole ?? incoming).begin();
  };
  return Object.assign(handle, { bodyMode: 'manual' } as const);
}

/** The answer to `max-forwards: 0`: we are the last hop (RFC 9110 §7.6.2). */
function lastHop(method: string): HttpResponse {
  if (method === 'TRACE') throw new Failure('method-refused');
  return { status: 204 };
}
