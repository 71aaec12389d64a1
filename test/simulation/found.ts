import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DEFAULT_SEED } from '../../simulate/options.ts';
import { draw, type Figure } from '../../simulate/picture/figure.ts';
import type { Study } from '../../simulate/studies/study.ts';

const FOLDER = join(import.meta.dirname, '../../docs/policies');

/** Fails when the picture in the documentation is another one. */
export function assertDrawn(figure: Figure): void {
  const name = `${figure.name}.svg`;
  const drawn = readFileSync(join(FOLDER, name), 'utf8');
  assert.ok(draw(figure) === drawn, `${name}: \`npm run simulate -- --svg docs/policies\` and commit it`);
}

/** Runs a study as the documentation shows it, and tests that its page does. What it has found is for further tests. */
export async function found<Result>(study: Study<Result>): Promise<Result> {
  const { name } = study;
  const { figure, result } = await study.run(DEFAULT_SEED);
  test(`${name}: the page shows the picture of its study, and that shows the code as it is`, () => {
    const page = readFileSync(join(FOLDER, `${name}.md`), 'utf8');
    assert.ok(new RegExp(`!\\[[^\\]]+\\]\\(${name}\\.svg\\)`).test(page), `${name}.md shows no ${name}.svg`);
    assertDrawn(figure);
  });
  return result;
}
