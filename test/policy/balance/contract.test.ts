import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { always, countOf, EVERY_BALANCER, Fake, fakes, filled, picked, seeded } from './candidates.ts';

const step = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), at: fc.nat(7) }),
  fc.record({ kind: fc.constant('remove' as const), at: fc.nat(7) }),
  fc.record({
    kind: fc.constant('update' as const),
    at: fc.nat(7),
    weight: fc.constantFrom(0, 0.1, 1, 2, 7, Number.NaN, Number.POSITIVE_INFINITY),
    loadCount: fc.nat(20),
    latencyMs: fc.constantFrom(null, 0, 1, 50, 1e6),
  }),
  fc.record({ kind: fc.constant('pick' as const), unusable: fc.nat(255), key: fc.option(fc.nat(2 ** 32 - 1)) }),
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

for (const [name, create] of EVERY_BALANCER) {
  // Building Maglev's table after every other step is what takes time here.
  const numRuns = name === 'maglev' ? 12 : 80;

  test(`${name}: in any order of add, remove and update, a usable member is chosen exactly if there is one`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const balancer = create();
        const all = fakes(Array.from({ length: 8 }, () => 1));
        const members = new Set<Fake>();
        const random = seeded(2);
        const play = (what: Step): void => {
          if (what.kind === 'pick') {
            const usable = (item: Fake): boolean => ((what.unusable >> all.indexOf(item)) & 1) === 0;
            const item = balancer.pick(usable, what.key, random);
            if (item === null) assert.ok(![...members].some(usable));
            else assert.ok(members.has(item) && usable(item));
            return;
          }
          const item = all[what.at];
          assert.ok(item);
          if (what.kind === 'update') Object.assign(item, { ...what, kind: undefined, at: undefined });
          balancer[what.kind](item);
          if (what.kind === 'add') members.add(item);
          if (what.kind === 'remove') members.delete(item);
        };
        steps.forEach(play);
        // What has happened leaves nobody out: with the rest away, each is found.
        for (const item of members)
          assert.equal(
            balancer.pick((other) => other === item, null, random),
            item,
          );
      }),
      { numRuns },
    );
  });

  test(`${name}: none of 20 equal candidates starves, and one that comes back has its part again`, () => {
    const items = fakes(Array.from({ length: 20 }, () => 1));
    const balancer = filled(create(), items);
    const [back] = items;
    assert.ok(back);
    assert.equal(countOf(picked(balancer, 4000, (item) => item !== back))[back.id], undefined);
    const counts = countOf(picked(balancer, 4000));
    assert.equal(Object.keys(counts).length, 20);
    // 200 are due; the ring's points and what is left to chance stray most.
    for (const count of Object.values(counts)) assert.ok(count > 100 && count < 340, `${count} of 4000`);
  });

  test(`${name}: without candidates there is no choice, and one that is alone has it`, () => {
    const balancer = create();
    assert.equal(balancer.pick(always, 1, seeded(1)), null);
    const only = new Fake('only');
    balancer.add(only);
    balancer.add(only);
    assert.equal(balancer.pick(always, 1, seeded(1)), only);
    balancer.remove(only);
    balancer.remove(only);
    balancer.update(only);
    assert.equal(balancer.pick(always, 1, seeded(1)), null);
    balancer.add(only);
    assert.equal(balancer.pick(always, 1, seeded(1)), only);
  });
}

test('no choice looks at more than a few of 1 000 candidates while 5 of them are not usable', () => {
  for (const [name, create] of EVERY_BALANCER) {
    const items = fakes(Array.from({ length: 1000 }, () => 1));
    const out = new Set(items.slice(0, 5));
    const balancer = filled(create(), items);
    const random = seeded(3);
    let mostCount = 0;
    for (let i = 0; i < 2000; i += 1) {
      let askedCount = 0;
      const usable = (item: Fake): boolean => {
        askedCount += 1;
        return !out.has(item);
      };
      balancer.pick(usable, null, random);
      mostCount = Math.max(mostCount, askedCount);
    }
    // The worst is a heap with all 5 at its top: each opens two others. Twice that for the two heaps.
    assert.ok(mostCount <= 2 * (2 * 5 + 1), `${name}: ${mostCount}`);
  }
});
