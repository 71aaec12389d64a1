import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { OUTPUTS } from '../../tools/generate.ts';
import { ROOT } from './source-files.ts';

for (const { path, make } of OUTPUTS)
  test(`${path} is up to date`, () => {
    assert.equal(readFileSync(join(ROOT, path), 'utf8'), make(), 'run `npm run generate` and commit the result');
  });
