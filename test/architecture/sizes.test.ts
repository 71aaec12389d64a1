import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namingFaults, sizeFaults, tooLong } from './sizes.ts';
import { type SourceFile, sourceFiles } from './source-files.ts';

const file = (path: string, text: string): SourceFile => ({ path, text });
const lines = (count: number): SourceFile => file('src/core/x.ts', 'x\n'.repeat(count));

test('source files are short: median 110 lines, nine in ten 260, none over 400', () => {
  assert.deepEqual(sizeFaults(sourceFiles('src/**/*.ts')), []);
});

test('examples fit on a screen: 35 lines', () => {
  assert.deepEqual(tooLong(sourceFiles('examples/*.ts'), 35), []);
});

test('files have names that say something, no default export and no any', () => {
  assert.deepEqual(sourceFiles('{src,test,tools,bench,simulate,examples}/**/*.ts').flatMap(namingFaults), []);
});

test('too long a file, median or tail is found', () => {
  assert.deepEqual(sizeFaults([lines(110), lines(110), lines(400)]), [
    'one file in ten has 400 lines or more, the limit is 260',
  ]);
  assert.equal(sizeFaults([lines(111)]).length, 1);
  assert.equal(sizeFaults([...Array.from({ length: 20 }, () => lines(10)), lines(401)]).length, 1);
  assert.deepEqual(sizeFaults([...Array.from({ length: 20 }, () => lines(10)), lines(400)]), []);
});

test('empty names, default exports and any are found', () => {
  for (const path of ['src/core/utils.ts', 'test/helpers.ts', 'src/web/common.ts', 'src/server/socket-manager.ts'])
    assert.equal(namingFaults(file(path, '')).length, 1, path);
  const bad = [
    'export default 1;',
    'const a = 1;\nexport { a as default };',
    'const a: any = 1;',
    'const a = b as any;',
    'let a: Map<string, any>;',
    'let a: any[];',
    'let a: string | any;',
    'function f(a: any): void {}',
    'const f = (a: string): any => a;',
  ];
  for (const text of bad) assert.equal(namingFaults(file('src/core/x.ts', text)).length, 1, text);
});

test('tests and examples may show a configuration that is a module', () => {
  assert.deepEqual(namingFaults(file('examples/sluice.config.ts', 'export default defineConfig({});')), []);
});

test('the word any in comments, strings and names is no fault', () => {
  const text = `/** as any */ // x: any\nconst many: string = 'as any, or: any'; const anything = { some: 0, any: 1 }; f(some, any); Promise.any([]);\n`;
  assert.deepEqual(namingFaults(file('src/core/command.ts', text)), []);
});
