import { didYouMean } from '../core/spelling.ts';

/** Variables by name, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The text with its variables filled in, or what is wrong with it. */
export type Interpolated =
  | { readonly text: string; readonly fault: null }
  | { readonly text: null; readonly fault: string };

const REFERENCE = /\$(\$\{)|\$\{([^}]*)(\})?/g;
const VARIABLE = /^([A-Za-z_]\w*)(?::-(.*))?$/s;

/**
 * Fills in `${NAME}` and `${NAME:-default}`; the default also stands for an empty variable. `$${` is a plain `${`.
 * What a variable holds is never read again, so it can bring in neither structure nor further variables.
 */
export function interpolate(text: string, environment: Environment): Interpolated {
  if (!text.includes('${')) return { text, fault: null };
  const faults: string[] = [];
  const filled = text.replaceAll(
    REFERENCE,
    (whole, escaped: string | undefined, inner: string | undefined, end: string | undefined) => {
      if (escaped !== undefined) return escaped;
      const [, name, fallback] = VARIABLE.exec(end === undefined ? '' : (inner ?? '')) ?? [];
      if (name === undefined) {
        faults.push(`${whole} is not a variable: write \${NAME} or \${NAME:-default}, or $\${ for a plain \${`);
        return whole;
      }
      const value = environment[name];
      if (fallback !== undefined) return value === undefined || value === '' ? fallback : value;
      if (value === undefined) faults.push(unset(name, environment));
      return value ?? '';
    },
  );
  return faults.length === 0 ? { text: filled, fault: null } : { text: null, fault: faults.join('; ') };
}

function unset(name: string, environment: Environment): string {
  const near = didYouMean(name, Object.keys(environment));
  const guess = near === null ? '' : `, did you mean ${near}?`;
  return `the environment variable ${name} is not set${guess} (\${${name}:-default} gives a default)`;
}
