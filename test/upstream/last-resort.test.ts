import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../src/core/failure.ts';
import { Endpoint } from '../../src/upstream/endpoint.ts';
import { UpstreamGroup } from '../../src/upstream/group.ts';
import type { UpstreamOptions } from '../../src/upstream/options.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryAttempt, MemoryClient } from './memory.ts';

const [A, B] = ['http://127.0.0.1:1', 'http://127.0.0.1:2'];

/** Two endpoints with breakers; one fault ejects, and never both. */
class Judged {
  readonly clock = new ManualClock();
  readonly attempts: MemoryAttempt[] = [];
  readonly group: UpstreamGroup;

  constructor(given: Partial<UpstreamOptions> = {}) {
    const { clock } = this;
    const passive = { failureCount: 1, localFailureCount: 1, ejectMs: 10_000 };
    const options = { endpoints: [A, B], breaker: {}, health: { passive }, clock, random: () => 0, ...given };
    this.group = new UpstreamGroup(options, (endpoint, observer) => {
      const attempt = new MemoryAttempt(endpoint, observer, this.group.life);
      this.attempts.push(attempt);
      return attempt;
    });
  }

  ask(): MemoryClient {
    const client = new MemoryClient('asks', [], () => false);
    this.group.acquire(client, false);
    return client;
  }

  /** Where connections are being opened to, or were. */
  get asked(): string[] {
    return this.attempts.map(({ endpoint }) => endpoint.id);
  }

  get ejected(): string[] {
    return this.group.endpoints().flatMap(({ url, ejectedForMs }) => (ejectedForMs === null ? [] : [url]));
  }

  /** The endpoint that the last client was sent to answers with a failure. */
  fail(): void {
    const endpoint: Endpoint | undefined = this.attempts.at(-1)?.endpoint;
    endpoint?.standing.begin()?.answered(500);
  }
}

test('while the breakers of all others are open one that is ejected is asked, for it may be well again', () => {
  const it = new Judged();
  it.ask();
  it.fail();
  assert.deepEqual(it.ejected, [A]);
  it.ask();
  assert.deepEqual(it.asked, [A, B], 'who is well is asked first');
  it.group.forceBreaker(B, 'open');
  it.ask();
  assert.deepEqual(it.asked, [A, B, A]);
  it.group.forceBreaker(A, 'open');
  assert.throws(() => it.ask(), new Failure('upstream-unavailable'));
});

test('an ejected one is not asked where panic is off', () => {
  const it = new Judged({ spill: { panicRatio: null } });
  it.ask();
  it.fail();
  it.group.forceBreaker(B, 'open');
  assert.throws(() => it.ask(), new Failure('upstream-unavailable'));
});

test('a connection that cannot be opened counts against its endpoint also when its request was served elsewhere meanwhile', () => {
  const it = new Judged();
  const [first, second] = [it.ask(), it.ask()];
  const [toA, toB] = it.attempts;
  const connection = toB?.connect(1, false);
  connection?.finish();
  assert.ok(connection !== undefined && second.connection === connection && first.connection === connection);
  assert.deepEqual(it.ejected, []);
  toA?.fail();
  assert.deepEqual(it.ejected, [A]);
});

test('nobody who is ejected is asked while somebody in turn could be, were there room', ({ mock }) => {
  const it = new Judged({ pool: { connectionMaxCount: 1 } });
  it.ask();
  it.fail();
  it.ask();
  assert.deepEqual(it.asked, [A, B]);
  const asked = mock.method(Endpoint.prototype, 'hasFree');
  for (let count = 0; count < 5; count += 1) it.ask();
  assert.equal(asked.mock.callCount(), 0);
});
