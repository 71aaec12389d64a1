import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Handler } from '../../src/core/handler.ts';
import { eventually, turns } from '../support/wire.ts';
import { assertRefused, GET, type Limits, Served } from './served.ts';

const ok: Handler = ({ target, headers }) => ({ status: 200, body: `${target.length} ${headers.count}` });

/** A head of exactly this many bytes. */
function headOf(bytes: number): string {
  const frame = `${GET}x: \r\n\r\n`;
  return `${GET}x: ${'y'.repeat(bytes - frame.length)}\r\n\r\n`;
}

/** Writes in pieces of this many bytes. */
async function inPieces(served: Served, bytes: string, size: number) {
  const wire = await served.open();
  for (let at = 0; at < bytes.length; at += size) await wire.segment(bytes.slice(at, at + size));
  return wire;
}

test('a head may have 16 384 bytes, first byte of the request line to the empty line, and not one more (RFC 6585 §5)', async (t) => {
  const served = await Served.start(t, ok);
  for (const size of [20_000, 8000, 1000]) {
    const wire = await inPieces(served, headOf(16_384), size);
    assert.equal((await wire.response()).status, 200, `${size}`);
    wire.write(`\r\n\r\n\r\n${headOf(16_384)}${GET}\r\n`);
    assert.equal((await wire.response()).status, 200);
    assert.equal((await wire.response()).status, 200);
    const over = await inPieces(served, headOf(16_385), size);
    assert.equal((await over.response()).status, 431, `${size}`);
    assert.equal(await over.rest(), '');
  }
  await assertRefused(served, headOf(16_385), 431);
  await assertRefused(served, headOf(60_000), 431);
  await assertRefused(served, headOf(300_000), 431);
});

test('a head that is too large already is refused before it ends', async (t) => {
  const served = await Served.start(t, ok);
  await assertRefused(served, `${GET}x: ${'y'.repeat(17_000)}`, 431);
  await assertRefused(served, `${GET}${'x: y\r\n'.repeat(90)}x: ${'y'.repeat(17_000)}`, 431);
  await assertRefused(served, `GET / HTTP/1.1\r\n${'x'.repeat(17_000)}`, 431);
  await assertRefused(served, `GET /${'x'.repeat(17_000)}`, 414);
  await assertRefused(served, 'X'.repeat(17_000), 400);
});

test('a head may have 100 header lines, and not one more (RFC 6585 §5)', async (t) => {
  const served = await Served.start(t, ok);
  const head = (count: number): string => `${GET}${'x: y\r\n'.repeat(count - 1)}\r\n`;
  for (const size of [10_000, 100, 7]) {
    const wire = await inPieces(served, head(100), size);
    assert.equal((await wire.response()).body, '1 100');
    const over = await inPieces(served, head(101), size);
    assert.equal((await over.response()).status, 431);
  }
  await assertRefused(served, head(101), 431);
  await assertRefused(served, `${GET}${'x: y\r\n'.repeat(100)}`, 431);
});

test('a target may have 8192 bytes, and not one more (RFC 9110 §15.5.15)', async (t) => {
  const served = await Served.start(t, ok);
  const head = (bytes: number): string => `GET /${'x'.repeat(bytes - 1)} HTTP/1.1\r\nhost: a\r\n\r\n`;
  for (const size of [10_000, 4000, 300]) {
    const wire = await inPieces(served, head(8192), size);
    assert.equal((await wire.response()).body, '8192 1');
    const over = await inPieces(served, head(8193), size);
    assert.equal((await over.response()).status, 414);
  }
  await assertRefused(served, head(8193), 414);
  await assertRefused(served, head(20_000), 414);
  await assertRefused(served, `GET /${'x'.repeat(8192)}`, 414);
});

test('each of these limits can be set for a listener', async (t) => {
  const cases: [Limits, string, string, number][] = [
    [{ headMaxBytes: 100 }, headOf(100), headOf(101), 431],
    [{ headerMaxCount: 2 }, `${GET}x: y\r\n\r\n`, `${GET}x: y\r\nx: y\r\n\r\n`, 431],
    [{ targetMaxBytes: 3 }, 'GET /ab HTTP/1.1\r\nhost: a\r\n\r\n', 'GET /abc HTTP/1.1\r\nhost: a\r\n\r\n', 414],
  ];
  for (const [limits, within, over, status] of cases) {
    const served = await Served.start(t, ok, limits);
    const wire = await served.send(within);
    assert.equal((await wire.response()).status, 200);
    await assertRefused(served, over, status);
  }
});

test('one request in flight too many is 503 with retry-after, and its connection is kept (RFC 9110 §15.6.4)', async (t) => {
  const gate = Promise.withResolvers<void>();
  const served = await Served.start(t, () => gate.promise.then(() => ({ status: 200, body: 'ok' })), {
    requestMaxCount: 2,
  });
  const first = await served.send(`${GET}\r\n`);
  const second = await served.send(`${GET}\r\n`);
  await served.doing('in-flight', 2);
  const third = await served.send(`${GET}\r\n`);
  const refused = await third.response();
  assert.deepEqual([refused.status, refused.get('retry-after'), refused.get('connection')], [503, '1', null]);
  assert.match(refused.body, /^[^\n]+\n$/);
  assert.equal(served.server.status().requests.inFlight, 2);
  third.write(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello`);
  assert.equal((await third.response()).status, 503);
  gate.resolve();
  assert.equal((await first.response()).body, 'ok');
  assert.equal((await second.response()).body, 'ok');
  third.write(`${GET}\r\n`);
  assert.equal((await third.response()).body, 'ok');
  await eventually(() => served.server.status().requests.inFlight === 0);
});

test('requests in flight are counted once each, however their handlers end', async (t) => {
  const ways: Record<string, Handler> = {
    '/sync': () => ({ status: 200 }),
    '/async': async () => ({ status: 200 }),
    '/throw': () => {
      throw new Error('thrown');
    },
    '/reject': () => Promise.reject(new Error('rejected')),
    '/stream': () => ({ status: 200, body: ReadableStream.from(['a']) }),
    '/broken': () => ({
      status: 200,
      body: (async function* () {
        yield 'a';
        throw new Error('broken');
      })(),
    }),
    '/invalid': () => ({ status: 1000 }),
    '/timeout': () => new Promise(() => undefined),
    '/gone': () => new Promise(() => undefined),
  };
  const served = await Served.start(t, (request) => ways[request.target]?.(request) ?? { status: 404 }, {
    handlerTimeoutMs: 1000,
    requestMaxCount: 5,
  });
  for (let round = 0; round < 3; round += 1) {
    for (const target of Object.keys(ways)) {
      const wire = await served.send(`GET ${target} HTTP/1.1\r\nhost: a\r\n\r\n`);
      if (target === '/gone' || target === '/timeout') await served.doing('in-flight');
      if (target === '/gone') wire.socket.resetAndDestroy();
      else if (target === '/broken') await wire.rest();
      else {
        if (target === '/timeout') await served.pass(1500);
        assert.notEqual((await wire.response()).status, 503, target);
      }
      wire.socket.destroy();
      await served.empty();
    }
  }
  await turns(5);
  assert.equal(served.server.status().requests.served, 27);
});
