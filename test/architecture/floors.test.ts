import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findCycle, floorFaults } from './floors.ts';
import { importsOf, runtimeImportsOf, sourceFiles } from './source-files.ts';

const sources = sourceFiles('src/**/*.ts');

test('every room imports only the rooms and packages that are open to it', () => {
  assert.ok(sources.length > 0);
  assert.deepEqual(
    sources.flatMap((file) => floorFaults(file.path, importsOf(file))),
    [],
  );
});

test('no file imports itself by way of others; two types may name each other', () => {
  assert.equal(findCycle(new Map(sources.map((file) => [file.path, runtimeImportsOf(file)]))), null);
});

test('an import upwards, sideways, or of a closed package is found', () => {
  const forbidden: readonly [path: string, target: string][] = [
    ['src/core/answer.ts', 'src/policy/retry.ts'],
    ['src/core/answer.ts', 'zod'],
    ['src/policy/retry.ts', 'src/transport/tcp.ts'],
    ['src/protocol/http2/server.ts', 'src/protocol/http1/parse.ts'],
    ['src/protocol/thing/server.ts', 'src/protocol/http1/parse.ts'],
    ['src/protocol/http1/server.ts', 'src/protocol/thing.ts'],
    ['src/server/serve.ts', 'src/upstream/pool.ts'],
    ['src/server/serve.ts', 'src/web/router.ts'],
    ['src/upstream/pool.ts', 'src/server/listener.ts'],
    ['src/web/router.ts', 'src/protocol/http1/parse.ts'],
    ['src/protocol/http1/server.ts', 'src/protocol/websocket/server.ts'],
    ['src/protocol/http1/server.ts', 'ws'],
    ['src/web/router.ts', 'ws'],
    ['src/ops/metrics.ts', 'src/server/listener.ts'],
    ['src/runtime/config.ts', 'src/cli/run.ts'],
    ['src/runtime/config.ts', 'commander'],
    ['src/cli/run.ts', 'zod'],
    ['src/index.ts', 'src/cli.ts'],
    ['src/core/answer.ts', 'src/index.ts'],
    ['src/core/answer.ts', 'test/support/socket.ts'],
    ['src/core/answer.ts', '@scope/name/inner'],
    ['src/sundry/thing.ts', 'src/core/answer.ts'],
    ['src/protocol/thing.ts', 'src/core/answer.ts'],
  ];
  for (const [path, target] of forbidden) assert.equal(floorFaults(path, [target]).length, 1, `${path} → ${target}`);
});

test('imports downwards, of the same room and of open packages are allowed', () => {
  const allowed: readonly [path: string, target: string][] = [
    ['src/core/answer.ts', 'node:net'],
    ['src/core/answer.ts', 'src/core/failure.ts'],
    ['src/protocol/http1/server.ts', 'src/protocol/http1/parse.ts'],
    ['src/server/negotiate.ts', 'src/protocol/http1/server.ts'],
    ['src/server/negotiate.ts', 'src/protocol/thing/server.ts'],
    ['src/web/layers/timeout.ts', 'src/policy/deadline.ts'],
    ['src/web/router.ts', 'src/protocol/websocket/server.ts'],
    ['src/protocol/websocket/adopt.ts', 'ws'],
    ['src/upstream/tunnel.ts', 'src/protocol/websocket/frame-follower.ts'],
    ['src/runtime/config.ts', 'zod'],
    ['src/runtime/config.ts', 'zod/v4'],
    ['src/cli.ts', 'src/cli/run.ts'],
    ['src/cli.ts', 'commander'],
    ['src/cli/run.ts', 'src/runtime/config.ts'],
    ['src/index.ts', 'src/upstream/forward.ts'],
  ];
  for (const [path, target] of allowed) assert.deepEqual(floorFaults(path, [target]), []);
});

test('every way to write an import is seen, and one in a comment is not', () => {
  const text = `
    // import { no } from './comment.ts';
    /** import { no } from './doc.ts'; */
import { a } from './a.ts';
import type { B } from "../b.ts";
import {
  c,
} from './c.ts';
import 'node:net';
import * as d from 'zod';
export { e } from './e.ts';
export type * from './f.ts';
const g = await import('./g.ts');
type H = import('./h.ts').H;
export const words = 'taken from';
`;
  assert.deepEqual(importsOf({ path: 'src/web/x.ts', text }), [
    'src/web/a.ts',
    'src/b.ts',
    'src/web/c.ts',
    'node:net',
    'zod',
    'src/web/e.ts',
    'src/web/f.ts',
    'src/web/g.ts',
    'src/web/h.ts',
  ]);
});

test('imports of types are gone at run time', () => {
  const text = `import type { A } from './a.ts';\nexport type { B } from './b.ts';\nimport { C } from './c.ts';\n`;
  assert.deepEqual(runtimeImportsOf({ path: 'src/web/x.ts', text }), ['src/web/c.ts']);
});

test('a cycle is found, and a file reached twice is none', () => {
  const diamond = new Map([
    ['a', ['b', 'c']],
    ['b', ['d']],
    ['c', ['d']],
    ['d', []],
  ]);
  assert.equal(findCycle(diamond), null);
  assert.deepEqual(findCycle(new Map([...diamond, ['d', ['b']]])), ['b', 'd', 'b']);
});
