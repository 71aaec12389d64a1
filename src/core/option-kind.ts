import { inspect } from 'node:util';
import { HeaderFields, type HeaderSource, isToken } from './headers.ts';
import { didYouMean } from './spelling.ts';

/** What the value of an option may be. */
export interface OptionKind {
  /** In words that follow "give". */
  readonly want: string;
  /** What is wrong with a value, in words that follow the option's name; nothing where it fits. */
  readonly faults: (value: unknown) => readonly string[];
}

/** The single faults of errors that `wrongOptions` has made. */
const FAULTS = new WeakMap<Error, readonly string[]>();

/** The error for wrong options; each fault begins with the name of an option. */
export function wrongOptions(what: string, faults: readonly string[]): TypeError {
  const error = new TypeError(`${what}: ${faults.join('; ')}`);
  FAULTS.set(error, faults);
  return error;
}

/** What is wrong with what `read` reads, by what it throws. */
export function faultsOf(read: () => unknown): readonly string[] {
  try {
    read();
    return [];
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return FAULTS.get(error) ?? [error.message];
  }
}

/** What fits, and how it is called. */
export function kind(want: string, fits: (value: unknown) => boolean): OptionKind {
  return { want, faults: (value) => (fits(value) ? [] : [`${shown(value)} is not ${want}`]) };
}

const number = (want: string, fits: (value: number) => boolean): OptionKind =>
  kind(want, (value) => typeof value === 'number' && Number.isFinite(value) && fits(value));

/** Whole numbers of a range. */
export const wholeNumber = (min: number, max: number): OptionKind =>
  number(`a whole number from ${min} to ${max}`, (value) => Number.isInteger(value) && value >= min && value <= max);

export const positive = number('a number above 0', (value) => value > 0);
/** A time in which something has to be done. */
const milliseconds = number('milliseconds above 0', (value) => value > 0);
/** A time that may be none at all. */
export const millisecondsOrNone = number('milliseconds, 0 or more', (value) => value >= 0);
/** A share of something relative to others. */
export const oneOrMore = number('a number, 1 or more', (value) => value >= 1);
const count = number('a whole number, 1 or more', (value) => Number.isSafeInteger(value) && value >= 1);
export const text = kind('text', (value) => typeof value === 'string');
export const object = kind('an object', isObject);
export const callable = kind('a function', (value) => typeof value === 'function');
export const flag = kind('true or false', (value) => typeof value === 'boolean');
const anything = kind('anything', () => true);

/** Names as they stand in header fields, cookies and methods (`token` of RFC 9110 §5.6.2). */
export const token = (what: string): OptionKind => kind(what, (value) => typeof value === 'string' && isToken(value));
export const fieldName = token('a field name');

/** Text of a form. */
export const matching = (want: string, form: RegExp): OptionKind =>
  kind(want, (value) => typeof value === 'string' && form.test(value));

/** A secret; it is not shown. */
export const secretText = (minChars: number): OptionKind => ({
  want: `text of at least ${minChars} characters`,
  faults: (value) =>
    typeof value === 'string' && value.length >= minChars ? [] : [`give text of at least ${minChars} characters`],
});

/** Text that `read` takes; what it throws is what a person reads. */
export function readable(read: (value: string) => unknown): OptionKind {
  return {
    want: text.want,
    faults: (value) => (typeof value === 'string' ? faultsOf(() => read(value)) : text.faults(value)),
  };
}

/** Fields of a message, in any form that `HeaderFields` takes. */
export const headerFields: OptionKind = {
  want: 'header fields',
  faults: (value) =>
    isHeaderSource(value)
      ? faultsOf(() => HeaderFields.from(value))
      : [`${shown(value)} is not an object or a list of pairs`],
};

function isHeaderSource(value: unknown): value is HeaderSource {
  return typeof value === 'object' && value !== null;
}

/** One of these. `forms`: what else may be given, in words. */
export function oneOf(choices: readonly unknown[], ...forms: readonly string[]): OptionKind {
  const want = `one of ${[...choices, ...forms].join(', ')}`;
  return {
    want,
    faults(value) {
      if (choices.includes(value)) return [];
      const names = choices.filter((choice) => typeof choice === 'string');
      // Another version is nothing that was meant.
      const near = typeof value === 'string' && Number.isNaN(Number(value)) ? didYouMean(value, names) : null;
      return [`${shown(value)} is not ${want}${near === null ? '' : `, did you mean ${near}?`}`];
    },
  };
}

/** What `is` true of is of one kind, everything else of another, which is the one that is told. */
export const either = (is: (value: unknown) => boolean, one: OptionKind, other: OptionKind): OptionKind => ({
  want: other.want,
  faults: (value) => (is(value) ? one : other).faults(value),
});

/** A function, or what is of another kind. */
export const functionOr = (other: OptionKind): OptionKind =>
  either((value) => typeof value === 'function', callable, other);

/** Lists of what is of one kind. */
export function listOf(item: OptionKind, want = 'a list', minCount = 0): OptionKind {
  return {
    want,
    faults(value) {
      if (!Array.isArray(value) || value.length < minCount) return [`${shown(value)} is not ${want}`];
      return value.flatMap((one: unknown) => item.faults(one));
    },
  };
}

/** Values of one kind by names that anybody may choose. */
export const recordOf = (item: OptionKind): OptionKind => ({
  want: 'an object with names and values',
  faults: (value) =>
    isObject(value)
      ? Object.entries(value).flatMap(([name, one]) => item.faults(one).map((fault) => `${name}: ${fault}`))
      : object.faults(value),
});

/** Units by the end of an option's name; of several the last one. */
const UNITS: readonly (readonly [suffix: string, kind: OptionKind])[] = [
  ['Ms', milliseconds],
  ['Bytes', number('a whole number of bytes, 0 or more', (value) => Number.isSafeInteger(value) && value >= 0)],
  ['PerSec', positive],
  ['BytesPerSec', number('bytes per second, 0 or more', (value) => value >= 0)],
  ['Count', count],
  ['Ratio', number('a number from 0 to 1', (value) => value >= 0 && value <= 1)],
];

/** Times of which none means something: nothing is waited for, or nothing is too short. In any other nothing could be done. */
const NONE_MEANS_SOMETHING: ReadonlySet<string> = new Set([
  'noticeMs',
  'quietMs',
  'graceMs',
  'streamGraceMs',
  'backoffMs',
  'backoffMaxMs',
  'hedgeAfterMs',
  'retryMs',
  'retryAfterMs',
  'retryAfterMaxMs',
  'calmMs',
  'delayMinMs',
  'latencyMinMs',
  'smoothingMs',
  'windowMinMs',
]);

/** What an option may be by its name, where that ends in a unit, and else what its default is: text, a list, a function. */
export function usualKind(name: string, fallback: unknown): OptionKind {
  if (NONE_MEANS_SOMETHING.has(name)) return millisecondsOrNone;
  return UNITS.findLast(([suffix]) => name.endsWith(suffix))?.[1] ?? kindLike(fallback);
}

function kindLike(sample: unknown): OptionKind {
  if (Array.isArray(sample)) return listOf(anything);
  switch (typeof sample) {
    case 'string':
      return text;
    case 'boolean':
      return flag;
    case 'number':
      return number('a number', () => true);
    case 'function':
      return callable;
    default:
      return isObject(sample) ? objectLike(sample) : anything;
  }
}

/** What can do the same, such as another clock. */
function objectLike(sample: object): OptionKind {
  const methods = Object.keys(sample).filter((name) => typeof Reflect.get(sample, name) === 'function');
  if (methods.length === 0) return object;
  return kind(
    `an object with ${methods.join(', ')}`,
    (value) => isObject(value) && methods.every((name) => typeof Reflect.get(value, name) === 'function'),
  );
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const SHOWN_MAX_CHARS = 60;

/** A value as it is shown to who gave it. */
export function shown(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > SHOWN_MAX_CHARS ? `${value.slice(0, SHOWN_MAX_CHARS - 3)}...` : value);
  return inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 3 });
}
