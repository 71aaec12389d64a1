import assert from 'node:assert/strict';
import type { ConfigInput } from '../../src/runtime/schema.ts';
import type { Wire } from '../support/wire.ts';
import { eventually } from '../support/wire.ts';
import type { ScriptedConnection, ScriptedUpstream } from '../upstream/scripted.ts';
import type { Assembled, Bench, Parts } from './assembled.ts';
import { get } from './assembled.ts';

export type LayerInput = NonNullable<ConfigInput['routes'][number]['layers']>[number];

/** Where layers can be written. */
export type LayerPlace = 'routes[].layers[]' | 'upstreams[].layers[]';

/** Starts servers with a layer in one of the places, before an upstream. */
export class Layered {
  private readonly bench: Bench;
  private readonly place: LayerPlace;

  constructor(bench: Bench, place: LayerPlace) {
    this.bench = bench;
    this.place = place;
  }

  /** One that answers each request at once. */
  async answering(...layers: readonly LayerInput[]): Promise<Assembled> {
    const origin = await this.bench.open({});
    return this.bench.open(this.parts(layers, `http://127.0.0.1:${origin.port()}`));
  }

  /** One whose answers the test gives. */
  async held(layer: LayerInput): Promise<Held> {
    const upstream = await this.bench.upstream();
    return new Held(await this.bench.open(this.parts([layer], upstream.url)), upstream);
  }

  private parts(given: readonly LayerInput[], url: string): Parts {
    const layers = [...given];
    if (this.place === 'routes[].layers[]') return { upstream: { endpoints: [url] }, route: { layers } };
    return { upstream: { endpoints: [url], layers } };
  }
}

/** A server whose upstream answers when the test says. */
export class Held {
  readonly assembled: Assembled;
  private readonly upstream: ScriptedUpstream;

  constructor(assembled: Assembled, upstream: ScriptedUpstream) {
    this.assembled = assembled;
    this.upstream = upstream;
  }

  /** Sends a request on a connection of its own, and waits until the server has it. */
  async send(target = '/', fields = ''): Promise<Wire> {
    const { server } = this.assembled;
    const before = server.status().requests.inFlight;
    const wire = await this.assembled.send(get(target, fields === '' ? '' : `host: a\r\n${fields}`));
    await eventually(() => server.status().requests.inFlight > before, 'the server has the request');
    return wire;
  }

  /** The status of one that is refused at once. */
  async refused(target = '/', fields = ''): Promise<number> {
    return (await this.assembled.get(target, fields === '' ? '' : `host: a\r\n${fields}`)).status;
  }

  /** The next request that comes to the upstream, on a connection of its own: its target, and how to answer. */
  async next(): Promise<{ readonly target: string; readonly answer: () => void }> {
    const connection: ScriptedConnection = await this.upstream.connection();
    const head = await connection.head();
    const target = head.split(' ', 2)[1] ?? '';
    return {
      target,
      answer: () => connection.write('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok'),
    };
  }

  /** The targets of so many requests, in the order in which they come to the upstream; each is answered at once. */
  async order(count: number): Promise<string[]> {
    const targets: string[] = [];
    while (targets.length < count) {
      const { target, answer } = await this.next();
      targets.push(target);
      answer();
    }
    return targets;
  }

  /** How many requests have come to the upstream. */
  get passedCount(): number {
    return this.upstream.accepted.length;
  }
}

/** Repeats requests until one is answered so. */
export async function untilStatus(assembled: Assembled, wanted: number, fields = ''): Promise<void> {
  for (let count = 0; count < 200; count += 1) {
    if ((await assembled.get('/', fields)).status === wanted) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`no answer was ${wanted}`);
}
