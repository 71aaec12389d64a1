import type { Lifecycle } from '../core/lifecycle.ts';
import { Http1ClientConnection } from '../protocol/http1/client.ts';
import { HTTP1_CLIENT_DEFAULTS, type Http1ClientLimits } from '../protocol/http1/client-limits.ts';
import { Http2ClientConnection } from '../protocol/http2/client.ts';
import { HTTP2_CLIENT_DEFAULTS, HTTP2_CLIENT_OPTIONS } from '../protocol/http2/client-limits.ts';
import type { Openers } from './dial.ts';
import type { UpstreamSettings } from './options.ts';

/** The client connections that this upstream has, by their protocols: a new one is a line here. */
export function openersFor(life: Lifecycle, { clock, retry, timeouts }: UpstreamSettings): Openers {
  const headTimeoutMs = least(timeouts.headMs, retry?.perTryTimeoutMs ?? null);
  const told = { headTimeoutMs, bodyTimeoutMs: timeouts.idleMs };
  const http1: Http1ClientLimits = { ...HTTP1_CLIENT_DEFAULTS, ...told };
  const h2 = { limits: { ...HTTP2_CLIENT_DEFAULTS, ...told }, options: HTTP2_CLIENT_OPTIONS, clock };
  return {
    http1: (socket, source, owner, begun) => new Http1ClientConnection(socket, source, life, owner, http1, begun),
    h2: (socket, source, owner, begun) => new Http2ClientConnection(socket, source, life, owner, h2, begun),
  };
}

const least = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.min(a, b);
