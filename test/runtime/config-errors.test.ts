import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseConfig } from '../../src/runtime/config.ts';

/** Mistakes and what a person gets to read. `UPDATE=1 node --test <this file>` writes the answers anew. */
const FILE = join(import.meta.dirname, 'config-errors.md');
const SECTION = /^## ([^\n]+)\n\n```yaml\n(.*?)```\n\n```text\n(.*?)```\n/gms;

const page = readFileSync(FILE, 'utf8');

if (process.env.UPDATE !== undefined) {
  writeFileSync(
    FILE,
    page.replaceAll(SECTION, (_, mistake: string, text: string) => {
      return `## ${mistake}\n\n\`\`\`yaml\n${text}\`\`\`\n\n\`\`\`text\n${report(text)}\n\`\`\`\n`;
    }),
  );
}

let count = 0;
for (const [, mistake, text = '', says = ''] of page.matchAll(SECTION)) {
  count += 1;
  test(`a configuration error is explained: ${mistake}`, () => assert.equal(`${report(text)}\n`, says));
}

test('the page of configuration errors is read whole', () => {
  assert.ok(count >= 12);
  assert.equal(count, page.match(/^## /gm)?.length);
});

function report(text: string): string {
  try {
    parseConfig('sluice.yaml', text, { API_HOST: 'localhost' }, '/');
    return 'no error';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
