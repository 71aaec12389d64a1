import { channel } from './events.ts';
import { Failure } from './failure.ts';
import type { Handler } from './handler.ts';
import type { HttpResponse } from './message.ts';
import type { HttpRequest } from './request.ts';

const failed = channel('request:error');

/** Calls the handler. The only place where a throw becomes a status; never throws, never rejects. */
export function answer(handler: Handler, request: HttpRequest): HttpResponse | Promise<HttpResponse> {
  try {
    const response = handler(request);
    return response instanceof Promise ? response.catch((error: unknown) => failureResponse(error, request)) : response;
  } catch (error) {
    return failureResponse(error, request);
  }
}

/** The answer to a failure: the status and line of FAULTS, and never a detail of an unexpected error. */
export function failureResponse(error: unknown, request: HttpRequest): HttpResponse {
  const failure = error instanceof Failure ? error : new Failure('handler-failed', undefined, { cause: error });
  if (failed.heard && failure.blame !== 'client') {
    failed.publish({ requestId: request.id, method: request.method, target: request.target, error });
  }
  return statusResponse(failure);
}

/** A failure as a response: one line of text, and `retry-after` with a 503. */
export function statusResponse(failure: Failure): HttpResponse {
  const headers: Record<string, string> = { 'content-type': 'text/plain; charset=utf-8' };
  if (failure.status === 503) headers['retry-after'] = '1';
  if (failure.code === 'method-refused') headers.allow = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';
  return { status: failure.status, headers, body: `${failure.message}\n` };
}
