import { inspect } from 'node:util';
import { didYouMean } from './spelling.ts';

/** A unit that an option's name ends in, and what its value must then be. */
const UNITS: readonly { readonly suffix: string; readonly want: string; readonly fits: (value: number) => boolean }[] =
  [
    { suffix: 'Ms', want: 'milliseconds, 0 or more', fits: (value) => Number.isFinite(value) && value >= 0 },
    {
      suffix: 'Bytes',
      want: 'a whole number of bytes, 0 or more',
      fits: (value) => Number.isSafeInteger(value) && value >= 0,
    },
    { suffix: 'PerSec', want: 'a number above 0', fits: (value) => Number.isFinite(value) && value > 0 },
    {
      suffix: 'BytesPerSec',
      want: 'bytes per second, 0 or more',
      fits: (value) => Number.isFinite(value) && value >= 0,
    },
    { suffix: 'Count', want: 'a whole number, 1 or more', fits: (value) => Number.isSafeInteger(value) && value >= 1 },
    { suffix: 'Ratio', want: 'a number from 0 to 1', fits: (value) => value >= 0 && value <= 1 },
  ];

/**
 * Fills `given` up from `defaults`. Throws one `TypeError` that names every wrong field: unknown names (with a
 * suggestion) and numbers that do not fit the unit in their name. `offable` lists the fields that `null` turns off.
 */
export function withDefaults<Options extends object>(
  what: string,
  defaults: Readonly<Options>,
  given: Partial<Options> | undefined,
  offable: readonly (keyof Options & string)[] = [],
): Options {
  if (given === undefined) return { ...defaults };
  const wrong: string[] = [];
  const known = Object.keys(defaults);
  for (const [name, value] of Object.entries(given)) {
    if (!known.includes(name)) {
      const near = didYouMean(name, known);
      wrong.push(`${name}: no such option${near === null ? '' : `, did you mean ${near}?`}`);
      continue;
    }
    if (value === undefined) continue;
    const fault = unitFault(name, value, (offable as readonly string[]).includes(name));
    if (fault !== null) wrong.push(fault);
  }
  if (wrong.length > 0) throw new TypeError(`${what}: ${wrong.join('; ')}`);
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(set) };
}

function unitFault(name: string, value: unknown, mayBeOff: boolean): string | null {
  const unit = UNITS.findLast((candidate) => name.endsWith(candidate.suffix));
  if (unit === undefined) return null;
  if (value === null) return mayBeOff ? null : `${name}: cannot be turned off, give ${unit.want}`;
  if (typeof value === 'number' && unit.fits(value)) return null;
  return `${name}: ${inspect(value)} is not ${unit.want}${mayBeOff ? ' (null turns it off)' : ''}`;
}
