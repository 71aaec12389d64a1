import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Lifecycle, NEXT, type Phase, type Step } from '../../src/core/lifecycle.ts';

test('the table: accepting drains or closes, draining ends empty or closed, closed is the end', () => {
  const moves: string[] = [];
  for (const phase of ['accepting', 'draining', 'closed'] satisfies Phase[]) {
    for (const step of ['drain', 'empty', 'close'] satisfies Step[]) {
      moves.push(`${phase} ${step} → ${NEXT[phase][step] ?? phase}`);
    }
  }
  assert.deepEqual(moves, [
    'accepting drain → draining',
    'accepting empty → accepting',
    'accepting close → closed',
    'draining drain → draining',
    'draining empty → closed',
    'draining close → closed',
    'closed drain → closed',
    'closed empty → closed',
    'closed close → closed',
  ]);
});

test('an empty one that drains is closed at once; one with work when the work ends', () => {
  const empty = new Lifecycle();
  empty.drain();
  assert.equal(empty.phase, 'closed');
  const busy = new Lifecycle();
  busy.begin();
  busy.begin();
  busy.drain();
  assert.deepEqual([busy.phase, busy.liveCount], ['draining', 2]);
  busy.end();
  assert.equal(busy.phase, 'draining');
  busy.end();
  assert.equal(busy.phase, 'closed');
});

test('ending work does not close one that accepts', () => {
  const life = new Lifecycle();
  life.begin();
  life.end();
  assert.equal(life.phase, 'accepting');
});

test('work may begin while it drains, and not once it is closed', () => {
  const life = new Lifecycle();
  life.begin();
  life.drain();
  assert.equal(life.begin(), true);
  life.close();
  assert.equal(life.begin(), false);
  life.end();
  life.end();
  assert.throws(() => life.end(), /without begin/);
});

test('an end without a begin throws', () => {
  assert.throws(() => new Lifecycle().end(), /without begin/);
});

test('a notice is for those who accept; it stays visible while they drain', () => {
  const life = new Lifecycle();
  life.notice();
  assert.deepEqual([life.noticed, life.phase], [true, 'accepting']);
  const closed = new Lifecycle();
  closed.close();
  closed.notice();
  assert.equal(closed.noticed, false);
});

test('the hooks run once each, the parent before its children, with the first reason', () => {
  const calls: string[] = [];
  const hooks = (name: string) => ({
    onDrain: (reason: string) => calls.push(`${name} drains: ${reason}`),
    onClose: (reason: string) => calls.push(`${name} closes: ${reason}`),
  });
  const parent = new Lifecycle(hooks('parent'));
  const child = parent.open(hooks('child'));
  child.begin();
  parent.drain('because');
  parent.drain('again');
  parent.close('now');
  parent.close('and again');
  assert.deepEqual(calls, [
    'parent drains: because',
    'child drains: because',
    'parent closes: because',
    'child closes: because',
  ]);
  assert.deepEqual([parent.reason, child.reason], ['because', 'because']);
});

test('a child opened in a draining parent drains, and begun work keeps it; in a closed parent it is closed', () => {
  const parent = new Lifecycle();
  parent.begin();
  parent.drain('stop');
  const empty = parent.open();
  const begun = parent.open({}, true);
  assert.deepEqual([empty.phase, empty.reason], ['closed', 'stop']);
  assert.deepEqual([begun.phase, begun.liveCount], ['draining', 1]);
  parent.end();
  assert.equal(parent.phase, 'draining');
  begun.end();
  assert.deepEqual([begun.phase, parent.phase], ['closed', 'closed']);
  const late = parent.open({}, true);
  assert.deepEqual([late.phase, late.reason], ['closed', 'stop']);
});

test('a drain whose hook closes it, or opens children, ends once and closed', () => {
  const closing: Lifecycle = new Lifecycle({ onDrain: () => closing.close('in the hook') });
  const child = closing.open();
  closing.drain('stop');
  assert.deepEqual([closing.phase, closing.reason, child.phase], ['closed', 'stop', 'closed']);
  const opening: Lifecycle = new Lifecycle({ onDrain: () => void opening.open({}, true) });
  opening.drain();
  assert.deepEqual([opening.phase, opening.liveCount], ['draining', 1]);
});

// ── any interleaving over a tree ──────────────────────────────────────────────────────────────────────────────────

/** A node of the tree under test, with all that happened to it. */
interface Watched {
  readonly life: Lifecycle;
  readonly parent: Watched | null;
  workCount: number;
  drainedCount: number;
  closedCount: number;
  /** The first reason it was given, by anybody. */
  reason: string | null;
  readonly told: string[];
}

type Action = readonly [
  kind: 'open' | 'open begun' | 'begin' | 'end' | 'drain' | 'close' | 'notice' | 'wait',
  node: number,
];

const actions: fc.Arbitrary<Action[]> = fc.array(
  fc.tuple(
    fc.constantFrom('open', 'open', 'open begun', 'begin', 'begin', 'end', 'end', 'drain', 'close', 'notice', 'wait'),
    fc.nat({ max: 40 }),
  ),
  { maxLength: 60 },
);

test('any interleaving: no child outlives its parent, drained and empty is closed, hooks run once, reasons stay', async () => {
  await fc.assert(
    fc.asyncProperty(actions, async (steps) => {
      const nodes: Watched[] = [tracked(null, false)];
      let waits = 0;
      for (const [at, [kind, index]] of steps.entries()) {
        const node = nodes[index % nodes.length];
        if (node === undefined) continue;
        const reason = `${kind} ${at}`;
        if (kind === 'open') nodes.push(tracked(node, false));
        else if (kind === 'open begun') nodes.push(tracked(node, true));
        else if (kind === 'begin') {
          const open = node.life.phase !== 'closed';
          assert.equal(node.life.begin(), open);
          if (open) node.workCount += 1;
        } else if (kind === 'end') {
          if (node.workCount === 0) assert.throws(() => node.life.end());
          else {
            node.workCount -= 1;
            node.life.end();
          }
        } else if (kind === 'drain') node.life.drain(reason);
        else if (kind === 'close') node.life.close(reason);
        else if (kind === 'notice') node.life.notice();
        else {
          waits += 1;
          void node.life.closed().then((told) => node.told.push(told));
        }
        for (const each of nodes) check(each, nodes);
      }
      nodes[0]?.life.close('the end');
      await Promise.resolve();
      for (const each of nodes) {
        assert.equal(each.life.phase, 'closed');
        assert.equal(each.closedCount, 1);
        for (const told of each.told) assert.equal(told, each.life.reason);
      }
      assert.equal(
        nodes.reduce((sum, { told }) => sum + told.length, 0),
        waits,
      );
    }),
    { numRuns: 500 },
  );
});

function check(node: Watched, nodes: readonly Watched[]): void {
  const { life, parent } = node;
  const children = nodes.filter((other) => other.parent === node && other.life.phase !== 'closed');
  if (parent?.life.phase === 'closed') assert.equal(life.phase, 'closed', 'a child outlives its parent');
  if (parent?.life.phase === 'draining') assert.notEqual(life.phase, 'accepting', 'a child accepts in a drain');
  const emptied = node.workCount === 0 && children.length === 0;
  if (life.phase === 'draining') assert.equal(emptied, false, 'draining and empty is closed');
  if (life.phase !== 'closed') assert.equal(life.liveCount, node.workCount + children.length);
  assert.equal(node.closedCount, life.phase === 'closed' ? 1 : 0);
  assert.ok(node.drainedCount <= 1);
  assert.equal(life.reason, node.reason, 'the first reason stays');
  assert.equal(life.reason === null, life.phase === 'accepting');
}

function tracked(parent: Watched | null, begun: boolean): Watched {
  const counts: Pick<Watched, 'drainedCount' | 'closedCount' | 'reason'> = {
    drainedCount: 0,
    closedCount: 0,
    reason: null,
  };
  const hooks = {
    onDrain(reason: string) {
      counts.drainedCount += 1;
      counts.reason ??= reason;
    },
    onClose(reason: string) {
      counts.closedCount += 1;
      counts.reason ??= reason;
    },
  };
  const life = parent === null ? new Lifecycle(hooks) : parent.life.open(hooks, begun);
  return Object.assign(counts, { life, parent, workCount: begun ? 1 : 0, told: [] });
}
