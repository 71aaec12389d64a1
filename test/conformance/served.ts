import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Handler } from '../../src/core/handler.ts';
import type { ListenerOptions } from '../../src/server/options.ts';
import { type Server, serve } from '../../src/server/serve.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { eventually, turns, Wire, type WireResponse } from '../support/wire.ts';

export type Limits = NonNullable<ListenerOptions['limits']>;

/** A request line and a host, to be followed by header lines or the empty line. */
export const GET = 'GET / HTTP/1.1\r\nhost: a\r\n';
export const POST = 'POST / HTTP/1.1\r\nhost: a\r\n';

/** A server under test: a handler, a clock that stands still, and clients that are gone when the test is over. */
export class Served {
  readonly server: Server;
  readonly clock: ManualClock;
  readonly port: number;
  private readonly wires: Wire[] = [];

  private constructor(server: Server, clock: ManualClock) {
    this.server = server;
    this.clock = clock;
    this.port = server.listeners[0]?.address.port ?? 0;
  }

  static async start(
    t: TestContext,
    handler: Handler,
    limits: Limits = {},
    options: Partial<ListenerOptions> = {},
  ): Promise<Served> {
    const clock = new ManualClock();
    const server = await serve({ listeners: [{ bind: '127.0.0.1:0', limits, ...options }], handler, clock });
    const served = new Served(server, clock);
    t.after(() => served.stop());
    return served;
  }

  async open(): Promise<Wire> {
    const wire = await Wire.open(this.port);
    this.wires.push(wire);
    return wire;
  }

  /** A fresh connection that has sent these bytes. */
  async send(bytes: string): Promise<Wire> {
    return (await this.open()).write(bytes);
  }

  /** The one answer to these bytes on a fresh connection, which must end after it. */
  async lastAnswer(bytes: string): Promise<WireResponse> {
    const wire = await this.send(bytes);
    const response = await wire.response();
    assert.equal(response.get('connection'), 'close');
    assert.equal(await wire.rest(), '');
    return response;
  }

  /** Lets time pass in steps as short as the sweep's, with a look at the sockets after each. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 250) {
      this.clock.advance(Math.min(250, left));
      await turns(3);
    }
  }

  /** Waits until no request is in flight and no connection is left. */
  async empty(): Promise<void> {
    for (const wire of this.wires) wire.socket.destroy();
    await eventually(() => this.server.status().connections.total === 0, 'the last connection');
    assert.equal(this.server.status().requests.inFlight, 0);
  }

  /** Waits until as many connections are doing this. */
  async doing(activity: 'reading' | 'in-flight' | 'idle' | 'stream', count = 1): Promise<void> {
    await eventually(() => this.server.status().connections[activity] === count, `${count} connections ${activity}`);
  }

  /** Waits until the server has closed a connection for this reason. */
  async closedFor(reason: string): Promise<void> {
    await eventually(
      () => Object.entries(this.server.status().listeners[0]?.closed ?? {}).some(([name]) => name === reason),
      `a connection closed for ${reason}, not ${JSON.stringify(this.server.status().listeners[0]?.closed)}`,
    );
  }

  private async stop(): Promise<void> {
    for (const wire of this.wires) wire.socket.destroy();
    await this.server.close();
  }
}

/** A refusal as every one must be: status, one line of text, close. */
export async function assertRefused(served: Served, bytes: string, status: number): Promise<void> {
  const shown = JSON.stringify(bytes.length > 200 ? `${bytes.slice(0, 200)}…` : bytes);
  try {
    const response = await served.lastAnswer(bytes);
    assert.equal(response.status, status);
    assert.match(response.body, /^[^\r\n]+\n$/);
    assert.equal(response.get('content-type'), 'text/plain; charset=utf-8');
    assert.ok(response.get('date') !== null);
  } catch (error) {
    throw new Error(`expected ${status} for ${shown}`, { cause: error });
  }
}
