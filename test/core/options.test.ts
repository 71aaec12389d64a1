import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withDefaults } from '../../src/core/options.ts';

const DEFAULTS = {
  idleTimeoutMs: 60_000,
  headMaxBytes: 16_384,
  headerMaxCount: 100,
  budgetRatio: 0.2,
  minBytesPerSec: 5,
  name: 'a',
};
const fill = (given: object, offable: (keyof typeof DEFAULTS)[] = []) =>
  withDefaults('thing', DEFAULTS, given, offable);

test('what is not given has its default, and the defaults stay as they are', () => {
  assert.deepEqual(fill({}), DEFAULTS);
  assert.deepEqual(withDefaults('thing', DEFAULTS, undefined), DEFAULTS);
  assert.deepEqual(fill({ name: undefined, idleTimeoutMs: 5 }), { ...DEFAULTS, idleTimeoutMs: 5 });
  assert.notEqual(withDefaults('thing', DEFAULTS, undefined), DEFAULTS);
});

test('one error names every wrong field at once', () => {
  assert.throws(
    () => fill({ idleTimeout: 5, headMaxBytes: 1.5, headerMaxCount: 0, budgetRatio: 2, minBytesPerSec: -1, name: 'b' }),
    (error) => {
      assert.ok(error instanceof TypeError);
      assert.match(error.message, /^thing: /);
      for (const part of [
        'idleTimeout: no such option, did you mean idleTimeoutMs?',
        'headMaxBytes: 1.5 is not a whole number of bytes',
        'headerMaxCount: 0 is not a whole number, 1 or more',
        'budgetRatio: 2 is not a number from 0 to 1',
        'minBytesPerSec: -1 is not bytes per second',
      ]) {
        assert.ok(error.message.includes(part), `${part} in ${error.message}`);
      }
      assert.doesNotMatch(error.message, /name:/);
      return true;
    },
  );
});

test('a number must be one, and fit the unit in its name', () => {
  for (const wrong of ['5', Number.NaN, Number.POSITIVE_INFINITY, -1, true, {}, []]) {
    assert.throws(() => fill({ idleTimeoutMs: wrong }), TypeError, JSON.stringify(wrong));
  }
  for (const right of [0, 0.5, 1e9]) assert.equal(fill({ idleTimeoutMs: right }).idleTimeoutMs, right);
  assert.throws(() => fill({ headMaxBytes: 2 ** 60 }), TypeError);
});

test('null turns off what can be off, and nothing else', () => {
  assert.equal(fill({ idleTimeoutMs: null }, ['idleTimeoutMs']).idleTimeoutMs, null);
  assert.throws(() => fill({ headMaxBytes: null }, ['idleTimeoutMs']), /headMaxBytes: cannot be turned off/);
  assert.throws(() => fill({ idleTimeoutMs: -1 }, ['idleTimeoutMs']), /null turns it off/);
});

test('a name that only objects have is no option', () => {
  assert.throws(() => fill({ constructor: 1 }), /constructor: no such option/);
});
