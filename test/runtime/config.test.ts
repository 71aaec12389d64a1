import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type LoadedConfig, loadConfig, parseConfig } from '../../src/runtime/config.ts';
import { ConfigError } from '../../src/runtime/problem.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
after(() => rmSync(folder, { recursive: true }));

const parse = (text: string, environment: Record<string, string> = {}): LoadedConfig =>
  parseConfig('sluice.yaml', text, environment, '/etc/sluice');

const ROUTES = 'routes:\n  - respond: { status: 204 }\n';
const LISTENERS = 'listeners:\n  - bind: 127.0.0.1:8080\n';

test('a small configuration is read, with nothing filled in', () => {
  const { config, warnings } = parse(LISTENERS + ROUTES);
  assert.deepEqual(config, { listeners: [{ bind: '127.0.0.1:8080' }], routes: [{ respond: { status: 204 } }] });
  assert.equal(warnings, '');
});

test('JSON is read too, with a link to its schema', () => {
  const { config } = parse(
    '{\n\t"$schema": "config.schema.json",\n\t"listeners": [{ "bind": "127.0.0.1:0" }],\n\t"routes": [{ "respond": {} }]\n}',
  );
  assert.equal(config.listeners[0]?.bind, '127.0.0.1:0');
});

test('a variable may stand for a number, and cannot bring in structure', () => {
  const text = `listeners:
  - bind: "\${HOST}:0"
    limits: { headerMaxCount: "\${HEADERS}", idleTimeoutMs: "\${IDLE:-null}" }
${ROUTES}`;
  const { config } = parse(text, { HOST: '127.0.0.1', HEADERS: '50' });
  assert.deepEqual(config.listeners[0], { bind: '127.0.0.1:0', limits: { headerMaxCount: 50, idleTimeoutMs: null } });
  assert.throws(() => parse(text, { HOST: '127.0.0.1', HEADERS: '50 }\nlogs: { access: true' }), ConfigError);
});

test('shared blocks may be aliases, but a bomb of them is refused', () => {
  const { config } = parse(`listeners:
  - { bind: 127.0.0.1:1, limits: &limits { headerMaxCount: 7 } }
  - { bind: 127.0.0.1:2, limits: *limits }
${ROUTES}`);
  assert.deepEqual(config.listeners[1]?.limits, { headerMaxCount: 7 });
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]'];
  for (const [name, of] of [
    ['b', 'a'],
    ['c', 'b'],
    ['d', 'c'],
    ['e', 'd'],
    ['f', 'e'],
    ['g', 'f'],
    ['h', 'g'],
  ])
    bomb.push(`${name}: &${name} [${Array(9).fill(`*${of}`).join(', ')}]`);
  assert.throws(() => parse(bomb.join('\n')), /Excessive alias count/);
});

test('an upstream that no route uses is a warning', () => {
  const { warnings } = parse(`${LISTENERS + ROUTES}upstreams:\n  - { name: api, endpoints: ["http://127.0.0.1:1"] }\n`);
  assert.equal(
    warnings,
    `sluice.yaml:6:13: warning: upstreams[0].name: no route uses the upstream api
  5 | upstreams:
  6 |   - { name: api, endpoints: ["http://127.0.0.1:1"] }
    |             ^^^`,
  );
});

test('a module gives its default export, and one that has changed is read again', async () => {
  const file = join(folder, 'sluice.config.ts');
  const write = (status: number): void =>
    writeFileSync(
      file,
      `const status: number = ${status};
export default { listeners: [{ bind: '127.0.0.1:0' }], routes: [{ respond: { status } }] };\n`,
    );
  write(200);
  assert.equal((await loadConfig(file, {})).config.routes[0]?.respond?.status, 200);
  write(204);
  assert.equal((await loadConfig(file, {})).config.routes[0]?.respond?.status, 204);
});

test('a module without a default export, or with a mistake in it, is refused by name', async () => {
  const file = join(folder, 'wrong.mts');
  writeFileSync(file, 'export const config = {};\n');
  await assert.rejects(loadConfig(file, {}), {
    message: `${file}: error: expected \`export default defineConfig({ … })\``,
  });
  writeFileSync(file, 'export default { listeners: [], routes: [{ respond: {} }] };\n// changed\n');
  await assert.rejects(loadConfig(file, {}), {
    message: `${file}: error: listeners: expected at least 1 in the list, got an empty list`,
  });
});

test('a file that is not there is refused with what to do', async () => {
  await assert.rejects(loadConfig('nowhere.yaml', {}), {
    message: 'nowhere.yaml: error: there is no such file (give the path of a configuration, or try `sluice demo`)',
  });
});
