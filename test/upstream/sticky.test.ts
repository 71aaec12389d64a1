import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderFields } from '../../src/core/headers.ts';
import type { UpstreamOptions } from '../../src/upstream/options.ts';
import type { RequestParts } from '../support/request.ts';
import { Answering } from './answering.ts';
import { Asking } from './asking.ts';
import { until } from './scripted.ts';

/** Servers, and a client that keeps its cookies. */
class Visiting implements AsyncDisposable {
  readonly servers: readonly Answering[];
  readonly it: Asking;
  cookie = '';

  private constructor(servers: readonly Answering[], options: Partial<UpstreamOptions>) {
    this.servers = servers;
    this.it = new Asking({ endpoints: servers.map(({ url }) => url), balance: { sticky: {} }, ...options });
  }

  static async open(count: number, options: Partial<UpstreamOptions> = {}): Promise<Visiting> {
    return new Visiting(await Promise.all(Array.from({ length: count }, () => Answering.listen())), options);
  }

  /** Asks once. Returns by which server it was answered, and the cookie that was set; `null`: none. */
  async visit(parts: RequestParts = {}): Promise<[index: number, setCookie: string | null]> {
    const before = this.servers.map(({ hitCount }) => hitCount);
    const headers = this.cookie === '' ? {} : { cookie: `other=1; ${this.cookie}` };
    const response = await this.it.send('GET', '/', { headers, ...parts });
    const set = HeaderFields.from(response.headers).get('set-cookie');
    if (set !== null) this.cookie = set.split(';')[0] ?? '';
    return [this.servers.findIndex(({ hitCount }, index) => hitCount > (before[index] ?? 0)), set];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.it[Symbol.dispose]();
    for (const server of this.servers) await server.stop();
  }
}

test('the first answer sets a cookie, and later requests go where it came from', async () => {
  await using it = await Visiting.open(3);
  const [home, set] = await it.visit();
  assert.match(set ?? '', /^sluice-endpoint=[\w-]{16}; Path=\/; HttpOnly; SameSite=Lax$/);
  for (let index = 0; index < 5; index += 1) assert.deepEqual(await it.visit(), [home, null]);
});

test('over TLS the cookie is for TLS only', async () => {
  await using it = await Visiting.open(1);
  const [, set] = await it.visit({ peer: { secure: true } });
  assert.match(set ?? '', /; Secure$/);
});

test('the cookie reveals no address, and nobody can make one without the secret', async () => {
  await using it = await Visiting.open(1);
  const [, set] = await it.visit();
  const port = it.servers[0]?.url.split(':').at(-1) ?? '';
  const decoded = Buffer.from(it.cookie.split('=')[1] ?? '', 'base64url').toString('latin1');
  for (const text of [set ?? '', decoded]) assert.doesNotMatch(text, new RegExp(`127\\.0\\.0\\.1|${port}`));
  const value = (secret: string) => async (): Promise<string> => {
    const url = it.servers[0]?.url ?? '';
    using asking = new Asking({ endpoints: [url], balance: { sticky: { secret } } });
    return HeaderFields.from((await asking.send('GET')).headers).get('set-cookie') ?? '';
  };
  const [one, same, other] = [
    await value('s'.repeat(16))(),
    await value('s'.repeat(16))(),
    await value('t'.repeat(16))(),
  ];
  assert.equal(one, same);
  assert.notEqual(one, other);
  assert.throws(
    () => new Asking({ endpoints: ['http://a'], balance: { sticky: { secret: 'short' } } }),
    /16 characters/,
  );
});

test('a cookie that nobody has made is replaced', async () => {
  await using it = await Visiting.open(2);
  it.cookie = 'sluice-endpoint=forged';
  const [, set] = await it.visit();
  assert.notEqual(set, null);
});

test('a client whose endpoint leaves, or stands badly, belongs to the one that answers it then', async () => {
  await using it = await Visiting.open(3, { health: { passive: { failureCount: 1 } } });
  const [home] = await it.visit();
  const url = it.servers[home]?.url ?? '';
  await it.it.group.drain(url);
  const [second, moved] = await it.visit();
  assert.notEqual(second, home);
  assert.notEqual(moved, null);
  assert.deepEqual(await it.visit(), [second, null]);
  const server = it.servers[second];
  assert.ok(server !== undefined);
  server.status = 500;
  assert.deepEqual(await it.visit(), [second, null]);
  const [third, again] = await it.visit();
  assert.ok(third !== second && third !== home && again !== null);
});

test('an endpoint that is back before it has gone keeps its clients', async () => {
  await using it = await Visiting.open(1);
  await it.visit();
  const [server] = it.servers;
  assert.ok(server !== undefined);
  const held: (() => void)[] = [];
  server.instead = (_request, response) => void held.push(() => response.end());
  const running = it.it.status();
  await until(() => held.length === 1);
  it.it.group.update(['http://127.0.0.1:1']);
  it.it.group.update([server.url]);
  for (const answer of held) answer();
  await running;
  server.instead = null;
  await until(() => it.it.group.endpoints().length === 1);
  assert.deepEqual(await it.visit(), [0, null]);
});

test('an endpoint that is only busy, or fails once, keeps its clients', async () => {
  await using it = await Visiting.open(2, { retry: {} });
  const [home] = await it.visit();
  const server = it.servers[home];
  assert.ok(server !== undefined);
  server.status = 503;
  const [other, set] = await it.visit();
  // It was asked first.
  assert.equal(server.hitCount, 2);
  assert.equal(set, null);
  server.status = 200;
  assert.deepEqual(await it.visit(), [home, null]);
  assert.ok(other >= 0);
});
