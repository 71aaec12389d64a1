import { setTimeout as after } from 'node:timers/promises';
import type { Handler } from '../core/handler.ts';
import type { HttpRequest } from '../core/request.ts';
import { reply } from '../web/reply.ts';

const SLOW_MS = 5000;
const STREAM_LINE_COUNT = 8;
const STREAM_STEP_MS = 250;

/** One of the servers behind the demo's proxy. It says who it is in all its answers. */
export function demoUpstream(name: string): Handler {
  let requestCount = 0;
  return (request) => {
    switch (request.path) {
      case '/api/whoami':
        requestCount += 1;
        return jsonLine({ upstream: name, requestCount });
      case '/api/echo':
        return echo(name, request);
      case '/api/slow':
        return slow(name, request);
      case '/api/stream':
        return reply.stream(lines(name, request), { headers: { 'content-type': 'text/plain; charset=utf-8' } });
      default:
        return reply.text(`${name}: there is nothing at ${request.path}\n`, { status: 404 });
    }
  };
}

async function echo(name: string, request: HttpRequest) {
  const { method, target } = request;
  return jsonLine({
    upstream: name,
    method,
    target,
    headers: Object.fromEntries(request.headers),
    body: await request.text(),
  });
}

/** JSON that leaves a terminal's prompt on a line of its own. */
function jsonLine(value: unknown) {
  return reply.text(`${JSON.stringify(value)}\n`, { headers: { 'content-type': 'application/json' } });
}

async function slow(name: string, request: HttpRequest) {
  await after(SLOW_MS, undefined, { signal: request.signal });
  return reply.text(`${name} took its time and lost nothing\n`);
}

async function* lines(name: string, request: HttpRequest): AsyncGenerator<string, void, undefined> {
  for (let line = 1; line <= STREAM_LINE_COUNT; line += 1) {
    yield `${name} ${line} of ${STREAM_LINE_COUNT}\n`;
    if (line < STREAM_LINE_COUNT) await after(STREAM_STEP_MS, undefined, { signal: request.signal });
  }
}
