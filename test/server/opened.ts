import type { TestContext } from 'node:test';
import type { Handler } from '../../src/core/handler.ts';
import type { HttpResponse } from '../../src/core/message.ts';
import type { HttpRequest } from '../../src/core/request.ts';
import type { DrainStage } from '../../src/server/drain.ts';
import type { DrainOptions, ListenerOptions } from '../../src/server/options.ts';
import { type Server, serve } from '../../src/server/serve.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { eventually, Wire } from '../support/wire.ts';

/** A server under test: one listener on a port of its own, and time that stands still. */
export interface Opened {
  readonly server: Server;
  readonly clock: ManualClock;
  readonly port: number;
  readonly wire: () => Promise<Wire>;
  /** Waits until the drain has come this far. */
  readonly reaches: (stage: DrainStage) => Promise<void>;
}

export interface OpenedOptions {
  readonly listener?: Partial<ListenerOptions>;
  readonly drain?: Partial<DrainOptions>;
}

/** Opens it; the server and its clients are closed at the end of the test. */
export async function opened(context: TestContext, handler: Handler, options: OpenedOptions = {}): Promise<Opened> {
  const clock = new ManualClock();
  const listeners = [{ bind: '127.0.0.1:0', ...options.listener }];
  const server = await serve({ listeners, handler, clock, drain: options.drain });
  const wires: Wire[] = [];
  context.after(async () => {
    for (const wire of wires) wire.socket.destroy();
    await server.close();
  });
  const port = server.listeners[0]?.address.port ?? 0;
  return {
    server,
    clock,
    port,
    wire: async () => {
      const wire = await Wire.open(port);
      wires.push(wire);
      return wire;
    },
    reaches: (stage) => eventually(() => server.status().drain === stage, `the stage ${stage}`),
  };
}

/** A handler that answers when the test says so. */
export class Waiting {
  readonly requests: HttpRequest[] = [];
  private readonly answers: ((response: HttpResponse) => void)[] = [];

  readonly handler: Handler = (request) => {
    this.requests.push(request);
    return new Promise((resolve) => this.answers.push(resolve));
  };

  /** Waits until so many requests have come. */
  has(count: number): Promise<void> {
    return eventually(() => this.requests.length >= count, `${count} requests`);
  }

  /** Answers the oldest one that waits. */
  answer(response: HttpResponse = { status: 200, body: 'late' }): void {
    this.answers.shift()?.(response);
  }
}

/** A request line and the one header it must have. */
export const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nhost: test\r\n${more}\r\n`;
