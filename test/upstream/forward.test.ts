import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { onEvent } from '../../src/core/events.ts';
import { get, Proxied } from './proxied.ts';
import { deafUrl, turns, until } from './scripted.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
/** The status line's number, of the next answer. */
const status = async (client: { head(): Promise<string> }): Promise<number> =>
  Number((await client.head()).slice(9, 12));

/** What is written at one end is not all taken while nobody reads at the other, and all arrives once somebody does. */
async function assertHeld(writer: Socket, reader: Socket, totalBytes: number): Promise<void> {
  const block = Buffer.alloc(1024 * 1024, 'x');
  let sentBytes = 0;
  const pour = (): void => {
    while (sentBytes < totalBytes) {
      sentBytes += block.length;
      if (!writer.write(block)) return;
    }
  };
  writer.on('drain', pour);
  pour();
  let seenBytes = -1;
  for (let still = 0; still < 50; still = seenBytes === sentBytes ? still + 1 : 0) {
    seenBytes = sentBytes;
    await turns(2);
  }
  assert.ok(sentBytes < totalBytes, `${sentBytes} bytes were taken though nobody read`);
  let readBytes = 0;
  reader.removeAllListeners('data');
  reader.on('data', (chunk: Buffer) => {
    readBytes += chunk.length;
  });
  reader.resume();
  await until(() => readBytes >= totalBytes);
}

test('a request reaches the upstream and its answer the client, each with what the hop adds', async () => {
  await using it = await Proxied.open();
  const client = await it.ask(get('/a%2F?b', 'Accept: */*\r\nconnection: keep-alive\r\n'));
  const server = await it.upstream.connection();
  assert.equal(
    await server.head(),
    'GET /a%2F?b HTTP/1.1\r\nhost: example.com\r\nAccept: */*\r\n' +
      'x-forwarded-for: 127.0.0.1\r\nx-forwarded-proto: http\r\nx-forwarded-host: example.com\r\nvia: 1.1 me\r\n\r\n',
  );
  server.write('HTTP/1.1 200 OK\r\nDate: now\r\nX-A: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok');
  assert.equal(
    await client.take('ok'),
    'HTTP/1.1 200 OK\r\nDate: now\r\nX-A: 1\r\nContent-Length: 2\r\nvia: 1.1 me\r\n\r\nok',
  );
});

test('one client connection after another uses the same upstream connection', async () => {
  await using it = await Proxied.open();
  for (let i = 0; i < 3; i += 1) {
    const client = await it.ask(get());
    const server = it.upstream.accepted[0] ?? (await it.upstream.connection());
    await server.answer();
    await client.take('ok');
  }
  assert.equal(it.upstream.accepted.length, 1);
});

test('HEAD keeps the length of what GET would answer; 204 and 304 have no body', async () => {
  await using it = await Proxied.open();
  const client = await it.ask(get().replace('GET', 'HEAD'));
  const server = await it.upstream.connection();
  await server.head();
  server.write('HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n');
  assert.match(await client.head(), /content-length: 1234\r\n/);
  for (const line of ['204 No Content', '304 Not Modified']) {
    client.write(get());
    await server.head();
    server.write(`HTTP/1.1 ${line}\r\netag: "x"\r\n\r\n`);
    assert.match(await client.head(), new RegExp(`^HTTP/1.1 ${line}\r\netag: "x"\r\n`));
  }
  assert.equal(client.received, '');
});

test('chunked bodies and their trailers pass in both directions', async () => {
  await using it = await Proxied.open();
  const client = await it.ask('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntrailer: x-up\r\n\r\n');
  const server = await it.upstream.connection();
  assert.match(await server.head(), /transfer-encoding: chunked\r\n/);
  client.write('3\r\nabc\r\n');
  assert.equal(await server.take('abc\r\n'), '3\r\nabc\r\n');
  client.write('0\r\nx-up: 1\r\n\r\n');
  assert.equal(await server.take('\r\n\r\n'), '0\r\nx-up: 1\r\n\r\n');
  server.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-down\r\n\r\n2\r\nde\r\n');
  assert.match(await client.take('2\r\nde\r\n'), /transfer-encoding: chunked\r\n/);
  server.write('0\r\nx-down: 1\r\n\r\n');
  assert.equal(await client.take('\r\n\r\n'), '0\r\nx-down: 1\r\n\r\n');
});

test('a chunked request that came whole keeps its trailers too', async () => {
  await using it = await Proxied.open();
  await it.ask('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-up: 1\r\n\r\n');
  const server = await it.upstream.connection();
  assert.match(await server.head(), /transfer-encoding: chunked\r\n/);
  assert.equal(await server.take('\r\n\r\n'), '3\r\nabc\r\n0\r\nx-up: 1\r\n\r\n');
});

test('a small body occupies no upstream connection until it is here; a large one streams', async () => {
  await using it = await Proxied.open({}, { gatherMaxBytes: 10 });
  const slow = await it.ask('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc');
  await turns();
  assert.equal(it.upstream.accepted.length, 0);
  slow.write('def');
  const server = await it.upstream.connection();
  assert.match(await server.take('abcdef'), /content-length: 6\r\n\r\nabcdef$/);
  const large = await it.ask('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 11\r\n\r\nabc');
  const other = await it.upstream.connection();
  assert.match(await other.take('abc'), /content-length: 11\r\n\r\nabc$/);
  large.write('defghijk');
  await other.take('defghijk');
});

test('early hints pass on, and 100 is each hop’s own', async () => {
  await using it = await Proxied.open();
  const client = await it.ask('PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n');
  const server = await it.upstream.connection();
  assert.match(await server.head(), /expect: 100-continue\r\n/);
  server.write('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nconnection: x\r\nx: y\r\n\r\n');
  assert.equal(await client.head(), 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n');
  server.write('HTTP/1.1 100 Continue\r\n\r\n');
  assert.equal(await client.head(), 'HTTP/1.1 100 Continue\r\n\r\n');
  client.write('abc');
  await server.take('abc');
  server.write(OK);
  assert.equal(await status(client), 200);
});

test('a refusal reaches a client that waits for 100 before it has sent its body', async () => {
  await using it = await Proxied.open();
  const client = await it.ask('PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n');
  const server = await it.upstream.connection();
  await server.head();
  server.write('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n');
  assert.equal(await status(client), 401);
});

test('each way an upstream fails has its status', async () => {
  await using it = await Proxied.open({ timeouts: { headMs: 1000 } });
  const client = await it.ask(get());
  const cut = await it.upstream.connection();
  await cut.head();
  cut.socket.end();
  assert.equal(await status(client), 502);
  await client.take('answered.\n');

  client.write(get());
  const invalid = await it.upstream.connection();
  await invalid.head();
  invalid.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n');
  assert.equal(await status(client), 502);
  await client.take('\n');

  client.write(get());
  const silent = await it.upstream.connection();
  await silent.head();
  it.clock.advance(1500);
  assert.equal(await status(client), 504);
  await silent.closed();

  await using dead = await Proxied.open({ endpoints: [await deafUrl()] });
  assert.equal(await status(await dead.ask(get())), 502);
});

test('an answer that breaks off breaks off at the client: it never looks complete (RFC 9112 §8)', async () => {
  for (const fields of ['content-length: 10\r\n', 'transfer-encoding: chunked\r\n']) {
    await using it = await Proxied.open();
    const client = await it.ask(get());
    const server = await it.upstream.connection();
    await server.head();
    server.write(`HTTP/1.1 200 OK\r\n${fields}\r\n3\r\nabc\r\n`);
    await client.take('abc\r\n');
    server.reset();
    await client.closed();
    assert.doesNotMatch(client.received, /0\r\n/);
  }
});

test('a request on a stale connection is sent again on a new one, though another idle one is there', async () => {
  await using it = await Proxied.open();
  const retried: string[] = [];
  const stop = onEvent('upstream:retry', ({ code }) => retried.push(code));
  const clients = [await it.ask(get()), await it.ask(get())];
  const servers = [await it.upstream.connection(), await it.upstream.connection()];
  for (const server of servers) await server.answer();
  for (const client of clients) await client.take('ok');
  const client = await it.ask(get('/again'));
  const used = await Promise.race(servers.map(async (server) => [server, await server.head()] as const));
  assert.match(used[1], /^GET \/again /);
  used[0].socket.end();
  const fresh = await it.upstream.connection();
  assert.match(await fresh.answer('new'), /^GET \/again /);
  await client.take('new');
  stop();
  assert.deepEqual(retried, ['upstream-stale']);
});

test('a POST on a stale connection is not sent again', async () => {
  await using it = await Proxied.open();
  const client = await it.ask(get());
  const server = await it.upstream.connection();
  await server.answer();
  await client.take('ok');
  client.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc');
  await server.take('abc');
  server.socket.end();
  assert.equal(await status(client), 502);
  assert.equal(it.upstream.accepted.length, 1);
});

test('a client that leaves takes its upstream request with it', async () => {
  await using it = await Proxied.open();
  const early = await it.ask(get());
  const first = await it.upstream.connection();
  await first.head();
  early.reset();
  await first.closed();

  const late = await it.ask(get());
  const second = await it.upstream.connection();
  await second.head();
  second.write('HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\nabc');
  await late.take('abc');
  late.reset();
  await second.closed();

  const sending = await it.ask('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\nabc');
  const third = await it.upstream.connection();
  await third.take('abc');
  sending.reset();
  await third.closed();
  await until(() => it.group.status().endpoints[0]?.activeCount === 0);
});

test('a client that reads slowly holds the upstream', async () => {
  await using it = await Proxied.open();
  const client = await it.ask(get());
  const server = await it.upstream.connection();
  await server.head();
  client.socket.pause();
  const totalBytes = 64 * 1024 * 1024;
  server.write(`HTTP/1.1 200 OK\r\ncontent-length: ${totalBytes}\r\n\r\n`);
  await assertHeld(server.socket, client.socket, totalBytes);
});

test('an upstream that reads slowly holds the client', async () => {
  await using it = await Proxied.open();
  const totalBytes = 64 * 1024 * 1024;
  const client = await it.ask(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${totalBytes}\r\n\r\n`);
  const server = await it.upstream.connection();
  await server.head();
  server.socket.pause();
  await assertHeld(client.socket, server.socket, totalBytes);
});

test('a proxied body has no limit, unless a layer sets one', async () => {
  const post = `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 20000000\r\n\r\n`;
  await using open = await Proxied.open();
  await open.ask(post);
  assert.match(await (await open.upstream.connection()).head(), /content-length: 20000000\r\n/);
  await using limited = await Proxied.open({}, {}, (inner) =>
    Object.assign(
      (request: Parameters<typeof inner>[0]) => {
        if (request.incoming !== null) request.incoming.maxBytes = 1000;
        return inner(request);
      },
      { bodyMode: 'manual' } as const,
    ),
  );
  const client = await limited.ask(post);
  assert.equal(await status(client), 413);
  assert.equal(limited.upstream.accepted.length, 0);
});

test('a request that has been here before is 508, CONNECT and upgrades are 501', async () => {
  await using it = await Proxied.open();
  assert.equal(await status(await it.ask(get('/', 'via: 1.1 me\r\n'))), 508);
  assert.equal(await status(await it.ask('CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n')), 501);
  assert.equal(await status(await it.ask(get('/', 'connection: upgrade\r\nupgrade: websocket\r\n'))), 501);
  assert.equal(await status(await it.ask('OPTIONS * HTTP/1.1\r\nhost: a\r\nmax-forwards: 0\r\n\r\n')), 204);
  assert.equal(it.upstream.accepted.length, 0);
});

test('pipelined requests are answered in their order', async () => {
  await using it = await Proxied.open();
  const client = await it.ask(get('/1') + get('/2') + get('/3'));
  const server = await it.upstream.connection();
  for (const target of ['/1', '/2', '/3']) {
    assert.ok((await server.answer(target)).startsWith(`GET ${target} `));
    await client.take(`\r\n\r\n${target}`);
  }
});

test('an HTTP/1.0 client gets an answer that ends with its connection', async () => {
  await using it = await Proxied.open();
  const client = await it.ask('GET / HTTP/1.0\r\n\r\n');
  const server = await it.upstream.connection();
  assert.match(await server.head(), new RegExp(`host: 127.0.0.1:${it.upstream.port}\r\n.*via: 1\\.0 me`, 's'));
  server.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n');
  server.write('0\r\n\r\n');
  await client.closed();
  assert.match(client.received, /connection: close\r\n\r\nabc$/);
});

test('a 205 is passed on without content, however its upstream has framed that (RFC 9110 §15.3.6)', async () => {
  for (const framing of ['transfer-encoding: chunked\r\n\r\n0\r\n\r\n', 'content-length: 0\r\n\r\n']) {
    await using it = await Proxied.open();
    const client = await it.ask(get());
    const server = await it.upstream.connection();
    await server.head();
    server.write(`HTTP/1.1 205 Reset Content\r\n${framing}`);
    assert.match(await client.head(), /^HTTP\/1\.1 205 Reset Content\r\n[\s\S]*content-length: 0\r\n/);
  }
});

test('what a client says of itself in trailers does not reach the upstream', async () => {
  await using it = await Proxied.open();
  await it.ask(
    'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\nx-forwarded-for: 6.6.6.6\r\n\r\n',
  );
  const server = await it.upstream.connection();
  await server.head();
  assert.equal(await server.take('0\r\nx-sum: 1\r\n\r\n'), '3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n');
});
