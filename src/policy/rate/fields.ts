import type { RateDecision, RateLimit } from './limit.ts';

/** The largest integer of a structured field (RFC 9651 §3.3.1). */
const INTEGER_MAX = 999_999_999_999_999;

/**
 * What a limit is called in both fields, as a string of a structured field (RFC 9651 §3.3.3). Throws `TypeError` for a
 * name that is not printable ASCII.
 */
export function rateLimitLabel(name: string): string {
  if (!/^[ -~]*$/.test(name)) throw new TypeError(`rate limit name: ${JSON.stringify(name)} is not printable ASCII`);
  return `"${name.replace(/["\\]/g, '\\$&')}"`;
}

/**
 * A limit as a member of `ratelimit-policy` (draft-ietf-httpapi-ratelimit-headers-11 §3): `"api";q=50;w=1`. Join the
 * members of several limits with `, `.
 */
export function rateLimitPolicyField(label: string, limit: RateLimit): string {
  return `${label};q=${integer(limit.quotaCount)};w=${integer(wholeSeconds(limit.windowMs))}`;
}

/**
 * What is left of a limit as a member of `ratelimit` (§4 there): `"api";r=49;t=1`. `t` is when the whole quota is back; for a
 * refused request when it may come again, as `retry-after` must not be earlier (§6). Left out when nothing is used.
 */
export function rateLimitField(label: string, decision: Readonly<RateDecision>): string {
  const effectiveMs = decision.admitted ? decision.resetMs : Math.min(decision.resetMs, decision.retryAfterMs);
  const window = effectiveMs > 0 ? `;t=${integer(wholeSeconds(effectiveMs))}` : '';
  return `${label};r=${integer(decision.remainingCount)}${window}`;
}

/** `retry-after` in whole seconds, never too early (RFC 9110 §10.2.3); `null` when waiting does not help. */
export function retryAfterField(retryAfterMs: number): string | null {
  return Number.isFinite(retryAfterMs) ? `${integer(wholeSeconds(retryAfterMs))}` : null;
}

/** Rounded up, so that a quota is never overstated; 0 s is no window. */
function wholeSeconds(timeMs: number): number {
  return Math.max(1, Math.ceil(timeMs / 1000));
}

function integer(value: number): number {
  return Math.min(INTEGER_MAX, Math.max(0, value));
}
