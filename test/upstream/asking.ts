import { IncomingBody } from '../../src/core/body.ts';
import { Failure } from '../../src/core/failure.ts';
import type { Handler } from '../../src/core/handler.ts';
import type { HttpResponse } from '../../src/core/message.ts';
import { type ProxyOptions, proxy } from '../../src/upstream/forward.ts';
import { type UpstreamGroup, upstream } from '../../src/upstream/group.ts';
import type { UpstreamOptions } from '../../src/upstream/options.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { arrivingBody, FakeExchange, makeRequest, type RequestParts } from '../support/request.ts';

/** An upstream, and requests that are passed on to it. */
export class Asking implements Disposable {
  readonly clock = new ManualClock();
  readonly group: UpstreamGroup;
  private readonly handler: Handler;

  constructor(options: UpstreamOptions, proxyOptions: Partial<ProxyOptions> = {}) {
    this.group = upstream({ clock: this.clock, ...options });
    this.handler = proxy(this.group, proxyOptions);
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

  /** The answer to any request. */
  send(method: string, target = '/', parts: RequestParts = {}): Promise<HttpResponse> {
    return Promise.try(() => this.handler(makeRequest(method, target, parts)));
  }

  /** Its status; what went wrong is answered for as an engine does. */
  async status(method = 'GET', target = '/', parts: RequestParts = {}): Promise<number> {
    try {
      const { status, body } = await this.send(method, target, parts);
      if (body instanceof IncomingBody) await body.whole();
      return status;
    } catch (error) {
      if (error instanceof Failure) return error.status;
      throw error;
    }
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
