import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ResponseObserver } from '../../src/core/client.ts';
import { type Asked, HEDGE_AFTER_MS, Hedging } from './hedging.ts';
import type { MemoryConnection } from './memory.ts';
import { turns } from './scripted.ts';

const ENDPOINT_COUNT = 3;
const ATTEMPT_MAX_COUNT = 3;

/** What may happen to requests. Numbers choose among what there is. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('ask' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), byMs: fc.constantFrom(1, 30, HEDGE_AFTER_MS) }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('connect' as const, 'fail' as const), at: fc.nat(20) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      at: fc.nat(20),
      status: fc.constantFrom(200, 200, 404, 500, 503),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('lose' as const, 'leave' as const), at: fc.nat(20) }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** Requests to which things happen. */
class Played implements Disposable {
  readonly it: Hedging;
  readonly asked: Asked[] = [];
  private readonly hedgeAfterMs: number | null;

  constructor(hedgeAfterMs: number | null, connectionMaxCount: number) {
    this.hedgeAfterMs = hedgeAfterMs;
    const breaker = { volumeMinCount: 5, openMs: 100, jitterRatio: 0 };
    const retry = { hedgeAfterMs, attemptMaxCount: ATTEMPT_MAX_COUNT, budgetRatio: 0.5, budgetMinPerSec: 0.5 };
    this.it = new Hedging({ breaker, retry, pool: { connectionMaxCount, queueTimeoutMs: 1e9 } }, ENDPOINT_COUNT);
  }

  async play(what: Step): Promise<void> {
    const { it } = this;
    if (what.kind === 'ask') this.asked.push(it.ask());
    else if (what.kind === 'wait') it.clock.advance(what.byMs);
    else if (what.kind === 'leave') chosen(this.asked, what.at)?.leave();
    else if (what.kind === 'connect' || what.kind === 'fail') this.reach(what);
    else if (what.kind === 'lose') chosen(this.busy, what.at)?.close('peer-error');
    else if (what.kind === 'answer') chosen(this.busy, what.at)?.finish(undefined, what.status);
    await turns(1);
    this.check();
  }

  private reach({ kind, at }: Extract<Step, { kind: 'connect' | 'fail' }>): void {
    const opening = this.it.attempts.filter(({ open }) => open);
    const attempt = chosen(opening, at);
    if (kind === 'fail') attempt?.fail();
    else if (attempt !== undefined) this.it.connect(attempt);
  }

  private get busy(): MemoryConnection[] {
    return this.it.opened.filter(({ running }) => running.length > 0);
  }

  private check(): void {
    const running = this.busy.flatMap((connection) => connection.running);
    assert.equal(
      running.length,
      this.it.activeCounts.reduce((sum, count) => sum + count),
    );
    const open = this.asked.length - this.endedCount;
    // An attempt belongs to a request that has no answer yet, and two at most to the same.
    assert.ok(running.length <= open * (this.hedgeAfterMs === null ? 1 : 2), `${running.length} for ${open}`);
    assert.equal(new Set<ResponseObserver>(running).size, running.length);
    const sentCount = this.it.opened.reduce((sum, { sent }) => sum + sent.length, 0);
    assert.ok(sentCount <= this.asked.length * ATTEMPT_MAX_COUNT);
    // 5 are allowed in ten seconds besides, and no more than that pass here.
    assert.ok(this.it.hedges.length <= 0.5 * this.asked.length + 5);
    assert.equal(this.hedgeAfterMs === null && this.it.hedges.length > 0, false);
  }

  private get endedCount(): number {
    return this.asked.filter(({ outcomes }) => outcomes.length > 0).length;
  }

  /** Everything goes well from here. */
  async conclude(): Promise<void> {
    for (let round = 0; round < 1000 && this.endedCount < this.asked.length; round += 1) {
      this.it.open();
      await this.play({ kind: 'answer', at: 0, status: 200 });
      this.it.clock.advance(1);
    }
    for (const { outcomes } of this.asked) assert.equal(outcomes.length, 1, 'each request has one outcome');
    assert.deepEqual(this.busy, [], 'what has lost is given up');
    assert.ok(this.it.idle);
  }

  [Symbol.dispose](): void {
    this.it[Symbol.dispose]();
  }
}

function chosen<Item>(items: readonly Item[], at: number): Item | undefined {
  return items[at % Math.max(1, items.length)];
}

test('whatever happens to two attempts, a request has one outcome, what has lost is given up, and nothing is left behind', async () => {
  let hedgeCount = 0;
  const settings = fc.record({ hedges: fc.boolean(), connectionMaxCount: fc.constantFrom(1, 2, 10) });
  await fc.assert(
    fc.asyncProperty(
      settings,
      fc.array(step, { minLength: 30, maxLength: 60 }),
      async ({ hedges, connectionMaxCount }, steps) => {
        using played = new Played(hedges ? HEDGE_AFTER_MS : null, connectionMaxCount);
        for (const what of steps) await played.play(what);
        hedgeCount += played.it.hedges.length;
        await played.conclude();
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(hedgeCount > 100, `only ${hedgeCount} requests were sent twice`);
});
