import { onEvent } from '../core/events.ts';
import { Failure } from '../core/failure.ts';
import type { Log } from './log.ts';

/** Clients can cause these lines as often as they like. */
const SELDOM_MS = 10_000;

/** Writes what a server reports about itself to a log. Returns the function that stops it. */
export function logEvents(log: Log): () => void {
  const unfound = seldom<{ upstream: string; reason: string }>(
    log,
    'looking for endpoints fails, those found before stay',
  );
  const unsent = seldom<{ upstream: string }>(log, 'requests are not sent again: the budget is used up');
  const stops = [
    onEvent('request:error', ({ requestId, method, target, error }) => {
      const request = { requestId, method, target };
      // A failure with a code is an answer that was meant; anything else is a bug and needs its stack.
      if (error instanceof Failure)
        log.warn(error.message, { code: error.code, ...request, cause: reason(error.cause) });
      else log.error('a handler failed', { ...request, error });
    }),
    onEvent('listener:error', ({ listener, error }) => log.warn('accepting failed, trying again', { listener, error })),
    onEvent('connection:refuse', seldom(log, 'connections are refused')),
    onEvent('handshake:fail', seldom(log, 'TLS handshakes fail')),
    onEvent('tls:reload', (event) => log.info('certificates reloaded', event)),
    onEvent('tls:error', ({ listener, error }) =>
      log.error(`certificates not reloaded, those in force stay: ${error.message}`, { listener }),
    ),
    onEvent('tls:expired', ({ listener, source, validTo }) =>
      log.warn('a certificate has expired', { listener, source, validTo: validTo.toISOString() }),
    ),
    onEvent('request:refuse', seldom(log, 'requests are refused')),
    onEvent('limit:refuse', seldom(log, 'requests are over a limit')),
    onEvent('endpoint:health', ({ upstream, endpoint, state, before, why }) => {
      const level = state === 'unhealthy' ? 'warn' : 'info';
      log[level](`an endpoint is ${state}`, { upstream, endpoint, before, ...(why === null ? {} : { why }) });
    }),
    onEvent('endpoint:eject', ({ forMs, ...event }) =>
      log.warn('an endpoint is out for its answers', { ...event, forMs: Math.round(forMs) }),
    ),
    onEvent('endpoint:breaker', (event) =>
      log[event.state === 'open' ? 'warn' : 'info'](`the breaker of an endpoint is ${event.state}`, event),
    ),
    onEvent('upstream:spent', ({ upstream, kind }) => {
      // What is not hedged is slow, and no more than that.
      if (kind === 'retry') unsent({ upstream });
    }),
    onEvent('upstream:discover', (event) => log.info('endpoints found', event)),
    onEvent('discover:error', ({ upstream, error }) => unfound({ upstream, reason: error.message })),
    onEvent('drain:stage', ({ stage, liveCount }) => log.debug(`drain: ${stage}`, { liveCount })),
  ];
  if (log.writes('debug')) {
    stops.push(
      onEvent('connection:close', (event) => log.debug('connection closed', event)),
      onEvent('upstream:retry', (event) => log.debug('a request is sent again', event)),
      onEvent('upstream:hedge', (event) => log.debug('a request is sent to another endpoint, too', event)),
      onEvent('endpoint:state', (event) => log.debug(`an endpoint is ${event.state}`, event)),
      onEvent('upstream:close', (event) => log.debug('upstream connection closed', event)),
    );
  }
  return () => {
    for (const stop of stops) stop();
  };
}

/** The first in ten seconds is told at once, with how many there were since the one told before. */
function seldom<Message extends object>(log: Log, text: string): (event: Message) => void {
  let untoldCount = 0;
  let quietUntilMs = Number.NEGATIVE_INFINITY;
  return (event) => {
    untoldCount += 1;
    const nowMs = performance.now();
    if (nowMs < quietUntilMs) return;
    log.warn(text, { ...event, count: untoldCount });
    untoldCount = 0;
    quietUntilMs = nowMs + SELDOM_MS;
  };
}

function reason(cause: unknown): string | undefined {
  return cause instanceof Error ? cause.message : undefined;
}
