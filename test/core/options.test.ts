import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  callable,
  either,
  faultsOf,
  fieldName,
  functionOr,
  headerFields,
  isObject,
  listOf,
  matching,
  type OptionKind,
  oneOf,
  oneOrMore,
  readable,
  recordOf,
  secretText,
  wholeNumber,
} from '../../src/core/option-kind.ts';
import { needs, notAbove, part, partList, required, withDefaults } from '../../src/core/options.ts';

const DEFAULTS = {
  idleTimeoutMs: 60_000,
  graceMs: 1000,
  headMaxBytes: 16_384,
  headerMaxCount: 100,
  budgetRatio: 0.2,
  minBytesPerSec: 5,
  name: 'a',
};
type Options = typeof DEFAULTS;
const fill = (given: object, offable: (keyof Options)[] = []): Options =>
  withDefaults('thing', DEFAULTS, given, { offable });

/** Options as a program without types could give them. */
const wrong = (read: (given: object) => unknown, given: unknown): string => {
  try {
    Reflect.apply(read, null, [given]);
    return '';
  } catch (error) {
    assert.ok(error instanceof Error);
    assert.equal(error.constructor, TypeError);
    return error.message;
  }
};

test('what is not given has its default, and the defaults stay as they are', () => {
  assert.deepEqual(fill({}), DEFAULTS);
  assert.deepEqual(withDefaults('thing', DEFAULTS, undefined), DEFAULTS);
  assert.deepEqual(fill({ name: undefined, idleTimeoutMs: 5 }), { ...DEFAULTS, idleTimeoutMs: 5 });
  assert.notEqual(withDefaults('thing', DEFAULTS, undefined), DEFAULTS);
});

test('one error names every wrong field at once', () => {
  const given = { idleTimeout: 5, headMaxBytes: 1.5, headerMaxCount: 0, budgetRatio: 2, minBytesPerSec: -1, name: 'b' };
  assert.equal(
    wrong(fill, given),
    [
      'thing: idleTimeout: no such option, did you mean idleTimeoutMs?',
      'headMaxBytes: 1.5 is not a whole number of bytes, 0 or more',
      'headerMaxCount: 0 is not a whole number, 1 or more',
      'budgetRatio: 2 is not a number from 0 to 1',
      'minBytesPerSec: -1 is not bytes per second, 0 or more',
    ].join('; '),
  );
  assert.equal(wrong(fill, { constructor: 1 }), 'thing: constructor: no such option');
});

test('options are an object', () => {
  for (const given of [null, true, 'x', 5, []]) assert.match(wrong(fill, given), /^thing: .* is not an object$/);
});

test('a number must be one, and fit the unit in its name', () => {
  for (const given of ['5', Number.NaN, Number.POSITIVE_INFINITY, -1, true, {}, []]) {
    assert.match(wrong(fill, { idleTimeoutMs: given }), /idleTimeoutMs: .* is not milliseconds above 0/);
  }
  for (const right of [0.5, 1e9]) assert.equal(fill({ idleTimeoutMs: right }).idleTimeoutMs, right);
  assert.match(wrong(fill, { headMaxBytes: 2 ** 60 }), /headMaxBytes: /);
});

test('a time may be 0 where that means something', () => {
  assert.equal(wrong(fill, { idleTimeoutMs: 0 }), 'thing: idleTimeoutMs: 0 is not milliseconds above 0');
  assert.equal(fill({ graceMs: 0 }).graceMs, 0);
  assert.equal(wrong(fill, { graceMs: -1 }), 'thing: graceMs: -1 is not milliseconds, 0 or more');
});

test('null turns off what can be off, and nothing else', () => {
  assert.equal(fill({ idleTimeoutMs: null }, ['idleTimeoutMs']).idleTimeoutMs, null);
  assert.equal(withDefaults<{ ca: string | null }>('thing', { ca: null }, { ca: null }).ca, null);
  assert.match(wrong(fill, { headMaxBytes: null }), /headMaxBytes: cannot be turned off, give a whole number of bytes/);
  assert.match(
    wrong((given) => fill(given, ['idleTimeoutMs']), { idleTimeoutMs: -1 }),
    /\(null turns it off\)$/,
  );
});

test('what has no unit in its name is of the kind of its default', () => {
  const defaults = { name: '', on: true, weight: 1, list: [''], make: () => 1, fields: {}, clock: { now: () => 0 } };
  const read = (given: object): unknown => withDefaults('thing', defaults, given);
  for (const [given, message] of [
    [{ name: 5 }, 'name: 5 is not text'],
    [{ on: 'no' }, 'on: "no" is not true or false'],
    [{ weight: '2' }, 'weight: "2" is not a number'],
    [{ list: 'a' }, 'list: "a" is not a list'],
    [{ make: 5 }, 'make: 5 is not a function'],
    [{ fields: 5 }, 'fields: 5 is not an object'],
    [{ clock: {} }, 'clock: {} is not an object with now'],
    [{ name: null }, 'name: cannot be turned off, give text'],
  ] as const) {
    assert.equal(wrong(read, given), `thing: ${message}`);
  }
  const right = { name: 'a', on: false, weight: 0, list: [], make: () => 2, fields: { a: 1 }, clock: { now: () => 1 } };
  assert.deepEqual(read(right), right);
});

test('kinds say what neither names nor defaults tell', () => {
  const kinds: Record<string, OptionKind> = {
    way: oneOf(['fast', 'slow', 500]),
    key: functionOr(oneOf(['path'])),
    host: either(isObject, fieldName, oneOf(['own'])),
    tags: listOf(matching('a tag such as a1', /^[a-z][0-9]$/)),
    some: listOf(callable, 'a list of at least one function', 1),
    shares: recordOf(oneOrMore),
    level: wholeNumber(1, 9),
    url: readable((text) => new URL(text)),
    secret: secretText(4),
    fields: headerFields,
  };
  const defaults = Object.fromEntries(Object.keys(kinds).map((name) => [name, null]));
  const read = (given: object): unknown => withDefaults<Record<string, unknown>>('thing', defaults, given, { kinds });
  for (const [given, message] of [
    [{ way: 'fats' }, 'way: "fats" is not one of fast, slow, 500, did you mean fast? (null turns it off)'],
    [{ way: '500' }, 'way: "500" is not one of fast, slow, 500 (null turns it off)'],
    [{ key: 5 }, 'key: 5 is not one of path (null turns it off)'],
    [{ tags: ['a1', 'b', 'c'] }, 'tags: "b" is not a tag such as a1; tags: "c" is not a tag such as a1'],
    [{ some: [] }, 'some: [] is not a list of at least one function'],
    [{ shares: { a: 2, b: 0 } }, 'shares: b: 0 is not a number, 1 or more'],
    [{ level: 10 }, 'level: 10 is not a whole number from 1 to 9 (null turns it off)'],
    [{ url: 'x' }, 'url: Invalid URL (null turns it off)'],
    [{ secret: 'abc' }, 'secret: give text of at least 4 characters (null turns it off)'],
    [{ fields: { 'a b': '1' } }, 'fields: header name "a b" is not a token (RFC 9110 §5.1)'],
    [{ fields: 'no' }, 'fields: "no" is not an object or a list of pairs (null turns it off)'],
  ] as const) {
    assert.equal(wrong(read, given), `thing: ${message}`);
  }
  const right = {
    way: 500,
    key: () => '',
    tags: [],
    some: [() => 1],
    shares: {},
    url: 'http://a',
    fields: [['a', '1']],
  };
  assert.equal(wrong(read, right), '');
});

test('the faults of parts are told with those of the whole, each by its way there', () => {
  const inner = (given: object): unknown => withDefaults('inner', { waitMs: 5, name: '' }, given);
  const kinds = { first: part(inner), rest: partList(inner, 'a list of parts') };
  const read = (given: object): unknown =>
    withDefaults<Record<string, unknown>>('outer', { first: {}, rest: [], on: true }, given, { kinds });
  assert.equal(
    wrong(read, { first: { waitMs: -1, nmae: 'x' }, rest: [{}, { name: 5 }, true], on: 1 }),
    [
      'outer: first: waitMs: -1 is not milliseconds above 0',
      'first: nmae: no such option, did you mean name?',
      'rest: [1]: name: 5 is not text',
      'rest: [2]: true is not an object',
      'on: 1 is not true or false',
    ].join('; '),
  );
  assert.equal(wrong(read, { first: true }), 'outer: first: true is not an object');
  assert.deepEqual(
    faultsOf(() => read({ rest: 5, on: 1 })),
    ['rest: 5 is not a list of parts', 'on: 1 is not true or false'],
  );
});

test('what options are to each other is asked only where each fits by itself', () => {
  const defaults = { lowMs: 5, highMs: 10, queue: null, place: '', trusted: [] };
  type Related = { lowMs: number; highMs: number; queue: string | null; place: string; trusted: readonly string[] };
  const read = (given: object): unknown =>
    withDefaults<Related>(
      'thing',
      defaults,
      { ...{ place: 'here' }, ...given },
      {
        kinds: { queue: oneOf(['fair']) },
        relations: [notAbove('lowMs', 'highMs'), needs('queue', 'trusted'), required('place', 'a place')],
      },
    );
  for (const [given, message] of [
    [{ lowMs: 11 }, 'thing: lowMs: 11 is above highMs, 10'],
    [{ lowMs: 11, highMs: 10.5 }, 'thing: lowMs: 11 is above highMs, 10.5'],
    [{ highMs: 1 }, ''],
    [{ lowMs: 11, highMs: '12' }, 'thing: highMs: "12" is not milliseconds above 0'],
    [{ lowMs: 11, higMs: 12 }, 'thing: higMs: no such option, did you mean highMs?'],
    [{ queue: 'fair' }, 'thing: queue: means nothing without trusted'],
    [{ queue: 'fair', trusted: ['a'] }, ''],
    [{ queue: null }, ''],
    [{ place: undefined, lowMs: 11 }, 'thing: lowMs: 11 is above highMs, 10; place: give a place'],
    [{ place: undefined, plaice: 1 }, 'thing: plaice: no such option, did you mean place?'],
  ] as const) {
    assert.equal(wrong(read, given), message);
  }
});

test('of options in order the one that is not given gives way', () => {
  const read = (given: object): { openMs: number; openMaxMs: number } =>
    withDefaults('thing', { openMs: 5, openMaxMs: 10 }, given, { ordered: [['openMs', 'openMaxMs']] });
  assert.deepEqual(read({ openMs: 20 }), { openMs: 20, openMaxMs: 20 });
  assert.deepEqual(read({ openMs: 7 }), { openMs: 7, openMaxMs: 10 });
  assert.deepEqual(read({ openMaxMs: 2 }), { openMs: 2, openMaxMs: 2 });
  assert.deepEqual(read({ openMs: 7, openMaxMs: 7 }), { openMs: 7, openMaxMs: 7 });
  assert.equal(wrong(read, { openMs: 8, openMaxMs: 7 }), 'thing: openMs: 8 is above openMaxMs, 7');
});
