import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from './source-files.ts';

const BIN = join(ROOT, 'bin/sluice.js');

/** Runs bin/sluice.js, with the program replaced by nothing, on a Node that says it is `version`. */
function runOn(version: string): { status: number | null; stderr: string } {
  const pretend = `import { registerHooks } from 'node:module';
    Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });
    const nothing = { url: 'data:text/javascript,', shortCircuit: true };
    registerHooks({ resolve: (specifier, context, next) =>
      specifier === '../dist/cli.js' ? nothing : next(specifier, context) });`;
  return spawnSync(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`, BIN], {
    encoding: 'utf8',
  });
}

test('sluice on a Node older than 26.4 says so in one line and exits 2', () => {
  for (const version of ['12.22.12', '20.19.4', '25.9.0', '26.3.9']) {
    const { status, stderr } = runOn(version);
    assert.match(stderr, new RegExp(`^sluice needs Node.js 26.4 or newer; this is ${version} \\(.+\\)\\n$`));
    assert.equal(status, 2);
  }
});

test('sluice on Node 26.4 or newer starts', () => {
  for (const version of ['26.4.0', '26.10.0', '27.0.0']) {
    const { status, stderr } = runOn(version);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  }
});

test('the version asked for is the one in package.json', () => {
  assert.equal(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).engines.node, '>=26.4');
});
