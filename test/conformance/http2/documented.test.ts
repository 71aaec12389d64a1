import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { BUDGETS } from '../../../src/protocol/http2/guard.ts';
import { HTTP2_DEFAULTS } from '../../../src/protocol/http2/options.ts';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const page = read('docs/http2.md');

test('docs/http2.md says what the budgets against abuse are', () => {
  for (const [name, { burstCount, refillPerSec }] of Object.entries(BUDGETS)) {
    assert.ok(page.includes(`| \`${name}\` | ${burstCount} | ${refillPerSec} |`), name);
  }
});

test('docs/http2.md says what the options are by default', () => {
  for (const [name, value] of Object.entries(HTTP2_DEFAULTS)) {
    const shown = String(value).replace(/\B(?=(\d{3})+$)/g, ' ');
    assert.ok(page.includes(`| \`${name}\` | ${shown} |`), `${name} ${shown}`);
  }
});

test('the tests that docs/http2.md names against attacks exist', () => {
  const tests = ['abuse', 'limits', 'flow-control']
    .map((name) => read(`test/conformance/http2/${name}.test.ts`))
    .join();
  const table = page.slice(page.indexOf('| attack | CVE |'));
  const names = [...table.matchAll(/"([^"]+)"/g)].map(([, name]) => name ?? '');
  assert.ok(names.length > 15);
  for (const name of names) assert.ok(tests.includes(`'${name}`), name);
});
