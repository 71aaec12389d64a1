import assert from 'node:assert/strict';
import { once } from 'node:events';
import fc from 'fast-check';
import { eventually, turns } from '../support/wire.ts';
import { countOf } from './caller.ts';
import { LARGE_BYTES } from './origin.ts';
import { contract } from './proxied.ts';

contract(
  'a request arrives with its method, target and fields, and without what belongs to a connection',
  async (proxied) => {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'QUERY']) {
      const [status, text] = await proxied.answer({
        method,
        path: '/about',
        headers: { 'x-one': '1', cookie: 'a=1; b=2' },
      });
      const about: unknown = JSON.parse(text);
      assert.ok(
        status === 200 && typeof about === 'object' && about !== null && 'headers' in about && 'method' in about,
      );
      assert.equal(about.method, method);
      const headers = new Map(Object.entries(Object(about.headers)));
      assert.deepEqual([headers.get('x-one'), headers.get('cookie')], ['1', 'a=1; b=2']);
      assert.equal(headers.get('x-forwarded-for'), '127.0.0.1');
      for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'upgrade']) {
        if (name !== 'connection') assert.equal(headers.get(name), undefined, name);
      }
    }
  },
);

contract('HEAD, 204 and 304 have no body, and what follows is answered', async (proxied) => {
  const head = proxied.ask({ method: 'HEAD', path: '/about' });
  assert.equal((await head.head()).status, 200);
  assert.equal(await head.text(), '');
  for (const status of [204, 304]) assert.deepEqual(await proxied.answer({ path: `/${status}` }), [status, '']);
  assert.deepEqual(await proxied.answer({ method: 'POST', path: '/echo', body: 'ok' }), [200, 'ok']);
});

contract('trailers pass in both directions', async (proxied) => {
  const asked = proxied.ask({ method: 'POST', path: '/trailers', open: true, headers: { trailer: 'x-sum' } });
  asked.write('12');
  asked.end('3', { 'x-sum': '6' });
  assert.equal(await asked.text(), '123');
  assert.deepEqual(asked.trailers(), { 'x-got': '6' });
});

contract('informational answers pass', async (proxied) => {
  const asked = proxied.ask({ path: '/inform' });
  assert.equal(await asked.text(), 'informed');
  const [hints] = asked.informed;
  assert.deepEqual([hints?.status, hints?.headers.link], [103, '</style.css>']);
});

contract('an echo comes back while the request is still being sent', async (proxied) => {
  const asked = proxied.ask({ method: 'POST', path: '/echo', open: true });
  asked.write('first');
  const body = await asked.body();
  const [first]: Buffer[] = await once(body, 'data');
  assert.equal(String(first), 'first');
  body.pause();
  asked.end('last');
  assert.equal(await asked.text(), 'last');
});

contract('bodies are the same at the end as at the beginning, whatever their sizes and pieces', async (proxied) => {
  const shape = fc.array(fc.uint8Array({ maxLength: 40_000, size: 'max' }), { maxLength: 6, size: 'max' });
  await fc.assert(
    fc.asyncProperty(shape, fc.boolean(), async (pieces, whole) => {
      const expected = Buffer.concat(pieces);
      const asked = proxied.ask({ method: 'POST', path: '/echo', ...(whole ? { body: expected } : { open: true }) });
      const text = asked.text();
      if (!whole) {
        for (const piece of pieces) if (!asked.write(piece)) await asked.drained();
        asked.end();
      }
      assert.ok((await text) === expected.toString('latin1'));
    }),
    { numRuns: 5 },
  );
});

contract('an answer that does not wait for the request is passed on', async (proxied) => {
  const asked = proxied.ask({ method: 'POST', path: '/early', open: true });
  asked.write('begun');
  assert.equal((await asked.head()).status, 403);
  assert.equal(await asked.text(), 'no');
  asked.abort();
  assert.deepEqual(await proxied.answer({ method: 'POST', path: '/echo', body: 'on' }), [200, 'on']);
});

contract('an answer that breaks off at the origin breaks off for the client', async (proxied) => {
  const asked = proxied.ask({ path: '/cut' });
  assert.equal((await asked.head()).status, 200);
  await assert.rejects(asked.text());
  assert.deepEqual(await proxied.answer({ method: 'POST', path: '/echo', body: 'on' }), [200, 'on']);
  await eventually(() => proxied.activeCount === 0);
});

contract('a client that leaves takes its request with it', async (proxied) => {
  const asked = proxied.ask({ path: '/hang' });
  await eventually(() => proxied.origin.seen.hangingCount === 1, 'the request at the origin');
  asked.abort();
  await eventually(() => proxied.origin.seen.goneCount === 1, 'the end of the request at the origin');
  await eventually(() => proxied.activeCount === 0);
});

contract('a client that leaves in the middle of an answer takes it with it', async (proxied) => {
  const asked = proxied.ask({ path: '/large' });
  await once(await asked.body(), 'data');
  asked.abort();
  await eventually(() => proxied.activeCount === 0, 'the end of the exchange');
  assert.deepEqual(await proxied.answer({ method: 'POST', path: '/echo', body: 'on' }), [200, 'on']);
});

contract('a client that reads slowly holds the origin back', async (proxied) => {
  const { seen } = proxied.origin;
  const body = await proxied.ask({ path: '/large' }).body();
  body.pause();
  let before = -1;
  while (before !== seen.givenBytes) {
    before = seen.givenBytes;
    await turns(100);
  }
  assert.ok(seen.givenBytes < LARGE_BYTES, `${seen.givenBytes} bytes were taken for nobody`);
  assert.equal(await countOf(body), LARGE_BYTES);
});

contract('an origin that reads slowly holds the client back', async (proxied) => {
  const asked = proxied.ask({ method: 'POST', path: '/hold', open: true });
  let sentBytes = 0;
  const piece = Buffer.alloc(65_536);
  const sending = (async () => {
    for (; sentBytes < LARGE_BYTES; sentBytes += piece.length) if (!asked.write(piece)) await asked.drained();
    asked.end();
  })();
  let before = -1;
  while (before !== sentBytes) {
    before = sentBytes;
    await turns(100);
  }
  assert.ok(sentBytes < LARGE_BYTES, `${sentBytes} bytes were sent to nobody`);
  proxied.origin.seen.gate.resolve();
  assert.equal(await asked.text(), String(LARGE_BYTES));
  await sending;
});

contract('an upstream that is replaced and drained under load fails no request', async (proxied) => {
  let answers = 0;
  let over = false;
  const ask = async (): Promise<void> => {
    while (!over) {
      const text = 'x'.repeat(answers % 300);
      assert.deepEqual(await proxied.answer({ method: 'POST', path: '/echo', body: text }), [200, text]);
      answers += 1;
    }
  };
  const asking = Array.from({ length: 8 }, ask);
  await eventually(() => answers > 40);
  proxied.replace();
  await proxied.group.drain();
  assert.equal(proxied.group.status().phase, 'closed');
  const before = answers;
  await eventually(() => answers > before + 20);
  over = true;
  await Promise.all(asking);
});
