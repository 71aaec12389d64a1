import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Handler } from '../../../src/core/handler.ts';
import type { ListenerOptions } from '../../../src/server/options.ts';
import { CODE, TYPE } from '../../support/http2-frames.ts';
import { Http2Wire, type Received } from '../../support/http2-wire.ts';
import { type Limits, Served } from '../served.ts';

type CodeName = keyof typeof CODE;
type Announced = readonly (readonly [id: number, value: number])[];

const isGoaway = ({ type }: Received): boolean => type === TYPE.GOAWAY;

/** A server of HTTP/2 under test, and its clients. */
export class Http2Served {
  readonly served: Served;
  private readonly wires: Http2Wire[] = [];

  private constructor(served: Served) {
    this.served = served;
  }

  static async start(
    t: TestContext,
    handler: Handler = () => ({ status: 200, body: 'hello' }),
    options: Partial<ListenerOptions> = {},
    limits: Limits = {},
  ): Promise<Http2Served> {
    const served = await Served.start(t, handler, limits, { protocols: ['h2'], ...options });
    const on = new Http2Served(served);
    t.after(() => {
      for (const { socket } of on.wires) socket.destroy();
    });
    // So that no moment is 0, and sweeps fall on the moments that the tests wait for.
    served.clock.advance(250);
    return on;
  }

  /** A connection that has exchanged settings. */
  async open(announced: Announced = []): Promise<Http2Wire> {
    const wire = await Http2Wire.open(this.served.port, announced);
    this.wires.push(wire);
    return wire;
  }

  /** A connection on which nothing was said. */
  async connect(): Promise<Http2Wire> {
    const wire = await Http2Wire.connect(this.served.port);
    this.wires.push(wire);
    return wire;
  }

  /** Ends all clients, and waits until nothing is left of them. */
  async empty(): Promise<void> {
    for (const { socket } of this.wires) socket.destroy();
    await this.served.empty();
  }
}

/** The connection ends by GOAWAY with one of these codes (RFC 9113 §5.4.1). */
export async function assertConnectionError(wire: Http2Wire, ...names: readonly CodeName[]): Promise<Received> {
  assert.equal(await wire.closed(), 'fin');
  wire.socket.end();
  const goaway = wire.unread.find(isGoaway);
  assert.ok(goaway !== undefined, 'GOAWAY');
  assertCode(goaway.payload.readUInt32BE(4), names);
  return goaway;
}

/**
 * The stream ends by RST_STREAM with one of these codes and the connection goes on, or the connection ends by GOAWAY
 * with one of them (RFC 9113 §5.4).
 */
export async function assertStreamError(
  wire: Http2Wire,
  streamId: number,
  ...names: readonly CodeName[]
): Promise<void> {
  const isReset = (received: Received): boolean => received.type === TYPE.RST_STREAM && received.streamId === streamId;
  await wire.sees((received) => isGoaway(received) || isReset(received), `RST_STREAM ${streamId} or GOAWAY`);
  const found = wire.unread.find((received) => isGoaway(received) || isReset(received));
  assert.ok(found !== undefined);
  assertCode(found.payload.readUInt32BE(isGoaway(found) ? 4 : 0), names);
  if (isReset(found)) await wire.settled();
  else await wire.closed();
}

function assertCode(code: number, names: readonly CodeName[]): void {
  const codes: readonly number[] = names.map((name) => CODE[name]);
  const [name] = Object.entries(CODE).find(([, value]) => value === code) ?? [String(code)];
  assert.ok(codes.includes(code), `${name} is not ${names.join(' or ')}`);
}
