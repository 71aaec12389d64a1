import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { proxy, reply, router, type Server, serve, upstream } from '../../src/index.ts';

const run = promisify(execFile);

/** A proxy before an upstream that tells what it received. */
async function proxied(context: TestContext): Promise<{ url: string; server: Server; backend: Server }> {
  const backend = await serve({
    listeners: [{ bind: '127.0.0.1:0', body: 'manual' }],
    handler: router({ body: 'manual' })
      .get('/hello', () => reply.text('hello'))
      .get('/large', () => reply.bytes(Buffer.alloc(5_000_000, 'x')))
      .all('/digest', async (request) => {
        const hash = createHash('sha256');
        let bytes = 0;
        for await (const chunk of request) {
          hash.update(chunk);
          bytes += chunk.length;
        }
        return reply.json({ method: request.method, bytes, sha256: hash.digest('hex') });
      }),
  });
  const group = upstream({ endpoints: [`http://127.0.0.1:${backend.listeners[0]?.address.port}`] });
  const server = await serve({ listeners: [{ bind: '127.0.0.1:0' }], handler: proxy(group) });
  context.after(async () => {
    await server.close();
    group.close();
    await backend.close();
  });
  return { url: `http://127.0.0.1:${server.listeners[0]?.address.port}`, server, backend };
}

async function curl(...args: string[]): Promise<string> {
  const { stdout } = await run('curl', ['-sS', '--max-time', '20', ...args], { maxBuffer: 20_000_000 });
  return stdout;
}

test('curl gets answers through the proxy, with keep-alive, HEAD and HTTP/1.0', async (context) => {
  const { url, server } = await proxied(context);
  assert.equal(await curl(`${url}/hello`, `${url}/hello`), 'hellohello');
  assert.equal(server.status().listeners[0]?.closed['client-closed'] ?? 0, 1, 'both went over one connection');
  assert.match(await curl('-I', `${url}/hello`), /^HTTP\/1\.1 200 OK\r\n[\s\S]*content-length: 5\r\n/i);
  assert.equal(await curl('--http1.0', `${url}/hello`), 'hello');
  assert.equal((await curl(`${url}/large`)).length, 5_000_000);
});

test('curl sends bodies of every framing through the proxy, byte for byte', async (context) => {
  const { url } = await proxied(context);
  const file = join(tmpdir(), `sluice-upload-${process.pid}`);
  const body = randomBytes(3_000_000);
  writeFileSync(file, body);
  context.after(() => rmSync(file));
  const sha256 = createHash('sha256').update(body).digest('hex');
  const ways = [
    ['--data-binary', `@${file}`],
    ['-T', file],
    ['-T', file, '-H', 'transfer-encoding: chunked'],
    ['-T', file, '-H', 'expect: 100-continue'],
    ['-T', file, '-H', 'transfer-encoding: chunked', '-H', 'expect: 100-continue'],
  ];
  for (const way of ways) {
    const told = JSON.parse(await curl(...way, `${url}/digest`));
    assert.deepEqual([told.bytes, told.sha256], [body.length, sha256], way.join(' '));
  }
});

test('h2load in HTTP/1.1 mode loses no request to a proxy that answers on kept connections', async (context) => {
  const { url, backend } = await proxied(context);
  const { stdout } = await run('h2load', ['--h1', '-n', '4000', '-c', '20', `${url}/hello`]);
  assert.match(stdout, /4000 total, 4000 started, 4000 done, 4000 succeeded, 0 failed, 0 errored, 0 timeout/);
  assert.equal(backend.status().requests.served, 4000);
  const connections = backend.status().connections.total;
  assert.ok(connections < 40, `${connections} upstream connections for 20 clients`);
});
