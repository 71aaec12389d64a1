import { Command } from 'commander';
import { configJsonSchema } from '../runtime/schema.ts';

/** `sluice schema` */
export function schemaCommand(): Command {
  return new Command('schema').description('print the JSON Schema of the configuration, for editors').action(() => {
    // A reader such as `head` may have enough before the end.
    process.stdout.on('error', () => undefined).write(configJsonSchema());
  });
}
