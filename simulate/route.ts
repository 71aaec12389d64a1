import type { Clock } from '../src/core/clock.ts';
import type { Layer } from '../src/core/handler.ts';
import type { HttpRequest } from '../src/core/request.ts';
import type { Turn } from './condition.ts';
import { randomStream } from './random.ts';
import type { Recording } from './recording.ts';
import { type ServerOptions, type ServerSide, SimulatedServer } from './server.ts';
import { beginStreams, type Crowd } from './streams.ts';
import { VirtualClock } from './virtual-clock.ts';

/** A layer, and what is to be looked at at the end of each bin. */
interface Watched {
  readonly layer: Layer;
  readonly gauge?: () => number;
}

/** A route: who asks, what is in the way, and who answers. */
export interface Route extends Crowd {
  readonly server: ServerOptions;
  readonly turns?: readonly Turn[];
  open(clock: Clock): Watched;
}

/** A request has come through the layer. */
export interface Pass {
  readonly atMs: number;
  readonly waitMs: number;
  readonly stream: string;
}

/** What happened on a route. */
export interface RouteRun {
  /** By stream. */
  readonly recordings: ReadonlyMap<string, Recording>;
  readonly passes: readonly Pass[];
  /** The gauge, at the end of each bin. */
  readonly gauges: readonly number[];
}

/**
 * Lets requests come to a real layer before a simulated server. The server does not notice that a client has gone: what it
 * has taken it works at, as most do. The same seed gives the same run.
 */
export async function playRoute(route: Route, seed: number): Promise<RouteRun> {
  const { binMs, durationMs, patienceMs, turns = [] } = route;
  const clock = new VirtualClock();
  const server = new SimulatedServer(route.server, clock, randomStream(seed, 'server'));
  const { gauge, layer } = route.open(clock);
  const arrivals = new WeakMap<HttpRequest, { readonly atMs: number; readonly stream: string }>();
  const passes: Pass[] = [];
  const handler = layer((request) => {
    const { atMs: cameMs = 0, stream = '' } = arrivals.get(request) ?? {};
    passes.push({ atMs: clock.now(), waitMs: clock.now() - cameMs, stream });
    return new Promise((resolve) => server.take(CALLER, (status) => resolve({ status })));
  });
  const handlerOf = (stream: string) => (request: HttpRequest) => {
    arrivals.set(request, { atMs: clock.now(), stream });
    return handler(request);
  };
  const recordings = beginStreams(route, handlerOf, clock, seed);
  for (const { atMs, condition } of turns) clock.after(atMs, () => server.become(condition));
  const gauges: number[] = [];
  const look = clock.every(binMs, () => gauges.push(gauge?.() ?? 0));
  await clock.runUntil(durationMs);
  look.cancel();
  // Nobody asks any more; what is under way ends.
  await clock.runUntil(durationMs + patienceMs + 1);
  return { recordings, passes, gauges };
}

const CALLER: ServerSide = { gone: false, leave() {}, reset() {} };
