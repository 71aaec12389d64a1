import { z } from 'zod';
import { isToken } from '../../core/headers.ts';
import { faultsOf, type OptionKind } from '../../core/option-kind.ts';
import { proxyEntry } from '../../core/trusted-proxies.ts';

const number = (want: string, check: (schema: z.ZodNumber) => z.ZodNumber): z.ZodNumber => check(z.number(want));

/** Values by the unit in their name. The message says what is expected; `explain.ts` puts it into a sentence. */
export const milliseconds = number('milliseconds above 0', (schema) => schema.gt(0, 'milliseconds above 0'));
/** Where none means something: nothing is waited for, or nothing is too short. */
export const millisecondsOrNone = number('milliseconds, 0 or more', (schema) =>
  schema.min(0, 'milliseconds, 0 or more'),
);
export const bytes = number('a whole number of bytes, 0 or more', (schema) =>
  schema.int('a whole number of bytes, 0 or more').min(0, 'a whole number of bytes, 0 or more'),
);
export const bytesPerSec = number('bytes per second, 0 or more', (schema) =>
  schema.min(0, 'bytes per second, 0 or more'),
);
export const perSec = number('a number above 0', (schema) => schema.gt(0, 'a number above 0'));
export const count = number('a whole number, 1 or more', (schema) =>
  schema.int('a whole number, 1 or more').min(1, 'a whole number, 1 or more'),
);
export const ratio = number('a number from 0 to 1', (schema) =>
  schema.min(0, 'a number from 0 to 1').max(1, 'a number from 0 to 1'),
);
export const text = z.string('text').min(1, 'text that is not empty');

type Default = string | number | boolean | null | undefined;

/** An entry that may be left out. `fallback` is the value the code then uses, for the documentation only. */
export function setting<Schema extends z.ZodType>(
  schema: Schema,
  description: string,
  fallback?: Default,
): z.ZodExactOptional<Schema> {
  return z.exactOptional(schema).meta(fallback === undefined ? { description } : { description, default: fallback });
}

/** A setting that `null` turns off. */
export function offable<Schema extends z.ZodType>(
  schema: Schema,
  description: string,
  fallback?: Default,
): z.ZodExactOptional<z.ZodNullable<Schema>> {
  return setting(z.nullable(schema), description, fallback);
}

/** An entry that must be there. */
export function required<Schema extends z.ZodType>(schema: Schema, description: string): Schema {
  return schema.meta({ description });
}

/** Text that `parse` takes; what it throws is what a person reads. */
export function parsed(parse: (value: string) => unknown): z.ZodString {
  return z.string('text').superRefine((value, context) => {
    try {
      parse(value);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      context.addIssue({ code: 'custom', message, params: { whole: true } });
    }
  });
}

/** Text that fits an option of the library. */
export function fitting({ faults }: OptionKind): z.ZodString {
  return z.string('text').superRefine((value, context) => {
    for (const message of faults(value)) context.addIssue({ code: 'custom', message, params: { whole: true } });
  });
}

/** Whose word is believed. */
export const trustedProxy = fitting(proxyEntry);

/** The name of a header field. */
export const fieldName = parsed((name) => {
  if (!isToken(name)) throw new TypeError('expected a name of letters, digits and hyphens');
});

/** A block that is also checked as the library does, for what its entries must be to each other. What has been said is not said again. */
export function consistent<Block extends z.ZodType>(block: Block, check: (value: z.output<Block>) => unknown): Block {
  return block.superRefine(
    (value, context) => {
      const said = context.issues.flatMap(pathsOf);
      for (const fault of faultsOf(() => check(value))) {
        const { path, message } = placed(fault, value);
        if (said.some((other) => isWithin(path, other) || isWithin(other, path))) continue;
        context.addIssue({ code: 'custom', path, message, params: { whole: true } });
      }
    },
    // One wrong entry does not hide what is wrong with others.
    { when: () => true },
  );
}

type Path = readonly PropertyKey[];

const pathsOf = ({ path = [], ...issue }: z.core.$ZodRawIssue): Path[] =>
  issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...path, key]) : [path];

const isWithin = (path: Path, outer: Path): boolean => outer.every((step, index) => path[index] === step);

/** Where in a block a fault is, that begins with the names of options, and what is left to say. */
function placed(fault: string, block: unknown): { path: (string | number)[]; message: string } {
  const path: (string | number)[] = [];
  let message = fault;
  let within = block;
  while (typeof within === 'object' && within !== null) {
    const { name, index, rest } = /^(?:(?<name>\w+)|\[(?<index>\d+)\]): (?<rest>.*)$/s.exec(message)?.groups ?? {};
    if (rest === undefined) break;
    const step = name ?? Number(index);
    path.push(step);
    message = rest;
    within = Reflect.get(within, step);
  }
  return { path, message };
}
