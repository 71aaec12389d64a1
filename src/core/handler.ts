import type { HttpResponse } from './message.ts';
import type { HttpRequest } from './request.ts';

/**
 * When the request body is read.
 * `auto`: whole, within `bodyMaxBytes`, before the handler runs, so the handler may stay synchronous.
 * `manual`: by the handler, which may stream it.
 */
export type BodyMode = 'auto' | 'manual';

/** Answers one request. Routes, proxies and the server itself all have this shape, and so has a Fetch handler. */
export interface Handler {
  (request: HttpRequest): HttpResponse | Promise<HttpResponse>;
  /** Set by a handler that decides itself when the body is read (a router, a proxy). */
  readonly bodyMode?: BodyMode;
}

/** Wraps a handler in another one. Layers are composed at start-up, never per request. */
export type Layer = (inner: Handler) => Handler;

/**
 * `stack(a, b)(handler)`: a request passes a, then b, then the handler. The handler's body mode stays in force, unless
 * a layer reads the body itself (as one that changes the limit must).
 */
export const stack =
  (...layers: readonly Layer[]): Layer =>
  (inner) => {
    const stacked = layers.reduceRight((next, layer) => layer(next), inner);
    return withBodyMode(stacked, stacked.bodyMode ?? inner.bodyMode);
  };

/** The same handler with a body mode of its own. */
export function withBodyMode(handler: Handler, bodyMode: BodyMode | undefined): Handler {
  if (bodyMode === undefined || handler.bodyMode === bodyMode) return handler;
  const marked: Handler = (request) => handler(request);
  return Object.assign(marked, { bodyMode });
}

/** Reads the body whole before the handler runs; stays synchronous when the body is already here. */
export function buffered(handler: Handler): Handler {
  return (request) => {
    const body = request.incoming;
    if (body === null) return handler(request);
    body.admit();
    return body.complete ? handler(request) : body.gather().then(() => handler(request));
  };
}

/** The handler as the engine calls it: `auto` buffering unless the handler decides for itself. */
export function bodyReady(handler: Handler, fallback: BodyMode): Handler {
  return (handler.bodyMode ?? fallback) === 'auto' ? buffered(handler) : handler;
}
