import { IncomingBody } from '../../core/body.ts';
import type { Clock } from '../../core/clock.ts';
import { systemClock } from '../../core/clock.ts';
import { Failure } from '../../core/failure.ts';
import type { Layer } from '../../core/handler.ts';
import { withBodyMode } from '../../core/handler.ts';
import { HeaderFields } from '../../core/headers.ts';
import type { HttpResponse } from '../../core/message.ts';
import { withDefaults } from '../../core/options.ts';
import type { HttpRequest } from '../../core/request.ts';

/** One answered request. */
export interface AccessRecord {
  /** When the request came to the layer, in milliseconds since 1970 UTC. */
  readonly timeMs: number;
  readonly requestId: string;
  /** Address of the other end of the connection. */
  readonly peer: string;
  readonly method: string;
  /** As received, query included. */
  readonly target: string;
  readonly status: number;
  /** Until the response was decided; sending it is not part of it. */
  readonly durationMs: number;
  /** Size of the response's body, `null` when it is not known beforehand. */
  readonly bytes: number | null;
}

export interface AccessLogOptions {
  /** Takes a record. Called while the request waits, so it should only queue; what it throws fails the request. */
  write: (record: AccessRecord) => void;
  clock: Clock;
}

const ACCESS_LOG_DEFAULTS: Readonly<AccessLogOptions> = {
  write: (record) => process.stdout.write(`${JSON.stringify(record)}\n`),
  clock: systemClock,
};

/**
 * Writes one record for each request as its response is decided. It sees what handlers see: answers that an engine
 * makes by itself are elsewhere: a malformed head in the event `request:refuse`, a full server in `request:end`.
 */
export function accessLog(options?: Partial<AccessLogOptions>): Layer {
  const { write, clock } = withDefaults('accessLog', ACCESS_LOG_DEFAULTS, options);
  return (inner) =>
    withBodyMode((request) => {
      const startMs = clock.now();
      // Asked now: a client that has left by the end has no address any more.
      const peer = request.peer.address;
      const record = (status: number, bytes: number | null): void => {
        const durationMs = clock.now() - startMs;
        const { id, method, target } = request;
        const timeMs = clock.wallMs() - durationMs;
        write({ timeMs, requestId: id, peer, method, target, status, durationMs, bytes });
      };
      const answered = (response: HttpResponse): HttpResponse => {
        record(response.status, bodyBytes(request, response));
        return response;
      };
      const failed = (error: unknown): never => {
        record(error instanceof Failure ? error.status : 500, null);
        throw error;
      };
      let answer: ReturnType<typeof inner>;
      try {
        answer = inner(request);
      } catch (error) {
        return failed(error);
      }
      return answer instanceof Promise ? answer.then(answered, failed) : answered(answer);
    }, inner.bodyMode);
}

function bodyBytes(request: HttpRequest, { body, headers }: HttpResponse): number | null {
  if (request.method === 'HEAD' || body === null || body === undefined) return 0;
  if (typeof body === 'string') return Buffer.byteLength(body);
  if (body instanceof Uint8Array) return body.byteLength;
  if (body instanceof IncomingBody && body.lengthBytes !== null) return body.lengthBytes;
  const length = HeaderFields.from(headers).get('content-length');
  return length === null ? null : Number(length);
}
