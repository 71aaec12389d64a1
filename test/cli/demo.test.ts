import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { DEMO_CALLS } from '../../src/cli/demo-page.ts';
import { ask, startUpstream } from './http.ts';
import { start } from './program.ts';

test('the demo page says what this is and lists calls that all work', async (context) => {
  const program = start(context, ['demo', '--listen', '127.0.0.1:0']);
  const origin = await program.origin('demo');
  await program.says(new RegExp(`^open ${RegExp.escape(origin)}/ in a browser, or: curl`, 'm'));
  const page = await ask(`${origin}/`);
  assert.equal(page.headers['content-type'], 'text/html; charset=utf-8');
  assert.match(page.body, /<h1>.*Sluice is running<\/h1>/);
  assert.match(page.body, /See a drain/);
  assert.doesNotMatch(page.body, /(?:src|href)="(?:https?:)?\/\//, 'it loads nothing from elsewhere');
  for (const { path } of DEMO_CALLS) assert.ok(page.body.includes(`</span>${path}</code>`), path);

  const [hello, first, second, echo, redirect] = [
    await ask(`${origin}/hello`),
    await ask(`${origin}/api/whoami`),
    await ask(`${origin}/api/whoami`),
    await ask(`${origin}/api/echo`, { method: 'POST', body: 'any body' }),
    await ask(`${origin}/old/page?a=1`),
  ];
  assert.equal(hello.body, 'Hello from Sluice!\n');
  const names = [first, second].map(({ body }): unknown => Reflect.get(Object(JSON.parse(body)), 'upstream'));
  assert.deepEqual(new Set(names), new Set(['blue', 'red']));
  assert.equal(Reflect.get(Object(JSON.parse(echo.body)), 'body'), 'any body');
  assert.equal(redirect.headers.location, 'https://example.com/old/page?a=1');
  assert.equal((await ask(`${origin}/api/nothing`)).status, 404);
});

test('a demo that is stopped with Ctrl-C finishes a stream that has begun, then exits with code 0', async (context) => {
  const program = start(context, ['demo', '--listen', '127.0.0.1:0']);
  const origin = await program.origin('demo');
  const stream = ask(`${origin}/api/stream`);
  await program.says(/"target":"\/api\/stream"/, 'stdout');
  program.child.kill('SIGINT');
  const { status, body } = await stream;
  assert.equal(status, 200);
  assert.equal(body.trimEnd().split('\n').length, 8);
  assert.equal(await program.ended, 0);
  assert.equal(program.logged('drained')[0]?.outcome, 'clean');
});

test('proxy passes requests on to every --to in turn', async (context) => {
  const answer = (name: string) => (_: unknown, response: ServerResponse) => response.end(name).writableEnded;
  const upstreams = [await startUpstream(context, answer('one')), await startUpstream(context, answer('two'))];
  const to = upstreams.flatMap(({ url }) => ['--to', url]);
  const program = start(context, ['proxy', '--listen', '127.0.0.1:0', ...to]);
  const origin = await program.origin('proxy');
  const bodies: string[] = [];
  for (let count = 0; count < 4; count += 1) bodies.push((await ask(origin)).body);
  assert.deepEqual(bodies, ['one', 'two', 'one', 'two']);
});
