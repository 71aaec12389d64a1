import { IncomingBody } from '../../src/core/body.ts';
import type { Handler } from '../../src/core/handler.ts';
import { proxy } from '../../src/upstream/forward.ts';
import { type UpstreamGroup, upstream } from '../../src/upstream/group.ts';
import type { UpstreamOptions } from '../../src/upstream/options.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { arrivingBody, FakeExchange, makeRequest } from '../support/request.ts';

/** An upstream, and requests that are passed on to it. */
export class Asking implements Disposable {
  readonly clock = new ManualClock();
  readonly group: UpstreamGroup;
  private readonly handler: Handler;

  constructor(options: UpstreamOptions) {
    this.group = upstream({ clock: this.clock, ...options });
    this.handler = proxy(this.group);
  }

  /** The body of the answer, as text. */
  async ask(target = '/', exchange = new FakeExchange()): Promise<string> {
    return (await this.answer(makeRequest('GET', target, { exchange }))).toString();
  }

  /** The body of the answer to a request with a body. */
  post(bytes: Buffer): Promise<Buffer> {
    const body = arrivingBody(bytes.length);
    body.push(bytes);
    body.finish(null);
    return this.answer(makeRequest('POST', '/', { body }));
  }

  private async answer(request: Parameters<Handler>[0]): Promise<Buffer> {
    const { body } = await this.handler(request);
    if (body instanceof IncomingBody) return Buffer.from(await body.whole());
    return body instanceof Uint8Array ? Buffer.from(body) : Buffer.alloc(0);
  }

  [Symbol.dispose](): void {
    this.group.close();
  }
}
