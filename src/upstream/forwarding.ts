import type { Duplex } from 'node:stream';
import { IncomingBody } from '../core/body.ts';
import type { ClientConnection, OutgoingRequest, ResponseObserver } from '../core/client.ts';
import type { ClockTimer } from '../core/clock.ts';
import { channel } from '../core/events.ts';
import { Failure } from '../core/failure.ts';
import type { HeaderFields } from '../core/headers.ts';
import { discardBody, type HttpResponse } from '../core/message.ts';
import type { HttpRequest, Protocol } from '../core/request.ts';
import type { Endpoint } from './endpoint.ts';
import type { UpstreamGroup } from './group.ts';
import type { PoolClient, Waiter } from './queue.ts';
import { ReplayBody } from './replay.ts';
import type { Attempted } from './retry.ts';
import { type PassedHead, passedTrailers, type Rewrite } from './rewrite.ts';
import type { Call } from './standing.ts';
import type { Upgrade } from './upgrade.ts';

const retries = channel('upstream:retry');

const NONE: readonly Endpoint[] = [];

/** One request on its way to an upstream, in as many attempts as it takes, and its answer on the way back. */
export class Forwarding implements OutgoingRequest, ResponseObserver, PoolClient, Attempted {
  readonly method: string;
  readonly target: string;
  authority: string;
  readonly headers: HeaderFields;
  body: Uint8Array | IncomingBody | null;
  readonly expectContinue: boolean;
  readonly upgrade: string | null;
  readonly key: number | null;
  readonly deadlineMs: number | null;
  tried: readonly Endpoint[] = NONE;
  attemptCount = 0;
  private readonly request: HttpRequest;
  private readonly group: UpstreamGroup;
  private readonly rewrite: Rewrite;
  private readonly switching: Upgrade | null;
  private readonly replay: ReplayBody | null;
  private connection: ClientConnection | null = null;
  private endpoint: Endpoint | null = null;
  /** The attempt under way, as the endpoint's standing knows it. */
  private call: Call | null = null;
  private waiter: Waiter | null = null;
  private pause: ClockTimer | null = null;
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
    this.expectContinue = passed.expectContinue && body instanceof IncomingBody;
    this.key = group.keyOf(request);
    this.deadlineMs = group.deadlineMs();
    const { replayMaxBytes } = group;
    this.replay = replayMaxBytes > 0 && body instanceof IncomingBody ? new ReplayBody(body, replayMaxBytes) : null;
    this.body = this.replay === null ? body : null;
  }

  trailers(): HeaderFields | null {
    const { body } = this;
    return body instanceof IncomingBody && body.trailers !== null ? passedTrailers(body.trailers) : null;
  }

  begin(): Promise<HttpResponse> {
    // Work of the upstream until it is answered: a drain waits for it, between two attempts too.
    if (!this.group.life.begin()) throw new Failure('upstream-closed');
    this.group.retrier.begin();
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      this.acquire(false);
      this.request.onAbort((failure) => this.aborted(failure));
    });
  }

  // ── what an attempt comes to ──────────────────────────────────────────────────────────────────────────────────

  onConnecting(endpoint: Endpoint): void {
    this.callTo(endpoint);
  }

  /** Its breaker counts a call from when the endpoint was chosen; another one may be faster. */
  private callTo(endpoint: Endpoint): void {
    if (this.call !== null && this.call.standing === endpoint.standing) return;
    this.call?.abandoned();
    this.call = endpoint.standing.begin();
  }

  onConnection(connection: ClientConnection, endpoint: Endpoint): void {
    this.waiter = null;
    this.connection = connection;
    this.endpoint = endpoint;
    this.attemptCount += 1;
    this.callTo(endpoint);
    if (this.replay !== null) this.body = this.replay.attempt();
    this.authority = this.rewrite.authority(this.request.authority, endpoint.address.authority);
    connection.send(this, this);
  }

  onNoConnection(failure: Failure, endpoint: Endpoint | null): void {
    this.waiter = null;
    if (endpoint === null) {
      this.call?.abandoned();
      this.call = null;
      this.fail(failure);
      return;
    }
    this.attemptCount += 1;
    this.endpoint = endpoint;
    this.call?.failed(failure);
    this.call = null;
    this.onFailed(failure);
  }

  onInform(status: number, headers: HeaderFields): void {
    this.request.inform({ status, headers: headers.endToEnd });
  }

  onResponse(status: number, protocol: Protocol, headers: HeaderFields, body: Uint8Array | IncomingBody | null): void {
    const { resolve } = this;
    this.call?.answered(status);
    this.call = null;
    if (status >= 500 && resolve !== null) {
      const delayMs = this.group.retrier.afterStatus(status, headers, this);
      if (delayMs !== null) {
        discardBody(body);
        this.again(delayMs, String(status));
        return;
      }
    }
    this.settle();
    resolve?.({ status, headers: this.rewrite.response(headers, protocol), body });
  }

  onUpgrade(status: number, headers: HeaderFields, socket: Duplex, firstBytes: Uint8Array): void {
    const { resolve, switching } = this;
    this.call?.answered(status);
    this.call = null;
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
    this.call?.failed(failure);
    this.call = null;
    this.onFailed(failure);
  }

  // ── the next attempt ──────────────────────────────────────────────────────────────────────────────────────────

  get replayable(): boolean {
    const { body, replay } = this;
    if (replay !== null) return replay.replayable;
    // What has been read from the client is gone.
    return !(body instanceof IncomingBody && body.used);
  }

  get elsewhere(): boolean {
    return this.group.hasOther(this.tried);
  }

  private onFailed(failure: Failure): void {
    const { endpoint } = this;
    if (this.resolve === null) return;
    if (endpoint !== null && !this.tried.includes(endpoint)) this.tried = [...this.tried, endpoint];
    const delayMs = this.group.retrier.afterFailure(failure, this);
    if (delayMs === null) this.fail(failure);
    else this.again(delayMs, failure.code);
  }

  /** Tries once more, after a pause. */
  private again(delayMs: number, code: string): void {
    const { endpoint, group } = this;
    this.connection = null;
    if (endpoint !== null && !this.tried.includes(endpoint)) this.tried = [...this.tried, endpoint];
    if (retries.heard) retries.publish({ upstream: group.name, endpoint: endpoint?.address.url ?? '', code });
    const fresh = code === 'upstream-stale' || code === 'upstream-refused';
    if (delayMs <= 0) this.acquire(fresh);
    else {
      this.pause = group.clock.after(delayMs, () => {
        this.pause = null;
        this.acquire(fresh);
      });
    }
  }

  private acquire(fresh: boolean): void {
    this.waiter = null;
    try {
      const waiter = this.group.acquire(this, fresh);
      if (waiter?.queued === true) this.waiter = waiter;
    } catch (error) {
      this.fail(error);
    }
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** The client is gone, or its time is over. Also hears it while the body of the answer is on its way. */
  private aborted(failure: Failure): void {
    if (this.waiter !== null) this.group.leave(this.waiter);
    this.call?.abandoned();
    this.call = null;
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
    this.pause?.cancel();
    this.pause = null;
    this.group.life.end();
  }
}
