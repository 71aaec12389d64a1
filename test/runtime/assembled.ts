import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../src/core/clock.ts';
import { Log } from '../../src/ops/log.ts';
import { type Assembly, assemble } from '../../src/runtime/assemble.ts';
import { checkConfig } from '../../src/runtime/config.ts';
import type { ConfigInput } from '../../src/runtime/schema.ts';
import { type Server, serve } from '../../src/server/serve.ts';
import { Wire, type WireResponse } from '../support/wire.ts';
import { Answering } from '../upstream/answering.ts';
import { ScriptedUpstream } from '../upstream/scripted.ts';

/** The parts of a configuration that a test cares about; the rest is filled in. */
export interface Parts {
  readonly listener?: Partial<ConfigInput['listeners'][number]>;
  /** Further listeners. */
  readonly listeners?: ConfigInput['listeners'];
  readonly limits?: ConfigInput['listeners'][number]['limits'];
  /** Goes into the only route. */
  readonly route?: Partial<ConfigInput['routes'][number]>;
  readonly routes?: ConfigInput['routes'];
  /** Goes into the upstream `api`. */
  readonly upstream?: Partial<NonNullable<ConfigInput['upstreams']>[number]>;
  readonly upstreams?: NonNullable<ConfigInput['upstreams']>;
  readonly drain?: NonNullable<ConfigInput['drain']>;
}

/** A queue of one takes two on Linux. */
const STANDING_STILL = `
const server = require('node:net').createServer();
server.listen(0, '127.0.0.1', 1, () => {
  require('node:worker_threads').parentPort.postMessage(server.address().port);
  setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
});
`;

/** Everything a test has opened. It is closed with the bench, last first. */
export class Bench implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-option-'));
  private readonly stack = new AsyncDisposableStack();

  /** Serves a configuration, by the same way as `sluice run`. */
  async open(parts: Parts, clock?: Clock): Promise<Assembled> {
    const { listener, limits, route, upstream } = parts;
    const upstreams = parts.upstreams ?? (upstream === undefined ? [] : [{ name: 'api', ...upstream }]);
    const action = upstream === undefined ? { respond: { body: 'fixed' } } : { proxy: { upstream: 'api' } };
    const config: ConfigInput = {
      listeners: [
        { name: 'web', bind: '127.0.0.1:0', ...listener, ...(limits === undefined ? {} : { limits }) },
        ...(parts.listeners ?? []),
      ],
      routes: parts.routes ?? [{ ...action, ...route }],
      upstreams,
      drain: parts.drain ?? {},
    };
    const lines: string[] = [];
    const stream = new Writable({
      decodeStrings: false,
      write(chunk: string, _encoding, done) {
        lines.push(...chunk.trimEnd().split('\n'));
        done();
      },
    });
    const loaded = checkConfig('test', config, this.folder);
    const assembly = assemble(loaded, new Log({ level: 'info', format: 'json', stream }));
    const server = await serve({
      listeners: assembly.listeners,
      handler: () => ({ status: 404 }),
      drain: config.drain,
      clock,
    });
    this.stack.defer(async () => {
      await server.close();
      for (const { group } of assembly.upstreams.values()) group.close();
    });
    return new Assembled(server, assembly.limits, lines, this.stack);
  }

  /** An upstream that answers what the test says. */
  async upstream(): Promise<ScriptedUpstream> {
    return this.stack.use(await ScriptedUpstream.listen());
  }

  /** Upstreams that answer by themselves. */
  async answering(count: number): Promise<readonly [Answering, ...Answering[]]> {
    const others: Answering[] = [];
    for (let index = 1; index < count; index += 1) others.push(this.stack.use(await Answering.listen()));
    return [this.stack.use(await Answering.listen()), ...others];
  }

  /** The URL of a server that accepts no connection any more: its thread stands still, and its queue is full. */
  async fullUpstream(): Promise<string> {
    const thread = new Worker(STANDING_STILL, { eval: true });
    this.stack.defer(async () => void (await thread.terminate()));
    const port = await new Promise<number>((resolve) => thread.once('message', resolve));
    for (let count = 0; count < 2; count += 1) {
      const { socket } = await Wire.open(port);
      this.stack.defer(() => void socket.destroy());
    }
    return `http://127.0.0.1:${port}`;
  }

  /** Something else that is to be closed with the bench. */
  use<Resource extends AsyncDisposable>(resource: Resource): Resource {
    return this.stack.use(resource);
  }

  defer(close: () => void): void {
    this.stack.defer(close);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
    rmSync(this.folder, { recursive: true });
  }
}

/** A served configuration. */
export class Assembled {
  readonly server: Server;
  /** Log lines. */
  readonly lines: readonly string[];
  private readonly stack: AsyncDisposableStack;
  private readonly limits: Assembly['limits'];

  constructor(server: Server, limits: Assembly['limits'], lines: readonly string[], stack: AsyncDisposableStack) {
    this.server = server;
    this.limits = limits;
    this.lines = lines;
    this.stack = stack;
  }

  port(listener = 0): number {
    return this.server.listeners[listener]?.address.port ?? 0;
  }

  /** How much of the load its only limit refuses. */
  pressureRatio(): number {
    const [limit] = this.limits.values();
    return Number(Reflect.get(Object(limit?.layer.status()), 'pressureRatio'));
  }

  /** A connection to a listener. */
  async wire(listener = 0): Promise<Wire> {
    const wire = await Wire.open(this.port(listener));
    this.stack.defer(() => void wire.socket.destroy());
    return wire;
  }

  /** A connection with a request on it. */
  async send(request: string, listener = 0): Promise<Wire> {
    return (await this.wire(listener)).write(request);
  }

  /** One request on a connection of its own, and its answer. */
  async get(target = '/', fields = '', listener = 0): Promise<WireResponse> {
    return (await this.send(get(target, fields), listener)).response();
  }
}

/** A GET request. `fields` are whole lines. */
export const get = (target = '/', fields = 'host: a\r\n'): string =>
  `GET ${target} HTTP/1.1\r\n${fields === '' ? 'host: a\r\n' : fields}\r\n`;

/** A POST request; `sent` is how much of the body is sent. */
export const post = (body: string, sent = body.length): string =>
  `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, sent)}`;

/** Starts servers with and without an option, and observes the difference. */
export type Check = (bench: Bench) => Promise<void>;
