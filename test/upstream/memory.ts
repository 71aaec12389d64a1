import assert from 'node:assert/strict';
import type {
  ClientCloseReason,
  ClientConnection,
  ClientConnectionOwner,
  OutgoingRequest,
  ResponseObserver,
} from '../../src/core/client.ts';
import { Failure } from '../../src/core/failure.ts';
import { HeaderFields } from '../../src/core/headers.ts';
import { Lifecycle } from '../../src/core/lifecycle.ts';
import { type BalanceName, createBalancer } from '../../src/policy/balance/balancer.ts';
import type { Balancer } from '../../src/policy/balance/candidate.ts';
import type { Attempt, DialObserver } from '../../src/upstream/dial.ts';
import { Endpoint } from '../../src/upstream/endpoint.ts';
import { endpointAddress } from '../../src/upstream/endpoint-address.ts';
import { TRAIT_DEFAULTS } from '../../src/upstream/endpoint-source.ts';
import { type PoolOptions, upstreamSettings } from '../../src/upstream/options.ts';
import { Pool } from '../../src/upstream/pool.ts';
import type { PoolClient, Waiter } from '../../src/upstream/queue.ts';
import { Roster } from '../../src/upstream/roster.ts';
import { Judge, type JudgeOptions, Standing, type StandingObserver } from '../../src/upstream/standing.ts';
import { seeded } from '../policy/balance/candidates.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** Nobody is judged. */
export const NO_JUDGEMENT: JudgeOptions = {
  breaker: null,
  passive: null,
  active: null,
  hedgeAfterMs: null,
  measuresLatency: false,
};

const NO_HEADERS = HeaderFields.from({});
const REQUEST: OutgoingRequest = {
  method: 'GET',
  target: '/',
  authority: 'a',
  headers: NO_HEADERS,
  body: null,
  trailers: () => null,
  upgrade: null,
  deadlineMs: null,
  expectContinue: false,
};

/** A connection in memory, which carries as many requests at once as its peer allows. */
export class MemoryConnection implements ClientConnection {
  readonly life: Lifecycle;
  reused = false;
  readonly keepAliveMs = null;
  /** What it carries, the oldest first. */
  readonly running: ResponseObserver[] = [];
  /** All that was sent on it. */
  readonly sent: OutgoingRequest[] = [];
  /** Requests that were given up. */
  abortedCount = 0;
  private allowedCount: number;
  private goingAway = false;
  private begun: boolean;
  private readonly owner: ClientConnectionOwner;

  constructor(allowedCount: number, parent: Lifecycle, owner: ClientConnectionOwner, begun: boolean) {
    this.allowedCount = allowedCount;
    this.owner = owner;
    this.begun = begun;
    this.life = parent.open({ onClose: (reason) => this.closed(reason) }, begun);
  }

  get availableCount(): number {
    if (this.goingAway || this.life.phase === 'closed') return 0;
    return Math.max(0, this.allowedCount - this.running.length);
  }

  send(request: OutgoingRequest, observer: ResponseObserver): void {
    assert.ok(this.availableCount > 0, 'a request on a connection that has no room for it');
    if (this.begun) this.begun = false;
    else assert.ok(this.life.begin());
    this.running.push(observer);
    this.sent.push(request);
  }

  /** An answer has come to its end. */
  finish(observer = this.running[0], status = 200): void {
    this.end(observer);
    observer?.onResponse(status, 'HTTP/1.1', NO_HEADERS, null);
  }

  /** The peer has not taken a request. */
  refuse(observer = this.running[0]): void {
    this.end(observer);
    observer?.onFail(new Failure('upstream-refused'));
  }

  private end(observer: ResponseObserver | undefined): void {
    if (observer === undefined) return;
    this.running.splice(this.running.indexOf(observer), 1);
    this.reused = true;
    this.life.end();
    if (this.life.phase !== 'closed') this.owner.onFree(this);
    this.leaveIfDone();
  }

  /** The peer allows another number of requests from now on. */
  allow(count: number): void {
    this.allowedCount = count;
    if (this.availableCount > 0) this.owner.onFree(this);
  }

  /** The peer will take no more requests. */
  goAway(): void {
    this.goingAway = true;
    this.leaveIfDone();
  }

  private leaveIfDone(): void {
    if (this.goingAway && this.running.length === 0) this.close('peer-closed');
  }

  abort(observer: ResponseObserver): void {
    if (!this.running.includes(observer)) return;
    this.abortedCount += 1;
    this.end(observer);
  }

  sweep(): void {}

  close(reason: ClientCloseReason): void {
    this.life.close(reason);
  }

  private closed(reason: string): void {
    for (const observer of this.running.splice(0)) observer.onFail(new Failure('upstream-reset'));
    this.owner.onClose(this, reason);
  }
}

/** An attempt to connect, which comes to what the test says. */
export class MemoryAttempt implements Attempt {
  readonly endpoint: Endpoint;
  /** Nothing has come of it yet. */
  open = true;
  private readonly observer: DialObserver;
  private readonly parent: Lifecycle;

  constructor(endpoint: Endpoint, observer: DialObserver, parent: Lifecycle) {
    this.endpoint = endpoint;
    this.observer = observer;
    this.parent = parent;
  }

  /** It has become a connection; `null` when that was closed at once. */
  connect(allowedCount: number, multiplexes = true): MemoryConnection {
    this.open = false;
    let made: MemoryConnection | null = null;
    this.observer.onConnected({
      multiplexes,
      open: (owner, begun) => {
        made = new MemoryConnection(allowedCount, this.parent, owner, begun);
        return made;
      },
    });
    assert.ok(made !== null);
    return made;
  }

  fail(): void {
    this.open = false;
    this.observer.onFailed(new Failure('upstream-connect'));
  }

  cancel(): void {
    this.open = false;
  }
}

/** Nobody listens. */
export const UNHEARD: StandingObserver = { onRank() {}, onBreaker() {}, onEject() {} };

/** Who wants a connection, and what it has come to. */
export class MemoryClient implements PoolClient, ResponseObserver {
  readonly name: string;
  readonly key = null;
  readonly home = null;
  readonly waits: boolean;
  readonly deadlineMs = null;
  readonly tried: Endpoint[] = [];
  waiter: Waiter | null = null;
  connection: MemoryConnection | null = null;
  /** `upstream-…` when it failed, `answered`, or `null` while it waits or runs. */
  outcome: string | null = null;
  private readonly order: MemoryClient[];
  private readonly asksElsewhere: (client: MemoryClient) => boolean;

  /** `asksElsewhere`: asks once more for a client that could not be brought to an endpoint; `false`: it has seen all. */
  constructor(name: string, order: MemoryClient[], asksElsewhere: (client: MemoryClient) => boolean, waits = true) {
    this.name = name;
    this.waits = waits;
    this.order = order;
    this.asksElsewhere = asksElsewhere;
  }

  onConnecting(): void {}

  isAdmittedBy(): boolean {
    return false;
  }

  onConnection(connection: ClientConnection): void {
    assert.ok(connection instanceof MemoryConnection);
    assert.equal(this.connection, null, 'a client is served once');
    assert.equal(this.outcome, null);
    this.connection = connection;
    this.order.push(this);
    connection.send(REQUEST, this);
  }

  onNoConnection(failure: Failure, endpoint: Endpoint | null): void {
    assert.equal(this.connection, null, 'a client hears of one end');
    if (endpoint !== null && !this.tried.includes(endpoint)) {
      this.tried.push(endpoint);
      if (this.asksElsewhere(this)) return;
    }
    this.outcome = failure.code;
  }

  onInform(): void {}

  onResponse(): void {
    this.outcome = 'answered';
  }

  onUpgrade(): void {}

  onFail(failure: Failure): void {
    this.outcome = failure.code;
  }
}

/** A pool whose connections are in memory. */
export class MemoryPool {
  readonly clock = new ManualClock();
  readonly life = new Lifecycle({ onClose: () => this.pool.closed() });
  readonly endpoints: readonly Endpoint[];
  readonly attempts: MemoryAttempt[] = [];
  /** Clients in the order they were given connections. */
  readonly served: MemoryClient[] = [];
  readonly pool: Pool;
  private readonly roster: Roster;

  constructor(given: Partial<PoolOptions> = {}, endpointCount = 1, balance: BalanceName = 'round-robin') {
    const urls = Array.from({ length: endpointCount }, (_, index) => `http://127.0.0.1:${index + 1}`);
    const settings = upstreamSettings({
      name: 'memory',
      endpoints: urls,
      pool: given,
      clock: this.clock,
      random: seeded(1),
    });
    const judge = new Judge(NO_JUDGEMENT, this.clock, settings.random);
    this.endpoints = urls.map(
      (url) => new Endpoint(endpointAddress(url), null, true, TRAIT_DEFAULTS, new Standing(judge, UNHEARD)),
    );
    const newBalancer = (): Balancer<Endpoint> => createBalancer(balance);
    this.roster = new Roster({ newBalancer, spill: settings.spill, zone: '', random: settings.random });
    for (const endpoint of this.endpoints) this.roster.add(endpoint);
    this.pool = new Pool(settings, this.roster, this.life, (endpoint, observer) => {
      const attempt = new MemoryAttempt(endpoint, observer, this.life);
      this.attempts.push(attempt);
      return attempt;
    });
  }

  /** It takes no new requests. */
  retire(endpoint: Endpoint): void {
    this.roster.leave(endpoint);
    this.pool.retire(endpoint);
  }

  /** A client that asks for a connection. */
  ask(name: string, fresh = false): MemoryClient {
    const client = new MemoryClient(name, this.served, (asking) => {
      if (asking.tried.length === this.endpoints.length) return false;
      this.acquire(asking, fresh);
      return true;
    });
    this.acquire(client, fresh);
    return client;
  }

  /** A client that waits for nothing but a connection that is opened for it, and goes to none of these. */
  askAtOnce(name: string, avoided: readonly Endpoint[] = []): MemoryClient {
    const client = new MemoryClient(name, this.served, () => false, false);
    client.tried.push(...avoided);
    this.acquire(client, false);
    return client;
  }

  private acquire(client: MemoryClient, fresh: boolean): void {
    try {
      client.waiter = this.pool.acquire(client, fresh);
    } catch (error) {
      assert.ok(error instanceof Failure);
      client.outcome = error.code;
    }
  }

  /** Several that ask one after another, named by their turn. */
  askAll(count: number): MemoryClient[] {
    return Array.from({ length: count }, (_, index) => this.ask(String(index + 1)));
  }

  attempt(index: number): MemoryAttempt {
    const attempt = this.attempts[index];
    assert.ok(attempt !== undefined, `there is no attempt ${index}`);
    return attempt;
  }

  get servedNames(): string {
    return this.served.map(({ name }) => name).join(' ');
  }
}
