import type { Duplex } from 'node:stream';
import { IncomingBody } from '../core/body.ts';
import type { ClientConnection, OutgoingRequest, ResponseObserver } from '../core/client.ts';
import { Failure } from '../core/failure.ts';
import { HeaderFields } from '../core/headers.ts';
import type { Protocol } from '../core/request.ts';
import type { Endpoint } from './endpoint.ts';
import type { UpstreamGroup } from './group.ts';
import type { PoolClient, Waiter } from './queue.ts';
import { passedTrailers } from './rewrite.ts';
import type { Call } from './standing.ts';

/** What an attempt is given up for, which nobody hears. */
const LOST = new Failure('client-gone', 'Another attempt was answered first.');

/** The request that an attempt is made for. What comes of the attempt is told once, informational answers before. */
export interface AttemptOwner {
  readonly group: UpstreamGroup;
  readonly method: string;
  readonly target: string;
  readonly expectContinue: boolean;
  readonly upgrade: string | null;
  readonly key: number | null;
  readonly deadlineMs: number | null;
  /** Its deadline is what the client has asked for. */
  readonly hurried: boolean;
  readonly home: Endpoint | null;
  authorityAt(endpoint: Endpoint): string;
  /** The end-to-end fields, as they are sent now. */
  fields(): HeaderFields;
  bodyToSend(): Uint8Array | IncomingBody | null;
  /** It goes to an endpoint, or to another than it was to go to. */
  onCall(attempt: Attempt): void;
  onInform(attempt: Attempt, status: number, headers: HeaderFields): void;
  onAnswer(
    attempt: Attempt,
    status: number,
    protocol: Protocol,
    headers: HeaderFields,
    body: Uint8Array | IncomingBody | null,
  ): void;
  onUpgrade(attempt: Attempt, status: number, headers: HeaderFields, socket: Duplex, firstBytes: Uint8Array): void;
  /** It has failed at its endpoint. */
  onInVain(attempt: Attempt, failure: Failure): void;
  /** It has got nowhere, and that is no endpoint's fault. */
  onUnserved(attempt: Attempt, error: unknown): void;
}

/** One attempt to have a request answered: its wait for a connection, its call to an endpoint, and what comes of it. */
export class Attempt implements OutgoingRequest, ResponseObserver, PoolClient {
  readonly owner: AttemptOwner;
  readonly method: string;
  readonly target: string;
  readonly expectContinue: boolean;
  readonly upgrade: string | null;
  readonly key: number | null;
  readonly deadlineMs: number | null;
  readonly home: Endpoint | null;
  readonly waits: boolean;
  tried: readonly Endpoint[];
  authority = '';
  headers = HeaderFields.EMPTY;
  body: Uint8Array | IncomingBody | null = null;
  /** Where it goes; `null` while nobody has room for it. */
  endpoint: Endpoint | null = null;
  private connection: ClientConnection | null = null;
  /** As the endpoint's standing knows it. */
  private call: Call | null = null;
  private waiter: Waiter | null = null;

  /** `tried`: where it had better not go. */
  constructor(owner: AttemptOwner, tried: readonly Endpoint[], waits: boolean) {
    this.owner = owner;
    this.method = owner.method;
    this.target = owner.target;
    this.expectContinue = owner.expectContinue;
    this.upgrade = owner.upgrade;
    this.key = owner.key;
    this.deadlineMs = owner.deadlineMs;
    this.home = owner.home;
    this.tried = tried;
    this.waits = waits;
  }

  /** `fresh`: not on an idle connection. */
  begin(fresh: boolean): void {
    try {
      const waiter = this.owner.group.acquire(this, fresh);
      if (waiter?.queued === true) this.waiter = waiter;
    } catch (error) {
      this.owner.onUnserved(this, error);
    }
  }

  /** Another attempt goes there: this one had better not, if it is on its way still. */
  avoid(endpoint: Endpoint): void {
    this.tried = [...this.tried, endpoint];
  }

  trailers(): HeaderFields | null {
    const { body } = this;
    return body instanceof IncomingBody && body.trailers !== null ? passedTrailers(body.trailers) : null;
  }

  /** Another attempt was answered first: it is given up. */
  lose(): void {
    if (this.connection !== null) this.call?.overtaken();
    else this.call?.abandoned();
    this.call = null;
    this.abort(LOST);
  }

  /** It is given up, which says nothing of its endpoint, and is told nothing more; nor is the rest of its answer read. */
  abort(failure: Failure): void {
    if (this.waiter !== null) this.owner.group.leave(this.waiter);
    this.waiter = null;
    this.call?.abandoned();
    this.call = null;
    this.connection?.abort(this, failure);
    this.connection = null;
  }

  // ── its connection ────────────────────────────────────────────────────────────────────────────────────────────

  onConnecting(endpoint: Endpoint): void {
    this.callTo(endpoint);
  }

  isAdmittedBy(endpoint: Endpoint): boolean {
    return this.call !== null && this.call.standing === endpoint.standing;
  }

  /** Its breaker counts a call from when the endpoint was chosen; another one may be faster. */
  private callTo(endpoint: Endpoint): void {
    if (this.endpoint === endpoint) return;
    this.endpoint = endpoint;
    this.call?.abandoned();
    this.call = endpoint.standing.begin();
    this.owner.onCall(this);
  }

  onConnection(connection: ClientConnection, endpoint: Endpoint): void {
    const { owner } = this;
    this.waiter = null;
    this.connection = connection;
    endpoint.standing.counts.attemptCount += 1;
    this.callTo(endpoint);
    this.body = owner.bodyToSend();
    this.authority = owner.authorityAt(endpoint);
    this.headers = owner.fields();
    connection.send(this, this);
  }

  onNoConnection(failure: Failure, endpoint: Endpoint | null): void {
    this.waiter = null;
    if (endpoint === null) {
      this.call?.abandoned();
      this.call = null;
      this.owner.onUnserved(this, failure);
      return;
    }
    this.endpoint = endpoint;
    endpoint.standing.counts.failures.add(failure.code);
    this.call?.failed(failure);
    this.call = null;
    this.owner.onInVain(this, failure);
  }

  // ── what it comes to ──────────────────────────────────────────────────────────────────────────────────────────

  onInform(status: number, headers: HeaderFields): void {
    this.owner.onInform(this, status, headers);
  }

  onResponse(status: number, protocol: Protocol, headers: HeaderFields, body: Uint8Array | IncomingBody | null): void {
    this.endpoint?.standing.counts.answered(status);
    this.call?.answered(status);
    this.call = null;
    this.owner.onAnswer(this, status, protocol, headers, body);
  }

  onUpgrade(status: number, headers: HeaderFields, socket: Duplex, firstBytes: Uint8Array): void {
    this.endpoint?.standing.counts.answered(status);
    this.call?.answered(status);
    this.call = null;
    this.owner.onUpgrade(this, status, headers, socket, firstBytes);
  }

  onFail(failure: Failure): void {
    this.connection = null;
    this.endpoint?.standing.counts.failures.add(failure.code);
    // A client that gives no time says nothing of an endpoint that needs some.
    if (this.owner.hurried && failure.code === 'upstream-deadline') this.call?.abandoned();
    else this.call?.failed(failure);
    this.call = null;
    this.owner.onInVain(this, failure);
  }
}
