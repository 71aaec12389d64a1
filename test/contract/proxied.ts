import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Server, serve } from '../../src/server/serve.ts';
import { proxy } from '../../src/upstream/forward.ts';
import { type UpstreamGroup, upstream } from '../../src/upstream/group.ts';
import type { Asked, Caller, Question } from './caller.ts';
import { Http1Caller } from './http1-caller.ts';
import { Http2Caller } from './http2-caller.ts';
import { ORIGINS, type Origin } from './origin.ts';

const TIMEOUT_MS = 15_000;

/** A client, a proxy and an origin. */
export class Proxied {
  readonly origin: Origin;
  readonly group: UpstreamGroup;
  readonly server: Server;
  private readonly caller: Caller;
  private next: UpstreamGroup | null = null;

  private constructor(origin: Origin, group: UpstreamGroup, server: Server, caller: Caller) {
    this.origin = origin;
    this.group = group;
    this.server = server;
    this.caller = caller;
  }

  static async start(context: TestContext, front: 'http1' | 'h2', origin: Origin): Promise<Proxied> {
    const { protocol, url } = origin;
    const group = upstream({ endpoints: [url], protocol });
    const server = await serve({ listeners: [{ bind: '127.0.0.1:0', protocols: [front] }], handler: proxy(group) });
    const port = server.listeners[0]?.address.port ?? 0;
    const caller = front === 'h2' ? new Http2Caller(port, false) : new Http1Caller(port, false);
    const proxied = new Proxied(origin, group, server, caller);
    context.after(async () => {
      caller.close();
      origin.seen.gate.resolve();
      group.close();
      proxied.next?.close();
      await server.close();
      await origin.close();
    });
    return proxied;
  }

  ask(question: Question = {}): Asked {
    return this.caller.ask(question);
  }

  async answer(question: Question = {}): Promise<readonly [status: number, body: string]> {
    const asked = this.ask(question);
    const { status } = await asked.head();
    return [status, await asked.text()];
  }

  /** From now on requests go to the same origin by another upstream. */
  replace(): void {
    const { protocol, url } = this.origin;
    this.next = upstream({ endpoints: [url], protocol });
    this.server.reload(proxy(this.next));
  }

  /** Requests that the origin is answering. */
  get activeCount(): number {
    const [endpoint] = this.group.status().endpoints;
    assert.ok(endpoint);
    return endpoint.activeCount;
  }
}

/** A sentence of the contract, tried with clients and origins of every protocol. */
export function contract(sentence: string, run: (proxied: Proxied) => Promise<void>): void {
  for (const front of ['http1', 'h2'] as const) {
    for (const [name, start] of ORIGINS) {
      const clients = front === 'h2' ? 'HTTP/2' : 'HTTP/1.1';
      test(`${clients} to ${name}: ${sentence}`, { timeout: TIMEOUT_MS }, async (context) => {
        await run(await Proxied.start(context, front, await start()));
      });
    }
  }
}
