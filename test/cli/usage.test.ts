import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CLI, run, start } from './program.ts';

const SMALL = 'listeners:\n  - bind: 127.0.0.1:0\nroutes:\n  - respond: { status: 204 }\n';

/** Wrong usage: the arguments, and the first line a person gets to read. */
const WRONG_USAGE: readonly { readonly args: readonly string[]; readonly says: string }[] = [
  { args: ['serve'], says: "error: unknown command 'serve'" },
  { args: ['run', '--port', '80'], says: "error: unknown option '--port'" },
  {
    args: ['run', 'a.yaml', 'b.yaml'],
    says: "error: too many arguments for 'run'. Expected 1 argument but got 2: a.yaml, b.yaml.",
  },
  { args: ['proxy'], says: "error: required option '--to <url>' not specified" },
  {
    args: ['proxy', '--to', 'localhost:3000'],
    says: `error: option '--to <url>' argument 'localhost:3000' is invalid. endpoint localhost:3000 is none of http://, https:// and unix:`,
  },
  {
    args: ['demo', '--listen', '8080'],
    says: `error: option '--listen <address>' argument '8080' is invalid. bind: "8080" is not host:port, [v6]:port, unix:/path, fd:N or systemd:NAME`,
  },
];

for (const { args, says } of WRONG_USAGE) {
  test(`wrong usage is one message and exit code 2: sluice ${args.join(' ')}`, async (context) => {
    const program = await run(context, args);
    assert.equal(program.exitCode, 2);
    assert.equal(program.stdout, '');
    assert.equal(program.stderr.split('\n')[0], says);
  });
}

test('without a command, the help and exit code 2; with --help, exit code 0', async (context) => {
  const [bare, help] = await Promise.all([run(context, []), run(context, ['--help'])]);
  assert.equal(bare.exitCode, 2);
  assert.equal(help.exitCode, 0);
  assert.equal(bare.stderr, help.stdout);
  for (const command of ['run [config]', 'check [config]', 'proxy', 'demo', 'schema'])
    assert.ok(help.stdout.includes(`\n  ${command}`), command);
});

test('--version prints the version of the package', async (context) => {
  const program = await run(context, ['--version']);
  assert.match(program.stdout, /^\d+\.\d+\.\d+\n$/);
  assert.equal(program.exitCode, 0);
});

test('schema prints a JSON Schema of every top-level key', async (context) => {
  const program = await run(context, ['schema']);
  const schema: unknown = JSON.parse(program.stdout);
  const properties: unknown = Reflect.get(Object(schema), 'properties');
  assert.deepEqual(Object.keys(Object(properties)), ['listeners', 'routes', 'upstreams', 'drain', 'logs', 'admin']);
});

test('check says what a good configuration has', async (context) => {
  const program = await run(context, ['check'], { 'sluice.yaml': SMALL });
  assert.equal(program.stdout, 'sluice.yaml: ok (1 listener, 1 route, 0 upstreams)\n');
  assert.equal(program.stderr, '');
  assert.equal(program.exitCode, 0);
});

test('in a clone that has not been built, a configuration may import defineConfig', (context) => {
  const clone = join(CLI, '../..');
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
  context.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(clone, join(folder, 'node_modules/sluice'));
  const text = `import { defineConfig } from 'sluice';
if (!import.meta.resolve('sluice').endsWith('/src/index.ts')) throw new Error('this needs a build');
export default defineConfig({ listeners: [{ bind: '127.0.0.1:0' }], routes: [{ respond: {} }] });
`;
  const path = join(folder, 'site.ts');
  writeFileSync(path, text);
  const { stdout, stderr } = spawnSync('npm', ['run', '-s', 'sluice', '--', 'check', path], { cwd: clone });
  assert.equal(String(stdout), `${path}: ok (1 listener, 1 route, 0 upstreams)\n`, String(stderr));
});

test('the process has a name of its own', { skip: process.platform !== 'linux' }, async (context) => {
  const program = start(context, ['run'], { 'sluice.yaml': SMALL });
  await program.origin();
  assert.equal(readFileSync(`/proc/${program.child.pid}/comm`, 'utf8'), 'sluice\n');
});

test('check shows warnings and is content', async (context) => {
  const text = `${SMALL}upstreams:\n  - { name: api, endpoints: ["http://127.0.0.1:1"] }\n`;
  const program = await run(context, ['check'], { 'sluice.yaml': text });
  assert.match(program.stderr, /^sluice\.yaml:6:13: warning: upstreams\[0\]\.name: no route uses the upstream api\n/);
  assert.equal(program.exitCode, 0);
});

test('check and run show the mistakes of a wrong configuration and exit with 2', async (context) => {
  const files = { 'site.yaml': SMALL.replace('bind', 'bnid') };
  const says = `site.yaml:2:5: error: listeners[0].bnid: there is no such key, did you mean bind?
  1 | listeners:
  2 |   - bnid: 127.0.0.1:0
    |     ^^^^\n`;
  for (const command of ['check', 'run']) {
    const program = await run(context, [command, 'site.yaml'], files);
    assert.equal(program.stderr, says);
    assert.equal(program.stdout, '');
    assert.equal(program.exitCode, 2);
  }
});

test('a missing configuration is one line and exit code 2', async (context) => {
  const program = await run(context, ['run']);
  assert.equal(
    program.stderr,
    'sluice.yaml: error: there is no such file (give the path of a configuration, or try `sluice demo`)\n',
  );
  assert.equal(program.exitCode, 2);
});

test('a port in use is one line that says what to do, and exit code 1', async (context) => {
  const other = createServer();
  await new Promise<void>((resolve) => {
    other.listen(0, '127.0.0.1', resolve);
  });
  context.after(() => other.close());
  const address = other.address();
  assert.ok(typeof address === 'object' && address !== null);
  const bind = `127.0.0.1:${address.port}`;
  for (const args of [['run'], ['proxy', '--listen', bind, '--to', 'http://127.0.0.1:1'], ['demo', '--listen', bind]]) {
    const program = await run(context, args, { 'sluice.yaml': SMALL.replace('127.0.0.1:0', bind) });
    assert.equal(
      program.stderr,
      `cannot listen on ${bind}: it is in use by another process; stop that one or choose another address (EADDRINUSE)\n`,
    );
    assert.equal(program.exitCode, 1);
  }
});

test('an address of another machine is one line that says what to do, and exit code 1', async (context) => {
  const program = await run(context, ['proxy', '--listen', '192.0.2.1:8080', '--to', 'http://127.0.0.1:1']);
  assert.equal(
    program.stderr,
    'cannot listen on 192.0.2.1:8080: this machine has no such address; use one of its own, or 0.0.0.0 for all (EADDRNOTAVAIL)\n',
  );
  assert.equal(program.exitCode, 1);
});

test('a port that needs privileges is refused with what to do', () => {
  const words = [process.execPath, CLI, 'proxy', '--listen', '127.0.0.1:1', '--to', 'http://127.0.0.1:1'];
  // Root may take any port, unless it has given that privilege up.
  const weakly = process.getuid?.() === 0 ? ['setpriv', '--bounding-set', '-net_bind_service', ...words] : words;
  const [command = '', ...args] = weakly;
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  assert.match(stderr, /^cannot listen on 127\.0\.0\.1:1: permission denied; .* \(EACCES\)\n$/);
  assert.equal(status, 1);
});
