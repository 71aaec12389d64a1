import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RACE, type Race, type RaceStep } from '../../src/policy/race.ts';

type Runner = 'first' | 'hedge';

/** Who is under way, as a set: what the table has to say of it. */
class Model {
  readonly running = new Set<Runner>();
  over = false;

  get race(): Race {
    if (this.over) return 'over';
    if (this.running.size === 2) return 'both';
    const [only = 'none'] = this.running;
    return only;
  }

  /** Whether the step can be taken. */
  take(step: RaceStep): boolean {
    if (this.over) return false;
    switch (step) {
      case 'send':
        return this.running.size === 0 && this.begin('first');
      case 'hedge':
        return this.running.size === 1 && this.running.has('first') && this.begin('hedge');
      case 'first-in-vain':
        return this.running.delete('first');
      case 'hedge-in-vain':
        return this.running.delete('hedge');
      case 'end':
        this.over = true;
        return true;
    }
  }

  private begin(runner: Runner): boolean {
    this.running.add(runner);
    return true;
  }
}

test('the table says who is under way, whatever happens, and of each step whether it can be taken', () => {
  const steps = fc.constantFrom<RaceStep>('send', 'hedge', 'first-in-vain', 'hedge-in-vain', 'end');
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 30 }), (taken) => {
      const model = new Model();
      let race: Race = 'none';
      for (const step of taken) {
        const next: Race | undefined = RACE[race][step];
        assert.equal(next !== undefined, model.take(step), `${step} when ${race}`);
        race = next ?? race;
        assert.equal(race, model.race);
      }
    }),
  );
});

test('a race ends once: nothing happens to one that is over', () => {
  assert.deepEqual(RACE.over, {});
  for (const race of ['none', 'first', 'both', 'hedge'] as const) assert.equal(RACE[race].end, 'over');
});
