import type { Measured } from '../../src/core/metrics.ts';

/** Everything that is counted and not 0, as `name label=value …` with its value, without the labels in `hidden`. */
export function measured(source: Measured, hidden: readonly string[] = []): Record<string, number> {
  const values: Record<string, number> = {};
  source.measure((name, labels, value) => {
    const given: readonly (readonly [string, string])[] = Object.entries(labels);
    const shown = given
      .filter(([label, text]) => !hidden.includes(label) && text !== '')
      .map(([label, text]) => ` ${label}=${text}`);
    if (value !== 0) values[`${name.replace(/^sluice_/, '')}${shown.join('')}`] = value;
  });
  return values;
}
