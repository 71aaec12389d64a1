import { faultsOf, isObject, type OptionKind, object, shown, usualKind, wrongOptions } from './option-kind.ts';
import { didYouMean } from './spelling.ts';

/** What options must be to each other. It is asked only where each of them fits by itself. */
export interface OptionRelation<Options> {
  readonly of: readonly (keyof Options & string)[];
  /** What is wrong, beginning with the name of an option, or `null`. `given` has no defaults. */
  fault(options: Readonly<Options>, given: Readonly<Partial<Options>>): string | null;
}

/** What neither the names of options nor their defaults say of them. */
export interface OptionRules<Options> {
  /** What `null` turns off, besides what it turns off by default. */
  readonly offable?: readonly (keyof Options & string)[];
  readonly kinds?: { readonly [Name in keyof Options]?: OptionKind };
  readonly relations?: readonly OptionRelation<Options>[];
  /** Of two the first is never above the second. The default of one that is not given gives way to what is. */
  readonly ordered?: readonly (readonly [low: keyof Options & string, high: keyof Options & string])[];
}

/**
 * Fills `given` up from `defaults`. Throws one `TypeError` that names every wrong field: unknown names (with a suggestion),
 * values that do not fit the unit in their name or are of another kind than their default, and what `rules` say besides.
 */
export function withDefaults<Options extends object>(
  what: string,
  defaults: Readonly<Options>,
  given: Partial<Options> = {},
  { offable = [], kinds = {}, relations = [], ordered = [] }: OptionRules<Options> = {},
): Options {
  if (!isObject(given)) throw wrongOptions(what, object.faults(given));
  const faults: string[] = [];
  const wrong = new Set<string>();
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!isName(name, defaults)) {
      const meant = didYouMean(name, Object.keys(defaults));
      faults.push(`${name}: no such option${meant === null ? '' : `, did you mean ${meant}?`}`);
      wrong.add(name).add(meant ?? name);
      continue;
    }
    const mayBeOff = defaults[name] === null || offable.includes(name);
    const found = fieldFaults(value, kinds[name] ?? usualKind(name, defaults[name]), mayBeOff);
    if (found.length > 0) wrong.add(name);
    faults.push(...found.map((fault) => `${name}: ${fault}`));
  }
  const set = Object.entries(given).filter(([name, value]) => value !== undefined && !wrong.has(name));
  const yielding = ordered.flatMap(([low, high]) => yieldingDefault(low, high, defaults, given));
  const options: Options = { ...defaults, ...Object.fromEntries(yielding), ...Object.fromEntries(set) };
  const together = [...ordered.map(([low, high]) => notAbove<keyof Options & string>(low, high)), ...relations];
  for (const relation of together) {
    const found = relation.of.some((name) => wrong.has(name)) ? null : relation.fault(options, given);
    if (found !== null) faults.push(found);
  }
  if (faults.length > 0) throw wrongOptions(what, faults);
  return options;
}

function isName<Options extends object>(name: string, defaults: Options): name is keyof Options & string {
  return Object.hasOwn(defaults, name);
}

function fieldFaults(value: unknown, kind: OptionKind, mayBeOff: boolean): readonly string[] {
  if (value === null) return mayBeOff ? [] : [`cannot be turned off, give ${kind.want}`];
  // In an object it is one of its values that is wrong.
  const hint = mayBeOff && typeof value !== 'object' ? ' (null turns it off)' : '';
  return kind.faults(value).map((fault) => `${fault}${hint}`);
}

/** Of two that are in order, the one that is not given, where its default would not be in order with the one that is. */
function yieldingDefault(low: string, high: string, defaults: object, given: object): [name: string, value: number][] {
  const [least, most] = [numberAt(given, low), numberAt(given, high)];
  const [lowDefault, highDefault] = [numberAt(defaults, low), numberAt(defaults, high)];
  if (least !== null && most === null && highDefault !== null) return [[high, Math.max(least, highDefault)]];
  if (least === null && most !== null && lowDefault !== null) return [[low, Math.min(most, lowDefault)]];
  return [];
}

function numberAt(options: object, name: string): number | null {
  const value: unknown = Reflect.get(options, name);
  return typeof value === 'number' ? value : null;
}

/** An option that has no default. */
export const required = <Name extends string>(
  name: Name,
  want: string,
): OptionRelation<{ readonly [Key in Name]: unknown }> => ({
  of: [name],
  fault: (_options, given) => (given[name] === undefined ? `${name}: give ${want}` : null),
});

/** What is given for one option may not be above another one, given or not. */
export const notAbove = <Name extends string>(
  low: Name,
  high: Name,
): OptionRelation<{ readonly [Key in Name]: unknown }> => ({
  of: [low, high],
  fault(options, given) {
    const [value, limit] = [numberAt(given, low), numberAt(options, high)];
    return value === null || limit === null || value <= limit ? null : `${low}: ${value} is above ${high}, ${limit}`;
  },
});

/** An option that is never looked at while another one is off. */
export function needs<Name extends string>(
  name: Name,
  needed: Name,
): OptionRelation<{ readonly [Key in Name]: unknown }> {
  return {
    of: [name, needed],
    fault(options, given) {
      const other: unknown = options[needed];
      const off = other === null || (Array.isArray(other) && other.length === 0);
      return off && (given[name] ?? null) !== null ? `${name}: means nothing without ${needed}` : null;
    },
  };
}

/** A list of options within options. */
export const partList = (read: (given: object) => unknown, want: string, minCount = 0): OptionKind => ({
  want,
  faults(value) {
    if (!Array.isArray(value) || value.length < minCount) return [`${shown(value)} is not ${want}`];
    const one = part(read);
    return value.flatMap((given: unknown, index) => one.faults(given).map((fault) => `[${index}]: ${fault}`));
  },
});

/** Options within options, as `read` takes them. */
export function part(read: (given: object) => unknown): OptionKind {
  return {
    want: object.want,
    faults: (value) => (isObject(value) ? faultsOf(() => read(value)) : object.faults(value)),
  };
}

/** An object with one option, which must be there. */
export const sole = (name: string, kind: OptionKind): OptionKind =>
  part((given) =>
    withDefaults<Record<string, unknown>>(name, { [name]: '' }, given, {
      kinds: { [name]: kind },
      relations: [required(name, kind.want)],
    }),
  );
