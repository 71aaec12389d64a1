import type { Clock } from '../src/core/clock.ts';
import type { Failure } from '../src/core/failure.ts';
import type { Handler } from '../src/core/handler.ts';
import type { HttpResponse } from '../src/core/message.ts';
import type { HttpRequest } from '../src/core/request.ts';
import { Load, type Outcome, type Phase, type RequestMaker } from './load.ts';
import { randomStream } from './random.ts';
import { Recording } from './recording.ts';

/** Requests of one kind: those of a tenant, or of a class. */
export interface Stream {
  readonly name: string;
  readonly phases: readonly Phase[];
  readonly request?: RequestMaker;
}

/** Who asks, for how long. */
export interface Crowd {
  readonly durationMs: number;
  readonly binMs: number;
  /** After so long a client goes away. */
  readonly patienceMs: number;
  readonly streams: readonly Stream[];
}

/** Lets requests come to a handler, that of each stream. What becomes of them is recorded by stream. */
export function beginStreams(
  { binMs, durationMs, patienceMs, streams }: Crowd,
  handlerOf: (stream: string) => Handler,
  clock: Clock,
  seed: number,
): ReadonlyMap<string, Recording> {
  const recordings = streams.map(({ name, phases, request }) => {
    const recording = new Recording(durationMs, binMs, 0);
    const handler = handlerOf(name);
    const watcher = {
      onAsk: () => recording.asked(clock.now()),
      onAnswer: (outcome: Outcome, latencyMs: number) => recording.ended(outcome, latencyMs, clock.now()),
    };
    const patient: Handler = (asked) => untilGone(asked, handler(asked));
    new Load(patient, clock, randomStream(seed, `load ${name}`), patienceMs, watcher, request).beginPhases(phases);
    return [name, recording] as const;
  });
  return new Map(recordings);
}

/** A client that goes away hears nothing more, whatever its handler does. */
function untilGone(request: HttpRequest, answer: HttpResponse | Promise<HttpResponse>): Promise<HttpResponse> {
  const gone = Promise.withResolvers<never>();
  request.onAbort((failure: Failure) => gone.reject(failure));
  return Promise.race([answer, gone.promise]);
}
