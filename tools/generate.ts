import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { configJsonSchema } from '../src/runtime/schema.ts';
import { configPage } from './config-page.ts';
import { failuresPage } from './failures-page.ts';
import { metricsPage } from './metrics-page.ts';

/** A committed file that is made from the code. */
interface Output {
  /** From the repository's root. */
  readonly path: string;
  readonly make: () => string;
}

/** Every generated file. `test/architecture/generated.test.ts` fails when a committed one is out of date. */
export const OUTPUTS: readonly Output[] = [
  { path: 'docs/failures.md', make: failuresPage },
  { path: 'docs/metrics.md', make: metricsPage },
  { path: 'docs/config.md', make: configPage },
  { path: 'config.schema.json', make: configJsonSchema },
];

if (import.meta.main) {
  const root = resolve(import.meta.dirname, '..');
  for (const { path, make } of OUTPUTS) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), make());
    console.log(path);
  }
}
