import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setInterval as every } from 'node:timers/promises';
import { ask, startUpstream } from './http.ts';
import { start } from './program.ts';

const proxyTo = (url: string, drain = '{}'): string => `listeners:
  - { name: web, bind: 127.0.0.1:0 }
routes:
  - match: { path: /fixed }
    respond: { body: before }
  - proxy: { upstream: api }
upstreams:
  - { name: api, endpoints: ["${url}"] }
drain: ${drain}
logs: { level: debug }
`;

test('SIGTERM, SIGINT and SIGQUIT drain: what has begun is finished, the port is closed, and the exit code is 0', async (context) => {
  const upstream = await startUpstream(context);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
    const program = start(context, ['run'], { 'sluice.yaml': proxyTo(upstream.url) });
    const origin = await program.origin('web');
    const answer = ask(`${origin}/slow`);
    const asked = await upstream.asked();
    program.child.kill(signal);
    await program.says(/"message":"drain: finish"/, 'stdout');
    await assert.rejects(ask(`${origin}/fixed`), { code: 'ECONNREFUSED' });
    asked.response.end('whole');
    const { status, headers, body } = await answer;
    assert.deepEqual([status, headers.connection, body], [200, 'close', 'whole']);
    assert.equal(await program.ended, 0);
    const [report] = program.logged('drained');
    assert.equal(report?.outcome, 'clean');
    assert.equal(report?.finishedCount, 1);
    assert.equal(report?.mayHaveLostCount, 0);
    assert.deepEqual(report?.forced, []);
    assert.equal(program.logged(`draining: ${signal} received`).length, 1);
  }
});

test('an idle connection may still send a request while a drain is quiet, and is answered', async (context) => {
  const program = start(context, ['run'], { 'sluice.yaml': proxyTo('http://127.0.0.1:1', '{ quietMs: 20000 }') });
  const origin = new URL(await program.origin('web'));
  const socket = createConnection(Number(origin.port), origin.hostname).setEncoding('utf8');
  context.after(() => socket.destroy());
  const received = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      let text = '';
      socket.on('data', (chunk: string) => {
        text += chunk;
        if (pattern.test(text)) resolve();
      });
      socket.on('close', () => reject(new Error(`closed after ${JSON.stringify(text)}`)));
    });
  socket.write('GET /fixed HTTP/1.1\r\nhost: a\r\n\r\n');
  await received(/before$/);
  program.child.kill('SIGTERM');
  await program.says(/"message":"drain: finish"/, 'stdout');
  const answered = received(/connection: close.*before$/s);
  socket.end('GET /fixed HTTP/1.1\r\nhost: a\r\n\r\n');
  await answered;
  assert.equal(await program.ended, 0);
});

test('a second signal does not wait, the report names who was cut off, and the exit code is 1', async (context) => {
  const upstream = await startUpstream(context);
  const program = start(context, ['run'], { 'sluice.yaml': proxyTo(upstream.url) });
  const answer = ask(`${await program.origin('web')}/never`);
  await upstream.asked();
  program.child.kill('SIGTERM');
  await program.says(/draining: SIGTERM received/, 'stdout');
  // Signals that come together count as one, so it is sent until it has been heard.
  for await (const _ of every(20)) {
    if (program.exitCode !== null || program.logged('stopping now: SIGINT received again').length > 0) break;
    program.child.kill('SIGINT');
  }
  assert.equal((await answer).status, 503);
  assert.equal(await program.ended, 1);
  const [report] = program.logged('drained');
  assert.equal(report?.outcome, 'forced');
  assert.equal(report?.forcedCount, 1);
  const [forced] = Array.isArray(report?.forced) ? report.forced : [];
  assert.equal(Reflect.get(Object(forced), 'target'), '/never');
});

test('the grace of a drain ends it, and the exit code is 1', async (context) => {
  const upstream = await startUpstream(context);
  const program = start(context, ['run'], { 'sluice.yaml': proxyTo(upstream.url, '{ graceMs: 50 }') });
  const answer = ask(`${await program.origin('web')}/never`);
  await upstream.asked();
  program.child.kill('SIGTERM');
  assert.equal((await answer).status, 503);
  assert.equal(await program.ended, 1);
});

test('SIGHUP reads the configuration again: new routes, the same upstream connection', async (context) => {
  const upstream = await startUpstream(context, ({ url }, response) => {
    response.end(url);
    return true;
  });
  const before = proxyTo(upstream.url);
  const program = start(context, ['run'], { 'sluice.yaml': before });
  const origin = await program.origin('web');
  assert.equal((await ask(`${origin}/fixed`)).body, 'before');
  assert.equal((await ask(`${origin}/one`)).body, '/one');
  writeFileSync(join(program.folder, 'sluice.yaml'), before.replace('body: before', 'body: after'));
  program.child.kill('SIGHUP');
  await program.says(/"message":"reloaded"/, 'stdout');
  assert.equal((await ask(`${origin}/fixed`)).body, 'after');
  assert.equal((await ask(`${origin}/two`)).body, '/two');
  assert.equal(upstream.connectionCount, 1);
});

test('a request that began before a reload ends on the upstream it began on', async (context) => {
  const [old, fresh] = await Promise.all([startUpstream(context), startUpstream(context)]);
  const program = start(context, ['run'], { 'sluice.yaml': proxyTo(old.url) });
  const origin = await program.origin('web');
  const first = ask(`${origin}/first`);
  const asked = await old.asked();
  writeFileSync(join(program.folder, 'sluice.yaml'), proxyTo(fresh.url));
  program.child.kill('SIGHUP');
  await program.says(/"message":"reloaded"/, 'stdout');
  const second = ask(`${origin}/second`);
  (await fresh.asked()).response.end('from the new one');
  assert.equal((await second).body, 'from the new one');
  asked.response.end('from the old one');
  assert.equal((await first).body, 'from the old one');
});

test('a reload with a mistake is reported, and the configuration in force stays', async (context) => {
  const before = proxyTo('http://127.0.0.1:1');
  const program = start(context, ['run'], { 'sluice.yaml': before });
  const origin = await program.origin('web');
  writeFileSync(join(program.folder, 'sluice.yaml'), before.replace('respond:', 'answer:'));
  program.child.kill('SIGHUP');
  await program.says(/^sluice\.yaml:5:5: error: routes\[0\]\.answer: there is no such key here; known: /m);
  await program.says(
    /not reloaded, the configuration in force stays.*"reason":"sluice\.yaml:\d+:\d+: error: /,
    'stdout',
  );
  assert.equal((await ask(`${origin}/fixed`)).body, 'before');
});

test('a reload takes routes, logs and drain over, and says that changed listeners need a restart', async (context) => {
  const before = proxyTo('http://127.0.0.1:1');
  const program = start(context, ['run'], { 'sluice.yaml': before });
  const origin = await program.origin('web');
  const after = before.replace('name: web,', '').replace('{}', '{ graceMs: 77 }');
  writeFileSync(join(program.folder, 'sluice.yaml'), after.replace('before', 'after'));
  program.child.kill('SIGHUP');
  await program.says(
    /"level":"warn","message":"reloaded, but the listeners have changed and need a restart"/,
    'stdout',
  );
  assert.equal((await ask(`${origin}/fixed`)).body, 'after');
  program.child.kill('SIGTERM');
  assert.equal(await program.ended, 0);
  assert.equal(program.logged('draining: SIGTERM received')[0]?.graceMs, 77);
});

test('changed listeners are told at every reload, until they are what is listened on again', async (context) => {
  const before = proxyTo('http://127.0.0.1:1');
  const program = start(context, ['run'], { 'sluice.yaml': before });
  await program.origin('web');
  const changed = before.replace('name: web,', 'name: web, backlogCount: 7,');
  const reloaded = async (text: string): Promise<string | undefined> => {
    writeFileSync(join(program.folder, 'sluice.yaml'), text);
    program.stdout = '';
    program.child.kill('SIGHUP');
    return (await program.says(/"message":"(reloaded[^"]*)"/, 'stdout'))[1];
  };
  const told = 'reloaded, but the listeners have changed and need a restart';
  assert.equal(await reloaded(changed), told);
  assert.equal(await reloaded(changed), told);
  assert.equal(await reloaded(before), 'reloaded');
});

test('every listener says where it listens; a unix socket is relative to the configuration', async (context) => {
  const program = start(context, ['run', 'conf/site.json'], {
    'conf/site.json': JSON.stringify({
      listeners: [{ bind: '127.0.0.1:0' }, { name: 'local', bind: 'unix:site.sock' }],
      routes: [{ match: { listener: 'local' }, respond: { body: 'local' } }, { respond: { body: 'other' } }],
    }),
  });
  const origin = await program.origin('127.0.0.1:0');
  const path = join(program.folder, 'conf/site.sock');
  await program.says(new RegExp(`^listening on unix:${RegExp.escape(path)} \\(local\\)$`, 'm'));
  assert.equal((await ask(origin)).body, 'other');
  assert.equal((await ask('http://localhost/', { socketPath: path })).body, 'local');
});

test('an error that nobody caught is logged, drains, and ends with exit code 1', async (context) => {
  const program = start(context, ['run', 'site.ts'], {
    'site.ts': `
process.on('SIGUSR2', () => { throw new Error('out of the blue'); });
export default { listeners: [{ bind: '127.0.0.1:0' }], routes: [{ respond: {} }] };
`,
  });
  await program.origin();
  program.child.kill('SIGUSR2');
  assert.equal(await program.ended, 1);
  const [entry] = program.logged('an error that nobody caught');
  assert.match(String(Reflect.get(Object(entry?.error), 'stack')), /out of the blue/);
  assert.equal(program.logged('drained').length, 1);
});

test('a failed request is logged with its id, and its upstream is named as the one to blame', async (context) => {
  const program = start(context, ['run'], { 'sluice.yaml': proxyTo('http://127.0.0.1:1') });
  assert.equal((await ask(`${await program.origin()}/api`)).status, 502);
  await program.says(/"code":"upstream-connect"/, 'stdout');
  const [entry] = program.logged('The upstream could not be reached.');
  assert.equal(entry?.level, 'warn');
  assert.equal(entry?.target, '/api');
  assert.equal(typeof entry?.requestId, 'string');
});

test('a reader of the logs that goes away does not stop the server', async (context) => {
  const text = `${proxyTo('http://127.0.0.1:1').replace('level: debug', 'access: true')}`;
  const program = start(context, ['run'], { 'sluice.yaml': text });
  const origin = await program.origin();
  program.child.stdout.destroy();
  for (let count = 0; count < 5; count += 1) assert.equal((await ask(`${origin}/fixed`)).status, 200);
  program.child.kill('SIGTERM');
  assert.equal(await program.ended, 0);
});
