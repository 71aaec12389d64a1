import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Handler } from '../../src/core/handler.ts';
import type { DrainReport, DrainStage } from '../../src/server/drain.ts';
import type { DrainOptions, ListenerOptions } from '../../src/server/options.ts';
import { type Server, serve } from '../../src/server/serve.ts';
import { LOCALHOST } from '../support/certificates.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { eventually, turns } from '../support/wire.ts';
import type { Asked, Caller, Question } from './caller.ts';
import { Http1Caller } from './http1-caller.ts';
import { Http2Caller } from './http2-caller.ts';

/** A test that has not ended by then never will. */
const TIMEOUT_MS = 10_000;

/** A way to speak to a server. */
interface Way {
  readonly name: string;
  readonly multiplexes: boolean;
  readonly listener: Partial<ListenerOptions>;
  call(port: number): Caller;
}

const TLS = { tls: { certificates: [LOCALHOST] }, protocols: ['h2', 'http1'] } as const;

const WAYS: readonly Way[] = [
  { name: 'HTTP/1.1', multiplexes: false, listener: {}, call: (port) => new Http1Caller(port, false) },
  { name: 'HTTP/1.1 over TLS', multiplexes: false, listener: TLS, call: (port) => new Http1Caller(port, true) },
  {
    name: 'HTTP/2 in plaintext',
    multiplexes: true,
    listener: { protocols: ['h2'] },
    call: (port) => new Http2Caller(port, false),
  },
  { name: 'HTTP/2 over TLS', multiplexes: true, listener: TLS, call: (port) => new Http2Caller(port, true) },
];

export interface ServedOptions {
  readonly listener?: Partial<ListenerOptions>;
  readonly limits?: ListenerOptions['limits'];
  readonly drain?: Partial<DrainOptions>;
}

/** A server under test, whose time stands still, and a client of the protocol that the contract is tried over. */
export class Served {
  readonly way: Way;
  readonly clock = new ManualClock();
  private readonly context: TestContext;
  private running: { readonly server: Server; readonly caller: Caller } | null = null;

  constructor(way: Way, context: TestContext) {
    this.way = way;
    this.context = context;
  }

  get server(): Server {
    assert.ok(this.running);
    return this.running.server;
  }

  get caller(): Caller {
    assert.ok(this.running);
    return this.running.caller;
  }

  async serve(handler: Handler, { drain, limits, listener }: ServedOptions = {}): Promise<void> {
    const own = { bind: '127.0.0.1:0', ...this.way.listener, ...listener, ...(limits === undefined ? {} : { limits }) };
    const server = await serve({ listeners: [own], handler, clock: this.clock, drain });
    const caller = this.way.call(server.listeners[0]?.address.port ?? 0);
    this.running = { server, caller };
    this.context.after(async () => {
      caller.close();
      await server.close();
    });
  }

  ask(question: Question = {}): Asked {
    return this.caller.ask(question);
  }

  /** The status and the body of the answer. */
  async answer(question: Question = {}): Promise<readonly [status: number, body: string]> {
    const asked = this.ask(question);
    const { status } = await asked.head();
    return [status, await asked.text()];
  }

  /** Lets time pass in steps as short as the sweep's, with a look at the sockets after each. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 250) {
      this.clock.advance(Math.min(250, left));
      await turns(3);
    }
  }

  /** Waits until so many requests are in flight. */
  async inFlight(count: number): Promise<void> {
    await eventually(() => this.server.status().requests.inFlight === count, `${count} requests in flight`);
  }

  /** Waits until the drain has come this far. */
  async reaches(stage: DrainStage): Promise<void> {
    await eventually(() => this.server.status().drain === stage, `the stage ${stage}`);
  }

  /** Lets time pass until the drain is over. */
  async drained(report: Promise<DrainReport>, maxMs = 20_000): Promise<DrainReport> {
    await eventually(() => this.server.status().drain !== 'refuse', 'the end of accepting');
    let over = false;
    void report.then(() => {
      over = true;
    });
    for (let passedMs = 0; !over && passedMs < maxMs; passedMs += 250) await this.pass(250);
    return report;
  }
}

/** A sentence of the contract, tried over every protocol that a listener speaks. */
export function contract(sentence: string, run: (served: Served) => Promise<void>): void {
  for (const way of WAYS) {
    test(`${way.name}: ${sentence}`, { timeout: TIMEOUT_MS }, (context) => run(new Served(way, context)));
  }
}
