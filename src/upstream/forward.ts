import type { Duplex } from 'node:stream';
import { IncomingBody } from '../core/body.ts';
import type { ClientConnection, OutgoingRequest, ResponseObserver } from '../core/client.ts';
import { systemClock } from '../core/clock.ts';
import { channel } from '../core/events.ts';
import { Failure } from '../core/failure.ts';
import type { Handler } from '../core/handler.ts';
import type { HeaderFields } from '../core/headers.ts';
import type { HttpResponse } from '../core/message.ts';
import { withDefaults } from '../core/options.ts';
import type { HttpRequest, Protocol } from '../core/request.ts';
import type { Endpoint } from './endpoint.ts';
import type { UpstreamGroup } from './group.ts';
import type { PoolClient, Waiter } from './queue.ts';
import { mayRetry } from './retry.ts';
import { oneHopLess, ownPseudonym, type PassedHead, passedTrailers, Rewrite, type RewriteOptions } from './rewrite.ts';
import { checkUpgrades, Upgrade, type UpgradeOptions, wantedUpgrade } from './upgrade.ts';

const retries = channel('upstream:retry');

/** How a route passes requests on. */
export interface ProxyOptions extends RewriteOptions, UpgradeOptions {
  /**
   * A request body of a known length up to this is awaited before an upstream connection is taken: a slow client then
   * occupies none, and the request can be sent again. Larger ones are streamed.
   */
  gatherMaxBytes: number;
}

export const PROXY_DEFAULTS: Readonly<Omit<ProxyOptions, 'via'>> = {
  trustedProxies: [],
  forwarded: 'x-forwarded',
  host: 'preserve',
  stripPrefix: null,
  gatherMaxBytes: 16_384,
  upgrade: [],
  tunnelIdleTimeoutMs: 3_600_000,
  drainClose: false,
  clock: systemClock,
};

/**
 * A handler that passes requests on to an upstream. Bodies stream in both directions, without a limit unless a layer
 * sets one. Throws `TypeError` on options that cannot work.
 */
export function proxy(group: UpstreamGroup, given: Partial<ProxyOptions> = {}): Handler {
  const defaults = { ...PROXY_DEFAULTS, via: ownPseudonym() };
  const options = withDefaults('proxy', defaults, given, ['tunnelIdleTimeoutMs']);
  const allowed = checkUpgrades(options.upgrade);
  const rewrite = new Rewrite(options);
  const handle = (request: HttpRequest): HttpResponse | Promise<HttpResponse> => {
    const { incoming, method } = request;
    const wanted = wantedUpgrade(request, allowed);
    const passed = rewrite.request(request);
    const headers = oneHopLess(method, passed.headers);
    if (headers === null) return lastHop(method);
    if (wanted !== null || method === 'CONNECT') {
      const upgrade = new Upgrade(request, wanted, options);
      return new Forward(request, group, rewrite, passed, upgrade.fields(headers), null, upgrade).begin();
    }
    if (incoming === null) return new Forward(request, group, rewrite, passed, headers, null).begin();
    incoming.liftDefaultLimit();
    incoming.admit();
    const { lengthBytes } = incoming;
    const small = lengthBytes !== null && lengthBytes <= options.gatherMaxBytes && !passed.expectContinue;
    if (incoming.used || (small && !incoming.complete)) {
      return incoming.whole().then((bytes) => new Forward(request, group, rewrite, passed, headers, bytes).begin());
    }
    // Trailers can only follow a body that is sent in chunks.
    const whole = incoming.trailers === null ? incoming.takeWhole() : null;
    return new Forward(request, group, rewrite, passed, headers, whole ?? incoming).begin();
  };
  return Object.assign(handle, { bodyMode: 'manual' } as const);
}

/** The answer to `max-forwards: 0`: we are the last hop (RFC 9110 §7.6.2). */
function lastHop(method: string): HttpResponse {
  if (method === 'TRACE') throw new Failure('method-refused');
  return { status: 204 };
}

/** One request on its way to an upstream, and its answer on the way back. */
class Forward implements OutgoingRequest, ResponseObserver, PoolClient {
  readonly method: string;
  readonly target: string;
  authority: string;
  readonly headers: HeaderFields;
  readonly body: Uint8Array | IncomingBody | null;
  readonly expectContinue: boolean;
  readonly upgrade: string | null;
  retryCount = 0;
  private readonly request: HttpRequest;
  private readonly group: UpstreamGroup;
  private readonly rewrite: Rewrite;
  private readonly switching: Upgrade | null;
  private connection: ClientConnection | null = null;
  private endpoint: Endpoint | null = null;
  private waiter: Waiter | null = null;
  private resolve: ((response: HttpResponse) => void) | null = null;
  private reject: ((failure: unknown) => void) | null = null;

  constructor(
    request: HttpRequest,
    group: UpstreamGroup,
    rewrite: Rewrite,
    passed: PassedHead,
    headers: HeaderFields,
    body: Uint8Array | IncomingBody | null,
    switching: Upgrade | null = null,
  ) {
    this.switching = switching;
    this.upgrade = switching?.protocol ?? null;
    this.request = request;
    this.group = group;
    this.rewrite = rewrite;
    this.method = request.method;
    this.target = rewrite.target(request.target);
    this.authority = request.authority;
    this.headers = headers;
    this.body = body;
    this.expectContinue = passed.expectContinue && body instanceof IncomingBody;
  }

  trailers(): HeaderFields | null {
    const { body } = this;
    return body instanceof IncomingBody && body.trailers !== null ? passedTrailers(body.trailers) : null;
  }

  begin(): Promise<HttpResponse> {
    // Work of the upstream until it is answered: a drain waits for it, between two attempts too.
    if (!this.group.life.begin()) throw new Failure('upstream-closed');
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      this.acquire(false);
      this.request.onAbort((failure) => this.aborted(failure));
    });
  }

  onConnection(connection: ClientConnection, endpoint: Endpoint): void {
    this.waiter = null;
    this.connection = connection;
    this.endpoint = endpoint;
    this.authority = this.rewrite.authority(this.request.authority, endpoint.address.authority);
    connection.send(this, this);
  }

  onNoConnection(failure: Failure): void {
    this.waiter = null;
    this.fail(failure);
  }

  onInform(status: number, headers: HeaderFields): void {
    this.request.inform({ status, headers: headers.endToEnd });
  }

  onResponse(status: number, protocol: Protocol, headers: HeaderFields, body: Uint8Array | IncomingBody | null): void {
    const { resolve } = this;
    this.settle();
    resolve?.({ status, headers: this.rewrite.response(headers, protocol), body });
  }

  onUpgrade(status: number, headers: HeaderFields, socket: Duplex, firstBytes: Uint8Array): void {
    const { resolve, switching } = this;
    if (switching === null) {
      socket.destroy();
      this.fail(new Failure('upstream-invalid', 'It switched protocols unasked.'));
      return;
    }
    const passed = this.rewrite.response(headers, status === 101 ? 'HTTP/1.1' : 'HTTP/2');
    try {
      const response = switching.response(status, passed, socket, firstBytes);
      this.settle();
      resolve?.(response);
    } catch (error) {
      this.fail(error);
    }
  }

  onFail(failure: Failure): void {
    this.connection = null;
    if (!mayRetry(failure, this)) {
      this.fail(failure);
      return;
    }
    this.retryCount += 1;
    if (retries.heard) {
      const { group, endpoint } = this;
      retries.publish({ upstream: group.name, endpoint: endpoint?.address.url ?? '', code: failure.code });
    }
    this.acquire(true, failure.code === 'upstream-refused' ? this.endpoint : null);
  }

  private acquire(fresh: boolean, refusedBy: Endpoint | null = null): void {
    this.waiter = null;
    try {
      const waiter = this.group.acquire(this, fresh, refusedBy);
      if (waiter?.queued === true) this.waiter = waiter;
    } catch (error) {
      this.fail(error);
    }
  }

  /** The client is gone, or its time is over. Also hears it while the body of the answer is on its way. */
  private aborted(failure: Failure): void {
    if (this.waiter !== null) this.group.leave(this.waiter);
    this.connection?.abort(this, failure);
    this.switching?.abandon();
    this.fail(failure);
  }

  private fail(error: unknown): void {
    const { reject } = this;
    this.settle();
    reject?.(error);
  }

  private settle(): void {
    if (this.resolve === null) return;
    this.resolve = null;
    this.reject = null;
    this.group.life.end();
  }
}
