import { createServer, type IncomingMessage, type RequestListener, Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { REFUSALS } from '../../core/refusal.ts';
import type { Admission, Connection, ConnectionRunner, ConnectionWork, RequestInFlight } from '../../core/runner.ts';

/**
 * Hands connections to Node's own HTTP server, so that an Express, Fastify or Koa app runs unchanged under Sluice's
 * listener, budgets and drain. Give the app's request listener, or an `http.Server` that is not listening and has all of
 * its listeners attached. Of the listener's limits the budgets, `headTimeoutMs` and `idleTimeoutMs` hold; how heads and
 * bodies are read is Node's own matter.
 */
export function nodeRunner(app: RequestListener | Server): ConnectionRunner {
  const connections = new WeakMap<Socket, NodeServerConnection>();
  const http = app instanceof Server ? app : createServer(app);
  http.keepAliveTimeout = 0;
  // The app's listeners are called from ours, because only so can a request over the budget be kept from them.
  const listeners = http.listeners('request');
  http.removeAllListeners('request');
  http.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (connections.get(request.socket)?.begin(request, response) !== true) return;
    for (const listener of listeners) Reflect.apply(listener, http, [request, response]);
  });
  for (const switching of ['upgrade', 'connect'] as const) {
    // Node leaves these requests to the app only while somebody listens for them.
    if (http.listenerCount(switching) === 0) continue;
    http.prependListener(switching, (request: IncomingMessage) => connections.get(request.socket)?.handOver());
  }
  return {
    name: 'node',
    run(connection) {
      const work = new NodeServerConnection(connection);
      connections.set(connection.socket, work);
      connection.attend(work);
      http.emit('connection', connection.socket);
    },
    refuse(socket, reason) {
      socket.end(REFUSALS[reason], 'latin1');
    },
  };
}

interface RunningRequest extends RequestInFlight {
  readonly admission: Admission | null;
}

/** One connection, watched from outside: what Node's server does on it is known from its requests and byte counts. */
class NodeServerConnection implements ConnectionWork {
  private readonly connection: Connection;
  private readonly running = new Map<ServerResponse, RunningRequest>();
  /** Bytes that belonged to requests which are done; more than this is a head on its way. */
  private restBytes = 0;
  private sinceMs: number;
  private quietUntilMs = Number.POSITIVE_INFINITY;

  constructor(connection: Connection) {
    this.connection = connection;
    this.sinceMs = connection.service.clock.now();
  }

  /** A request has come. `false` when it is over the budget, and answered. */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    const { connection } = this;
    connection.activity = 'in-flight';
    const sinceMs = connection.service.clock.now();
    const admission = connection.service.admit();
    this.running.set(response, { method: request.method ?? '', target: request.url ?? '', sinceMs, admission });
    // Node emits it however a response ends.
    response.once('close', () => this.end(response));
    if (connection.life.phase !== 'accepting') response.setHeader('connection', 'close');
    if (admission === null) response.writeHead(503, { 'retry-after': '1' }).end();
    return admission !== null;
  }

  handOver(): void {
    this.connection.activity = 'stream';
    this.connection.reason ??= 'taken-over';
  }

  sweep(nowMs: number): void {
    const { connection } = this;
    const { limits } = connection.service;
    if (this.running.size > 0 || connection.activity === 'stream') return;
    const headBegun = connection.socket.bytesRead > this.restBytes;
    if (headBegun && connection.activity !== 'reading') {
      connection.activity = 'reading';
      this.sinceMs = nowMs;
    }
    const timeoutMs = headBegun ? limits.headTimeoutMs : limits.idleTimeoutMs;
    if (timeoutMs !== null && nowMs - this.sinceMs >= timeoutMs) {
      connection.close(headBegun ? 'request-timeout' : 'idle-timeout');
    } else if (!headBegun && nowMs >= this.quietUntilMs) {
      connection.reason ??= 'drained-idle';
      connection.socket.end();
    }
  }

  drain(): void {
    const { service } = this.connection;
    for (const response of this.running.keys()) if (!response.headersSent) response.setHeader('connection', 'close');
    this.quietUntilMs = service.clock.now() + service.quietMs;
    this.sweep(service.clock.now());
  }

  /** Node's requests have no signal; they learn of the end when their socket is destroyed. */
  abort(): void {}

  closed(): void {
    for (const response of [...this.running.keys()]) response.destroy();
  }

  inFlight(): readonly RequestInFlight[] {
    return [...this.running.values()].filter(({ admission }) => admission !== null);
  }

  private end(response: ServerResponse): void {
    const { connection } = this;
    this.running.get(response)?.admission?.end();
    this.running.delete(response);
    if (this.running.size > 0) return;
    connection.activity = 'idle';
    this.restBytes = connection.socket.bytesRead;
    this.sinceMs = connection.service.clock.now();
    if (connection.life.phase === 'accepting') return;
    if (response.getHeader('connection') === 'close') connection.reason ??= 'drained-answered';
    // Its head had left before the drain began, without saying close.
    else this.quietUntilMs = this.sinceMs + connection.service.quietMs;
  }
}
