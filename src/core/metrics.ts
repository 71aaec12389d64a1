/** How a metric is read: one that only grows, or one that goes up and down. */
export type MetricKind = 'counter' | 'gauge';

export interface Metric {
  readonly kind: MetricKind;
  readonly labels: readonly string[];
  /** One line for people. */
  readonly what: string;
}

/** The endpoint of an upstream. */
const ENDPOINT = ['upstream', 'endpoint'] as const;
/** A limit, and where it is: the route or upstream of a configuration, nothing in a program. */
const LIMIT = ['limit', 'place'] as const;

const counter = <const Labels extends readonly string[]>(labels: Labels, what: string) =>
  ({ kind: 'counter', labels, what }) as const;
const gauge = <const Labels extends readonly string[]>(labels: Labels, what: string) =>
  ({ kind: 'gauge', labels, what }) as const;

/** Everything that is measured. `docs/metrics.md` is generated from this table. */
export const METRICS = {
  sluice_listener_phase: gauge(['listener', 'phase'], '1 for the phase it is in: accepting, draining, closed.'),
  sluice_listener_connections: gauge(['listener', 'activity'], 'Open connections by what they are doing.'),
  sluice_listener_connections_closed_total: counter(['listener', 'reason'], 'Closed connections by why they ended.'),
  sluice_listener_refused_total: counter(['listener', 'reason'], 'Refused connections by the budget they were over.'),
  sluice_listener_requests_total: counter(['listener'], 'Requests that were answered to their end.'),
  sluice_listener_requests_in_flight: gauge(['listener'], 'Requests that are being answered.'),

  sluice_upstream_requests_total: counter(['upstream'], 'Requests that were given to it.'),
  sluice_upstream_failures_total: counter(['upstream', 'code'], 'Requests that came to nothing, by their failure.'),
  sluice_upstream_retries_total: counter(
    ['upstream', 'cause'],
    'Attempts beyond the first, by how the one before ended; `hedge`: it had not.',
  ),
  sluice_upstream_retries_denied_total: counter(['upstream'], 'Attempts that the budget for retries did not allow.'),
  sluice_upstream_requests_waiting: gauge(['upstream'], 'Requests that wait for a connection.'),

  sluice_endpoint_attempts_total: counter(ENDPOINT, 'Requests that were sent to it.'),
  sluice_endpoint_answers_total: counter([...ENDPOINT, 'class'], 'Answers by the first digit of their status.'),
  sluice_endpoint_failures_total: counter([...ENDPOINT, 'code'], 'Attempts without an answer, by their failure.'),
  sluice_endpoint_requests_active: gauge(ENDPOINT, 'Requests that it is answering.'),
  sluice_endpoint_connections: gauge([...ENDPOINT, 'state'], 'Connections to it: idle, busy, connecting.'),
  sluice_endpoint_latency_seconds: gauge(
    ENDPOINT,
    'What is expected of the time to the head of an answer: rises with a slow one at once, and falls slowly.',
  ),
  sluice_endpoint_rank: gauge([...ENDPOINT, 'rank'], 'How many stand so: well, degraded, out, untried, draining.'),
  sluice_endpoint_health: gauge([...ENDPOINT, 'state'], '1 for what its probes say.'),
  sluice_endpoint_probes_total: counter([...ENDPOINT, 'result'], 'Probes by how they ended.'),
  sluice_endpoint_breaker: gauge([...ENDPOINT, 'state'], '1 for the state of its breaker.'),
  sluice_endpoint_breaker_changes_total: counter(
    [...ENDPOINT, 'to'],
    'Changes of its breaker, by the state it came to.',
  ),
  sluice_endpoint_ejections_total: counter([...ENDPOINT, 'reason'], 'How often it was taken out for its answers.'),

  sluice_limit_admitted_total: counter([...LIMIT, 'layer'], 'Requests that a limit has let pass.'),
  sluice_limit_delayed_total: counter([...LIMIT, 'layer'], 'Of these, how many had to wait for it.'),
  sluice_limit_refused_total: counter([...LIMIT, 'layer', 'reason'], 'Requests that it has refused.'),
  sluice_rate_limit_forgotten_total: counter(LIMIT, 'Busy keys that were forgotten for others.'),
  sluice_concurrency_limit: gauge(LIMIT, 'Requests that may run at once now.'),
  sluice_concurrency_requests_running: gauge(LIMIT, 'Requests that have a place.'),
  sluice_concurrency_requests_waiting: gauge(LIMIT, 'Requests that wait for a place.'),
  sluice_load_pressure_ratio: gauge(LIMIT, 'How much of the load is refused: 0 nothing, 1 all that has a class.'),
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof METRICS;

/** The labels of a metric, each with its value. */
export type MetricLabels<Name extends MetricName> = Readonly<Record<(typeof METRICS)[Name]['labels'][number], string>>;

/** Takes one value of a metric. */
export type Measure = <Name extends MetricName>(name: Name, labels: MetricLabels<Name>, value: number) => void;

/** What can be measured. Its counts are kept by itself; they are read only when somebody asks. */
export interface Measured {
  /** Tells everything that it counts. `place`: which one it is among those that have the same name. */
  measure(take: Measure, place?: string): void;
}

/** Counts by a name that is not known before. */
export class Tally<Name extends string> {
  private readonly counts = new Map<Name, number>();

  add(name: Name): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  entries(): IterableIterator<[Name, number]> {
    return this.counts.entries();
  }
}
