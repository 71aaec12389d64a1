import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { BoundSocket, connect, createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Handler } from '../../src/core/handler.ts';
import { addressText, BindError, parseBind } from '../../src/server/bind.ts';
import type { ListenerOptions } from '../../src/server/options.ts';
import { type Server, serve } from '../../src/server/serve.ts';
import { get } from './opened.ts';
import { ServerProcess } from './process.ts';

const hello: Handler = () => ({ status: 200, body: 'hello' });

async function listening(context: TestContext, ...listeners: ListenerOptions[]): Promise<Server> {
  const server = await serve({ listeners, handler: hello });
  context.after(() => server.close());
  return server;
}

function folderOf(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bind-'));
  context.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** The first line of the answer to a request that is sent over TCP or a unix socket. */
async function statusLine(to: { host: string; port: number } | { path: string }): Promise<string> {
  const socket = connect(to);
  socket.setEncoding('latin1').write(get('/', 'connection: close\r\n'));
  const [text] = await once(socket, 'data');
  socket.destroy();
  return String(text).split('\r\n')[0] ?? '';
}

const OK = 'HTTP/1.1 200 OK';
const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));

/** Opening fails with a `BindError` of this code and this one line. */
async function refuses(listeners: readonly ListenerOptions[], code: string, line: RegExp): Promise<void> {
  await assert.rejects(serve({ listeners, handler: hello }), (error) => {
    assert.ok(error instanceof BindError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, line);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });
}

// ── bind values ───────────────────────────────────────────────────────────────────────────────────────────────────

test('bind values are read, and written as people write them', () => {
  const tcp = (host: string, port: number) => ({ kind: 'tcp', host, port });
  const cases: [string, object, string][] = [
    ['127.0.0.1:80', tcp('127.0.0.1', 80), '127.0.0.1:80'],
    ['[::1]:80', tcp('::1', 80), '[::1]:80'],
    ['[fe80::1%eth0]:80', tcp('fe80::1%eth0', 80), '[fe80::1%eth0]:80'],
    [':80', tcp('', 80), ':80'],
    ['localhost:65535', tcp('localhost', 65_535), 'localhost:65535'],
    ['unix:/run/a:b.sock', { kind: 'unix', path: '/run/a:b.sock' }, 'unix:/run/a:b.sock'],
    ['fd:3', { kind: 'fd', fd: 3 }, 'fd:3'],
  ];
  for (const [bind, address, text] of cases) {
    assert.deepEqual(parseBind(bind), address);
    assert.equal(addressText(parseBind(bind)), text);
  }
});

test('what is no bind value is refused with the forms there are', () => {
  for (const bind of [
    '',
    '80',
    'localhost',
    '::1:80',
    '[::1]',
    '127.0.0.1:65536',
    '127.0.0.1:-1',
    'fd:',
    'fd:x',
    'a:b:80',
  ]) {
    assert.throws(() => parseBind(bind), /is not host:port, \[v6\]:port, unix:\/path, fd:N or systemd:NAME/, bind);
  }
  assert.throws(() => parseBind('unix:'), /needs a path/);
});

test('systemd sockets are found by name and by index, and only when they are for this process', () => {
  const environment = { LISTEN_FDS: '2', LISTEN_PID: String(process.pid), LISTEN_FDNAMES: 'web:admin' };
  assert.deepEqual(parseBind('systemd:admin', environment), { kind: 'fd', fd: 4 });
  assert.deepEqual(parseBind('systemd:0', environment), { kind: 'fd', fd: 3 });
  for (const name of ['other', '2', 'web:admin', '']) {
    assert.throws(() => parseBind(`systemd:${name}`, environment), /passed no socket .* it passed 2: web, admin/, name);
  }
  for (const foreign of [
    {},
    { ...environment, LISTEN_PID: '1' },
    { ...environment, LISTEN_FDS: '0' },
    { ...environment, LISTEN_FDS: 'x' },
  ]) {
    assert.throws(() => parseBind('systemd:web', foreign), /passed no sockets to this process/);
  }
});

// ── TCP ───────────────────────────────────────────────────────────────────────────────────────────────────────────

test('IPv4, IPv6 and all addresses, each on a port that the system chooses', { skip: !hasIpv6 }, async (t) => {
  const server = await listening(t, { bind: '127.0.0.1:0' }, { bind: '[::1]:0' }, { bind: ':0' });
  const [four, six, all] = server.listeners.map(({ address }) => address);
  assert.deepEqual([four?.host, six?.host, all?.host], ['127.0.0.1', '::1', '::']);
  for (const [host, port = 0] of [
    ['127.0.0.1', four?.port],
    ['::1', six?.port],
    ['127.0.0.1', all?.port],
    ['::1', all?.port],
  ] as const) {
    assert.ok(port > 0);
    assert.equal(await statusLine({ host, port }), OK);
  }
});

test('two servers share a port with reusePort, and not without', async (t) => {
  const first = await listening(t, { bind: '127.0.0.1:0', reusePort: true });
  const bind = `127.0.0.1:${first.listeners[0]?.address.port}`;
  const second = await listening(t, { bind, reusePort: true });
  await first.close();
  assert.equal(await statusLine(second.listeners[0]?.address ?? { path: '' }), OK);
  await refuses(
    [{ bind }],
    'EADDRINUSE',
    /^cannot listen on 127\.0\.0\.1:\d+: it is in use by another process; stop that one or choose another address \(EADDRINUSE\)$/,
  );
});

test('a foreign address, and a name that is none, are refused with a line each', async () => {
  await refuses(
    [{ bind: '203.0.113.1:0' }],
    'EADDRNOTAVAIL',
    /203\.0\.113\.1:0: this machine has no such address; use one of its own/,
  );
  await assert.rejects(
    serve({ listeners: [{ bind: 'not-a-name.invalid:0' }], handler: hello }),
    /the host name cannot be resolved.*; use an IP address/,
  );
});

test('a place where this process may not listen is refused with a line', async () => {
  await refuses(
    [{ bind: 'unix:/proc/a.sock' }],
    'EACCES',
    /\/proc\/a\.sock: permission denied; ports below 1024 .* choose another or grant them/,
  );
});

test('when the second listener cannot be opened, the first is closed again', async (t) => {
  const busy = createServer().listen(0, '127.0.0.1');
  t.after(() => busy.close());
  await once(busy, 'listening');
  const address = busy.address();
  const taken = typeof address === 'object' ? `127.0.0.1:${address?.port}` : '';
  const path = join(folderOf(t), 'first.sock');
  await refuses([{ bind: `unix:${path}` }, { bind: taken }], 'EADDRINUSE', /in use/);
  assert.equal(existsSync(path), false);
  await assert.rejects(
    serve({ listeners: [{ bind: `unix:${path}` }, { bind: 'nonsense' }], handler: hello }),
    TypeError,
  );
  assert.equal(existsSync(path), false);
});

test('options of a wrong type are refused by their name', async (t) => {
  const bind = '127.0.0.1:0';
  for (const [options, message] of [
    [{ listeners: [{ bind }] }, 'serve: handler: give a function'],
    [{ listeners: bind, handler: hello }, /^serve: listeners: "127\.0\.0\.1:0" is not at least one, such as /],
    [{ listeners: [{}], handler: hello }, 'serve: listeners: [0]: bind: give an address, such as "127.0.0.1:8080"'],
    [
      { listeners: [{ bind: 80 }], handler: hello },
      'serve: listeners: [0]: bind: 80 is not an address, such as "127.0.0.1:8080"',
    ],
    [{ listeners: [{ bind, handler: 5 }], handler: hello }, 'serve: listeners: [0]: handler: 5 is not a function'],
  ] as const) {
    await assert.rejects(() => Reflect.apply(serve, null, [options]), { name: 'TypeError', message });
  }
  const server = await listening(t, { bind });
  const reload = server.reload.bind(server);
  assert.throws(() => Reflect.apply(reload, null, [5]), /^TypeError: reload: handler: give a function$/);
});

// ── unix sockets ──────────────────────────────────────────────────────────────────────────────────────────────────

test('a unix socket has the mode it was given, serves, and its file goes with it', async (t) => {
  const path = join(folderOf(t), 'a.sock');
  const server = await listening(t, { bind: `unix:${path}`, mode: 0o600 });
  assert.deepEqual(server.listeners[0]?.address, { host: path, port: 0 });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(await statusLine({ path }), OK);
  await server.close();
  assert.equal(existsSync(path), false);
});

test('a socket file that a crash has left is replaced', async (t) => {
  const path = join(folderOf(t), 'stale.sock');
  const crashed = new ServerProcess(t, { listeners: [{ bind: `unix:${path}` }] });
  await crashed.ports();
  await crashed.kill();
  assert.equal(existsSync(path), true);
  await listening(t, { bind: `unix:${path}` });
  assert.equal(await statusLine({ path }), OK);
});

test('a socket file on which somebody listens is left alone', async (t) => {
  const path = join(folderOf(t), 'live.sock');
  await listening(t, { bind: `unix:${path}` });
  await refuses([{ bind: `unix:${path}` }], 'EADDRINUSE', /live\.sock: it is in use by another process/);
  assert.equal(await statusLine({ path }), OK);
});

test('a file, a folder or a link that is no socket is never deleted', async (t) => {
  const folder = folderOf(t);
  const file = join(folder, 'file');
  writeFileSync(file, 'precious');
  mkdirSync(join(folder, 'folder'));
  symlinkSync(file, join(folder, 'link'));
  for (const name of ['file', 'folder', 'link']) {
    await refuses(
      [{ bind: `unix:${join(folder, name)}` }],
      'EADDRINUSE',
      /a file that is not a socket is there; move it away or choose another path/,
    );
    assert.equal(existsSync(join(folder, name)), true);
  }
  assert.equal(readFileSync(file, 'utf8'), 'precious');
});

test('a missing folder and a path that is too long are refused with a line each', async (t) => {
  const folder = folderOf(t);
  await refuses(
    [{ bind: `unix:${folder}/missing/a.sock` }],
    'ENOENT',
    /missing\/a\.sock: the folder does not exist; create it first \(ENOENT\)$/,
  );
  await refuses([{ bind: `unix:${folder}/${'x'.repeat(120)}` }], 'EINVAL', /the path is too long for a socket/);
});

// ── inherited sockets ─────────────────────────────────────────────────────────────────────────────────────────────

function bound(context: TestContext): { fd: number; port: number } {
  const socket = new BoundSocket({ host: '127.0.0.1', port: 0 });
  context.after(() => socket.close());
  return { fd: socket.fd(), port: socket.address().port };
}

test('a process serves on a socket that it has inherited, as fd:N', async (t) => {
  const { fd, port } = bound(t);
  const child = new ServerProcess(t, { listeners: [{ bind: 'fd:3' }] }, { inherit: [fd] });
  assert.deepEqual(await child.ports(), [port]);
  assert.equal(await statusLine({ host: '127.0.0.1', port }), OK);
});

test('a process serves on the sockets that systemd has passed, by name', async (t) => {
  const [web, admin] = [bound(t), bound(t)];
  const listeners = [{ bind: 'systemd:admin' }, { bind: 'systemd:web' }];
  const child = new ServerProcess(
    t,
    { listeners },
    {
      inherit: [web.fd, admin.fd],
      environment: { LISTEN_FDS: '2', LISTEN_FDNAMES: 'web:admin' },
      shell: 'export LISTEN_PID=$$',
    },
  );
  assert.deepEqual(await child.ports(), [admin.port, web.port]);
  for (const { port } of [web, admin]) assert.equal(await statusLine({ host: '127.0.0.1', port }), OK);
});

test('a descriptor that is not open, or not a socket, is refused with a line', async (t) => {
  await refuses(
    [{ bind: 'fd:999' }],
    'EINVAL',
    /fd:999: it is not a socket that can be listened on; pass an open one \(EINVAL\)/,
  );
  const child = new ServerProcess(t, { listeners: [{ bind: 'fd:0' }] });
  await assert.rejects(child.ports(), /BindError: cannot listen on fd:0: it is not a socket/);
});
