import type { Duplex } from 'node:stream';
import { IncomingBody } from '../core/body.ts';
import type { ClientConnection, OutgoingRequest, ResponseObserver } from '../core/client.ts';
import type { ClockTimer } from '../core/clock.ts';
import { channel } from '../core/events.ts';
import { Failure } from '../core/failure.ts';
import type { HeaderFields } from '../core/headers.ts';
import { discardBody, type HttpResponse } from '../core/message.ts';
import type { HttpRequest, Protocol } from '../core/request.ts';
import { remainingMs } from '../policy/deadline.ts';
import type { Endpoint } from './endpoint.ts';
import type { UpstreamGroup } from './group.ts';
import type { PoolClient, Waiter } from './queue.ts';
import { ReplayBody } from './replay.ts';
import type { FailedAttempt } from './retrier.ts';
import { type PassedHead, passedTrailers, type Rewrite } from './rewrite.ts';
import type { Call } from './standing.ts';
import type { Upgrade } from './upgrade.ts';

const retries = channel('upstream:retry');

const NONE: readonly Endpoint[] = [];

/** One request on its way to an upstream, in as many attempts as it takes, and its answer on the way back. */
export class Forwarding implements OutgoingRequest, ResponseObserver, PoolClient, FailedAttempt {
  readonly method: string;
  readonly target: string;
  authority: string;
  headers: HeaderFields;
  body: Uint8Array | IncomingBody | null;
  readonly expectContinue: boolean;
  readonly upgrade: string | null;
  readonly key: number | null;
  readonly deadlineMs: number | null;
  /** Where its client belongs. */
  readonly home: Endpoint | null;
  tried: readonly Endpoint[] = NONE;
  attemptCount = 0;
  pausedMs: number | null = null;
  private readonly passed: HeaderFields;
  /** Its deadline is what the client has asked for. */
  private readonly hurried: boolean;
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
    this.passed = headers;
    this.expectContinue = passed.expectContinue && body instanceof IncomingBody;
    this.key = group.keyOf(request);
    this.home = group.sticky?.homeOf(request) ?? null;
    const { deadlineHeader, totalMs } = group;
    const askedMs = deadlineHeader?.heard(request.headers) ?? null;
    this.hurried = askedMs !== null && (totalMs === null || askedMs < totalMs);
    const withinMs = this.hurried ? askedMs : totalMs;
    this.deadlineMs = withinMs === null ? null : group.clock.now() + withinMs;
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

  isAdmittedBy(endpoint: Endpoint): boolean {
    return this.call !== null && this.call.standing === endpoint.standing;
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
    endpoint.standing.counts.attemptCount += 1;
    this.callTo(endpoint);
    if (this.replay !== null) this.body = this.replay.attempt();
    this.authority = this.rewrite.authority(this.request.authority, endpoint.address.authority);
    const { deadlineHeader, clock } = this.group;
    if (deadlineHeader !== null && this.deadlineMs !== null) {
      this.headers = deadlineHeader.told(this.passed, remainingMs(this.deadlineMs, clock.now()));
    }
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
    endpoint.standing.counts.failures.add(failure.code);
    this.call?.failed(failure);
    this.call = null;
    this.onFailed(failure);
  }

  onInform(status: number, headers: HeaderFields): void {
    this.request.inform({ status, headers: headers.endToEnd });
  }

  onResponse(status: number, protocol: Protocol, headers: HeaderFields, body: Uint8Array | IncomingBody | null): void {
    const { resolve } = this;
    this.endpoint?.standing.counts.answered(status);
    this.call?.answered(status);
    this.call = null;
    if (status >= 500 && resolve !== null) {
      this.triedInVain();
      const delayMs = this.group.retrier.afterStatus(status, headers, this);
      if (delayMs !== null) {
        this.connection = null;
        this.replay?.pause();
        discardBody(body);
        this.again(delayMs, String(status), false);
        return;
      }
    }
    this.settle();
    resolve?.({ status, headers: this.settled(this.rewrite.response(headers, protocol)), body });
  }

  onUpgrade(status: number, headers: HeaderFields, socket: Duplex, firstBytes: Uint8Array): void {
    const { resolve, switching } = this;
    this.endpoint?.standing.counts.answered(status);
    this.call?.answered(status);
    this.call = null;
    if (switching === null) {
      socket.destroy();
      this.fail(new Failure('upstream-invalid', 'It switched protocols unasked.'));
      return;
    }
    const passed = this.settled(this.rewrite.response(headers, status === 101 ? 'HTTP/1.1' : 'HTTP/2'));
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
    this.endpoint?.standing.counts.failures.add(failure.code);
    // A client that gives no time says nothing of an endpoint that needs some.
    if (this.hurried && failure.code === 'upstream-deadline') this.call?.abandoned();
    else this.call?.failed(failure);
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

  get reachableElsewhere(): boolean {
    return this.group.hasOther(this.tried, true);
  }

  private triedInVain(): void {
    const { endpoint } = this;
    if (endpoint !== null && !this.tried.includes(endpoint)) this.tried = [...this.tried, endpoint];
  }

  private onFailed(failure: Failure): void {
    if (this.resolve === null) return;
    const { code } = failure;
    // A connection that was too old is no reason to leave the endpoint that the request belongs to.
    const stale = code === 'upstream-stale';
    if (!stale) this.triedInVain();
    const delayMs = this.group.retrier.afterFailure(failure, this);
    if (delayMs === null) this.fail(failure);
    else {
      this.replay?.pause();
      this.again(delayMs, code, stale || code === 'upstream-refused');
    }
  }

  /** Tries once more, after a pause. `fresh`: not on an idle connection. */
  private again(delayMs: number, code: string, fresh: boolean): void {
    const { attemptCount, endpoint, group } = this;
    group.counts.retries.add(code);
    if (retries.heard) {
      const { name: upstream } = group;
      retries.publish({ upstream, endpoint: endpoint?.address.url ?? '', code, attemptCount, delayMs });
    }
    if (delayMs <= 0) {
      this.acquire(fresh);
      return;
    }
    this.pausedMs = delayMs;
    this.pause = group.clock.after(delayMs, () => {
      this.pause = null;
      this.acquire(fresh);
    });
  }

  private acquire(fresh: boolean): void {
    this.waiter = null;
    const { deadlineMs, group } = this;
    try {
      if (deadlineMs !== null && group.clock.now() >= deadlineMs) throw new Failure('upstream-deadline');
      const waiter = group.acquire(this, fresh);
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
    if (reject === null) return;
    if (error instanceof Failure) this.group.counts.failures.add(error.code);
    this.settle();
    reject(error);
  }

  private settle(): void {
    if (this.resolve === null) return;
    this.resolve = null;
    this.reject = null;
    this.pause?.cancel();
    this.pause = null;
    this.replay?.settle();
    this.group.life.end();
  }

  /** The answer's fields. A client whose endpoint is gone or does not stand well belongs to who has answered it. */
  private settled(fields: HeaderFields): HeaderFields {
    const { endpoint, group, home, request } = this;
    if (group.sticky === null || endpoint === null || endpoint === home) return fields;
    if (home?.standing.takesRequests === true) return fields;
    const cookie = group.sticky.cookieFor(endpoint, request.peer.secure);
    return cookie === null ? fields : fields.append('set-cookie', cookie);
  }
}
