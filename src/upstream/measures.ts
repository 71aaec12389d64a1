import type { Measure } from '../core/metrics.ts';
import type { UpstreamCounts } from './counts.ts';
import type { Endpoint } from './endpoint.ts';

/** Tells what an upstream has counted. */
export function measureUpstream(take: Measure, upstream: string, counts: UpstreamCounts, waitingCount: number): void {
  take('sluice_upstream_requests_total', { upstream }, counts.requestCount);
  for (const [code, count] of counts.failures.entries())
    take('sluice_upstream_failures_total', { upstream, code }, count);
  for (const [cause, count] of counts.retries.entries())
    take('sluice_upstream_retries_total', { upstream, cause }, count);
  take('sluice_upstream_retries_denied_total', { upstream }, counts.deniedRetryCount);
  take('sluice_upstream_requests_waiting', { upstream }, waitingCount);
}

/** Tells what has been counted of an endpoint, and how it is. */
export function measureEndpoint(take: Measure, upstream: string, endpoint: Endpoint): void {
  const { activeCount, connectingCount, connections, draining, idle, standing } = endpoint;
  const { breaker, counts, health, latencyMs, rank } = standing;
  const at = { upstream, endpoint: endpoint.id };
  take('sluice_endpoint_attempts_total', at, counts.attemptCount);
  for (const [status, count] of Object.entries(counts.answers))
    if (count > 0) take('sluice_endpoint_answers_total', { ...at, class: status }, count);
  for (const [code, count] of counts.failures.entries()) take('sluice_endpoint_failures_total', { ...at, code }, count);
  take('sluice_endpoint_requests_active', at, activeCount);
  take('sluice_endpoint_connections', { ...at, state: 'idle' }, idle.length);
  take('sluice_endpoint_connections', { ...at, state: 'busy' }, connections.size - idle.length);
  take('sluice_endpoint_connections', { ...at, state: 'connecting' }, connectingCount);
  take('sluice_endpoint_rank', { ...at, rank: draining ? 'draining' : rank }, 1);
  if (latencyMs !== null && !draining) take('sluice_endpoint_latency_seconds', at, latencyMs / 1000);
  // One that leaves may have a successor already, which has a state of its own.
  if (health !== null && !draining) take('sluice_endpoint_health', { ...at, state: health.state }, 1);
  for (const [result, count] of counts.probes.entries()) take('sluice_endpoint_probes_total', { ...at, result }, count);
  if (breaker !== null && !draining) take('sluice_endpoint_breaker', { ...at, state: breaker.state }, 1);
  for (const [to, count] of counts.breakerChanges.entries())
    take('sluice_endpoint_breaker_changes_total', { ...at, to }, count);
  for (const [reason, count] of counts.ejections.entries())
    take('sluice_endpoint_ejections_total', { ...at, reason }, count);
}
