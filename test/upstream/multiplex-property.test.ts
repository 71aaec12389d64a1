import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type MemoryClient, type MemoryConnection, MemoryPool } from './memory.ts';

const CONNECTION_MAX_COUNT = 3;
const STREAM_MAX_COUNT = 4;

/** What may happen to a pool. Numbers choose among what there is. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('ask' as const), fresh: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('connect' as const), at: fc.nat(20), count: fc.nat(6) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('finish' as const), at: fc.nat(20) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('fail', 'leave', 'goAway', 'lose', 'http1'), at: fc.nat(20) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('allow' as const), at: fc.nat(20), count: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rest' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** A pool to which things happen. Each connection asserts itself that it is never given more than it has room for. */
class Played {
  readonly it: MemoryPool;
  readonly clients: MemoryClient[] = [];
  readonly connections: MemoryConnection[] = [];

  private readonly totalMaxCount: number;

  constructor(endpointCount: number, totalMaxCount: number | null = null) {
    this.totalMaxCount = totalMaxCount ?? Number.POSITIVE_INFINITY;
    const pool = {
      connectionMaxCount: CONNECTION_MAX_COUNT,
      connectionTotalMaxCount: totalMaxCount,
      streamMaxCount: STREAM_MAX_COUNT,
    };
    this.it = new MemoryPool({ ...pool, queueTimeoutMs: 1e9, idleTimeoutMs: 5000 }, endpointCount);
  }

  play(what: Step): void {
    switch (what.kind) {
      case 'ask':
        this.clients.push(this.it.ask(String(this.clients.length), what.fresh));
        break;
      case 'connect':
        this.connect(what.at, what.count, true);
        break;
      case 'http1':
        this.connect(what.at, 1, false);
        break;
      case 'fail':
        chosen(this.openAttempts(), what.at)?.fail();
        break;
      case 'leave': {
        const waiter = chosen(this.waiting(), what.at)?.waiter;
        if (waiter != null) this.it.pool.leave(waiter);
        break;
      }
      case 'rest':
        this.it.clock.advance(6000);
        break;
      default:
        this.happen(what);
    }
    this.check();
  }

  private connect(at: number, count: number, multiplexes: boolean): void {
    const attempt = chosen(this.openAttempts(), at);
    // A connection takes the request that it was opened for, whatever it may carry later.
    if (attempt !== undefined) this.connections.push(attempt.connect(Math.max(1, count), multiplexes));
  }

  private happen(what: Extract<Step, { at: number }>): void {
    const connection = chosen(this.open(), what.at);
    if (connection === undefined) return;
    if (what.kind === 'finish') connection.finish(chosen(connection.running, what.at));
    else if (what.kind === 'goAway') connection.goAway();
    else if (what.kind === 'lose') connection.close('peer-error');
    else if (what.kind === 'allow' && 'count' in what) connection.allow(what.count);
  }

  open(): MemoryConnection[] {
    return this.connections.filter(({ life }) => life.phase === 'accepting');
  }

  openAttempts() {
    return this.it.attempts.filter(({ open }) => open);
  }

  waiting(): MemoryClient[] {
    return this.clients.filter(({ waiter }) => waiter?.queued === true);
  }

  private check(): void {
    const { endpoints, pool } = this.it;
    for (const endpoint of endpoints) {
      assert.ok(endpoint.openCount <= CONNECTION_MAX_COUNT);
      assert.ok(endpoint.idle.every(({ runningCount }) => runningCount === 0));
      const coming = this.waiting().filter(({ waiter }) => waiter?.connecting?.endpoint === endpoint);
      assert.equal(endpoint.loadCount, endpoint.activeCount + coming.length);
    }
    assert.ok(this.openCount() <= this.totalMaxCount);
    for (const { running } of this.open()) assert.ok(running.length <= STREAM_MAX_COUNT);
    const running = this.open().reduce((count, connection) => count + connection.running.length, 0);
    assert.equal(
      endpoints.reduce((count, { activeCount }) => count + activeCount, 0),
      running,
    );
    assert.equal(pool.waitingCount, this.waiting().length);
    this.checkNobodyStarves();
  }

  private openCount(): number {
    return this.it.endpoints.reduce((sum, { openCount }) => sum + openCount, 0);
  }

  /** Whoever waits has a connection coming, or there is no room for it where it may go. */
  private checkNobodyStarves(): void {
    for (const { waiter, tried } of this.waiting()) {
      if (waiter === null || waiter.connecting !== null) continue;
      for (const endpoint of this.it.endpoints) {
        if (tried.includes(endpoint)) continue;
        const ownIsFull = endpoint.openCount === CONNECTION_MAX_COUNT || this.openCount() === this.totalMaxCount;
        assert.ok(ownIsFull, 'it could have a connection of its own');
        for (const { roomCount } of endpoint.connections) assert.ok(roomCount <= 0, 'a connection has room for it');
      }
    }
  }

  /** Everything goes well from here. */
  conclude(): void {
    for (let round = 0; round < 1000; round += 1) {
      for (const attempt of this.openAttempts()) this.connections.push(attempt.connect(2));
      for (const connection of this.open()) {
        connection.allow(2);
        while (connection.running.length > 0) connection.finish();
      }
      if (this.openAttempts().length === 0 && this.waiting().length === 0) break;
    }
    this.check();
    assert.deepEqual(this.waiting(), []);
    this.it.clock.advance(20_000);
    assert.deepEqual(
      this.it.endpoints.map(({ activeCount, connectingCount, idle, openCount, shared }) => [
        ...[activeCount, connectingCount, idle.length, openCount, shared.length],
      ]),
      this.it.endpoints.map(() => [0, 0, 0, 0, 0]),
    );
    assert.equal(this.it.clock.timerCount, 0);
  }
}

const chosen = <Item>(items: readonly Item[], at: number): Item | undefined => items[at % Math.max(1, items.length)];

const counts = fc.record({
  endpointCount: fc.integer({ min: 1, max: 3 }),
  totalMaxCount: fc.constantFrom(null, null, 1, 2, 4),
});

test('whatever happens: no connection carries more than it may, nobody waits beside a connection with room, all counts return to zero', () => {
  fc.assert(
    fc.property(counts, fc.array(step, { maxLength: 60 }), ({ endpointCount, totalMaxCount }, steps) => {
      const played = new Played(endpointCount, totalMaxCount);
      for (const what of steps) played.play(what);
      played.conclude();
    }),
    {
      numRuns: 400,
      examples: [
        // A connection at rest that may carry nothing, and then just what waits.
        [
          { endpointCount: 2, totalMaxCount: null },
          [
            { kind: 'ask', fresh: false },
            { kind: 'connect', at: 0, count: 0 },
            { kind: 'finish', at: 0 },
            { kind: 'ask', fresh: false },
            { kind: 'allow', at: 0, count: 1 },
          ],
        ],
      ],
    },
  );
});

test('clients are served in the order in which they came, whatever the connections allow', () => {
  const limits = fc.array(fc.record({ count: fc.nat(5), finishes: fc.nat(4) }), { maxLength: 20 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), limits, (clientCount, changes) => {
      const it = new MemoryPool({ connectionMaxCount: 1 });
      it.askAll(clientCount);
      const connection = it.attempt(0).connect(1);
      for (const { count, finishes } of changes) {
        connection.allow(count);
        for (let i = 0; i < finishes; i += 1) connection.finish();
      }
      const names = it.served.map(({ name }) => name);
      assert.deepEqual(
        names,
        [...names].sort((a, b) => Number(a) - Number(b)),
      );
    }),
  );
});
