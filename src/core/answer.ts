import { channel } from './events.ts';
import { Failure } from './failure.ts';
import type { Handler } from './handler.ts';
import type { HttpResponse } from './message.ts';
import type { HttpRequest } from './request.ts';

const failed = channel('request:error');

/**
 * Calls the handler and hands its answer on: at once where the handler is synchronous. The only place where a throw
 * becomes a status.
 */
export function answer(handler: Handler, request: HttpRequest, respond: (response: HttpResponse) => void): void {
  let response: HttpResponse | Promise<HttpResponse>;
  try {
    response = handler(request);
  } catch (error) {
    respond(failureResponse(error, request));
    return;
  }
  if (response instanceof Promise) {
    response.then(
      (value) => respond(checked(value, request)),
      (error: unknown) => respond(failureResponse(error, request)),
    );
  } else {
    respond(checked(response, request));
  }
}

/** A handler that forgot to return is answered for, too. */
function checked(response: HttpResponse, request: HttpRequest): HttpResponse {
  if (typeof response === 'object' && response !== null) return response;
  return failureResponse(new Failure('response-invalid', 'The handler has returned no response.'), request);
}

/** The answer to a failure: the status and line of FAULTS, and never a detail of an unexpected error. */
export function failureResponse(error: unknown, request: HttpRequest): HttpResponse {
  reportFailure(error, request);
  return statusResponse(error instanceof Failure ? error : new Failure('handler-failed', undefined, { cause: error }));
}

/** Publishes what went wrong with a request, unless its client is to blame. */
export function reportFailure(error: unknown, request: HttpRequest): void {
  if (!failed.heard || (error instanceof Failure && error.blame === 'client')) return;
  failed.publish({ requestId: request.id, method: request.method, target: request.target, error });
}

/** A failure as a response: one line of text, and `retry-after` with a 503. */
export function statusResponse(failure: Failure): HttpResponse {
  const headers: Record<string, string> = { 'content-type': 'text/plain; charset=utf-8' };
  if (failure.status === 503) headers['retry-after'] = '1';
  if (failure.code === 'method-refused') headers.allow = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';
  return { status: failure.status, headers, body: `${failure.message}\n` };
}
