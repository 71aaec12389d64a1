import { InvalidArgumentError } from 'commander';

/** An option's value, checked by `parse`; what that throws is what a person reads. */
export function argument(option: string, parse: (value: string) => unknown): (value: string) => string {
  return (value) => {
    try {
      parse(value);
    } catch (error) {
      throw new InvalidArgumentError(error instanceof Error ? error.message : `${option}: ${String(error)}`);
    }
    return value;
  };
}
