import type { Measure } from '../core/metrics.ts';
import type { ListenerStatus } from './status.ts';

/** Tells what a listener has counted, and how it is. */
export function measureListener(take: Measure, status: ListenerStatus): void {
  const { name: listener, phase, connections, closed, refused, requests } = status;
  take('sluice_listener_phase', { listener, phase }, 1);
  for (const [activity, count] of Object.entries(connections))
    if (activity !== 'total') take('sluice_listener_connections', { listener, activity }, count);
  for (const [reason, count] of Object.entries(closed))
    take('sluice_listener_connections_closed_total', { listener, reason }, count);
  for (const [reason, count] of Object.entries(refused))
    take('sluice_listener_refused_total', { listener, reason }, count);
  take('sluice_listener_requests_total', { listener }, requests.served);
  take('sluice_listener_requests_in_flight', { listener }, requests.inFlight);
}
