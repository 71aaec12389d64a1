import type { Clock } from '../core/clock.ts';
import { systemClock } from '../core/clock.ts';
import { HeaderFields, type HeaderSource } from '../core/headers.ts';
import type { DrainNotice, HttpResponse } from '../core/message.ts';
import { callable, headerFields } from '../core/option-kind.ts';
import { type OptionRules, withDefaults } from '../core/options.ts';
import type { HttpRequest } from '../core/request.ts';
import { type EventItem, retryLine } from './event-format.ts';
import { EventStream } from './event-stream.ts';

export type { EventItem, ServerSentEvent } from './event-format.ts';

/** A drain has begun: the last chance to say something. */
export interface EventsDrain extends DrainNotice {
  /** Sends one event more, beside those of the source. */
  send(item: EventItem): void;
  /** Ends the stream after what was sent; the source is stopped. An EventSource comes again, elsewhere. */
  end(): void;
}

/** How a stream of events is sent. */
export interface EventsOptions {
  /** Fields besides the usual ones, which they replace. */
  headers: HeaderSource;
  /** A comment goes out this often, so that nobody on the way takes a quiet stream for a dead one. `null` sends none. */
  heartbeatMs: number | null;
  /** How long a client waits before it comes again; told before the first event. `null` leaves it to the client. */
  retryMs: number | null;
  /**
   * Called when a drain begins. Without it the stream goes on until its source ends, or it is cut off at the end of the
   * drain's `streamGraceMs`: right for a source that ends by itself. An endless one should say `drain.end()`.
   */
  onDrain: ((drain: EventsDrain) => void) | null;
  clock: Clock;
}

const EVENTS_DEFAULTS: Readonly<EventsOptions> = {
  headers: {},
  heartbeatMs: 15_000,
  retryMs: null,
  onDrain: null,
  clock: systemClock,
};

const RULES: OptionRules<EventsOptions> = {
  offable: ['heartbeatMs'],
  kinds: { headers: headerFields, onDrain: callable },
};

/** Caches and buffering proxies would keep events from a client for as long as the stream lasts. */
const USUAL: readonly (readonly [string, string])[] = [
  ['content-type', 'text/event-stream'],
  ['cache-control', 'no-store'],
  ['x-accel-buffering', 'no'],
];

/** See `reply.events`. */
export function eventsReply(source: AsyncIterable<EventItem>, given?: Partial<EventsOptions>): HttpResponse {
  const { headers, heartbeatMs, retryMs, onDrain, clock } = withDefaults('events', EVENTS_DEFAULTS, given, RULES);
  const body = new EventStream(source, retryMs === null ? '' : retryLine(retryMs), heartbeatMs, clock);
  return {
    status: 200,
    headers: withUsual(HeaderFields.from(headers)),
    body,
    onDrain: ({ graceMs }) => onDrain?.({ graceMs, send: (item) => body.send(item), end: () => body.end() }),
  };
}

function withUsual(fields: HeaderFields): HeaderFields {
  return USUAL.reduce((all, [name, value]) => (all.has(name) ? all : all.append(name, value)), fields);
}

/** The `id` of the last event that the client has seen before it came again; `null` when it comes for the first time. */
export function lastEventId(request: HttpRequest): string | null {
  const value = request.headers.get('last-event-id');
  // Clients send UTF-8, and a header is read as Latin-1 (WHATWG HTML §9.2.3).
  return value === null ? null : Buffer.from(value, 'latin1').toString('utf8');
}
