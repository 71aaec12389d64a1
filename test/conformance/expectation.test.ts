import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../src/core/failure.ts';
import { turns } from '../support/wire.ts';
import { assertRefused, POST, Served } from './served.ts';

const EXPECTING = `${POST}expect: 100-continue\r\n`;

test('100 Continue is sent when the handler first reads the body (RFC 9110 §10.1.1)', async (t) => {
  const gate = Promise.withResolvers<void>();
  const served = await Served.start(
    t,
    async (request) => {
      await gate.promise;
      const first = request.text();
      return { status: 200, body: `${await first} ${await request.text()}` };
    },
    {},
    { body: 'manual' },
  );
  for (const framing of ['content-length: 5\r\n', 'transfer-encoding: chunked\r\n']) {
    const wire = await served.send(`${EXPECTING}${framing}\r\n`);
    await served.doing('in-flight');
    await turns(10);
    if (framing.startsWith('c')) assert.equal(wire.unread, '');
    gate.resolve();
    assert.equal((await wire.response()).head, 'HTTP/1.1 100 Continue');
    wire.write(framing.startsWith('c') ? 'hello' : '5\r\nhello\r\n0\r\n\r\n');
    const response = await wire.response();
    assert.deepEqual([response.body, response.get('connection')], ['hello hello', null]);
    wire.socket.destroy();
    await served.doing('idle', 0);
  }
});

test('the expectation is read without regard to case, and a body mode of auto reads at once', async (t) => {
  const served = await Served.start(t, async (request) => ({ status: 200, body: await request.text() }));
  const wire = await served.send(`${POST}Expect: 100-Continue\r\ncontent-length: 2\r\n\r\n`);
  assert.equal((await wire.response()).status, 100);
  wire.write('ok');
  assert.equal((await wire.response()).body, 'ok');
});

test('no 100 is sent when the answer needs no body, and the connection ends with it (RFC 9110 §10.1.1)', async (t) => {
  const served = await Served.start(t, () => ({ status: 403, body: 'no' }), {}, { body: 'manual' });
  const response = await served.lastAnswer(`${EXPECTING}content-length: 5\r\n\r\n`);
  assert.deepEqual([response.status, response.body], [403, 'no']);
});

test('no 100 is sent when the body is here already (RFC 9110 §10.1.1)', async (t) => {
  const served = await Served.start(t, async (request) => ({ status: 200, body: await request.text() }));
  const wire = await served.send(`${EXPECTING}content-length: 5\r\n\r\nhello`);
  assert.deepEqual([(await wire.response()).status, wire.unread], [200, '']);
  wire.write(`${EXPECTING}content-length: 5\r\n\r\nhe`);
  await served.doing('in-flight');
  wire.write('llo');
  assert.equal((await wire.response()).body, 'hello');
  wire.write(`${EXPECTING}content-length: 0\r\n\r\n`);
  assert.equal((await wire.response()).status, 200);
});

test('a body that is over the limit is refused before the client sends it', async (t) => {
  const served = await Served.start(t, async (request) => ({ status: 200, body: await request.text() }), {
    bodyMaxBytes: 10,
  });
  const response = await served.lastAnswer(`${EXPECTING}content-length: 11\r\n\r\n`);
  assert.equal(response.status, 413);
});

test('a body that is the answer is asked for before the answer begins', async (t) => {
  const served = await Served.start(t, (request) => ({ status: 200, body: request.incoming }), {}, { body: 'manual' });
  const wire = await served.send(`${EXPECTING}content-length: 5\r\n\r\n`);
  assert.equal((await wire.response()).status, 100);
  wire.write('hello');
  const response = await wire.response();
  assert.deepEqual([response.body, response.get('connection')], ['hello', null]);
});

test('any other expectation is 417 (RFC 9110 §10.1.1)', async (t) => {
  const served = await Served.start(t, () => ({ status: 200 }));
  for (const value of ['200-ok', '', '100-continue, other', '100-continue=1', '"100-continue"']) {
    await assertRefused(served, `${POST}expect: ${value}\r\ncontent-length: 2\r\n\r\nok`, 417);
  }
  await assertRefused(served, `${POST}expect: other\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nok`, 417);
});

test('an expectation in HTTP/1.0 is ignored (RFC 9110 §10.1.1)', async (t) => {
  const served = await Served.start(t, async (request) => ({ status: 200, body: await request.text() }));
  for (const value of ['100-continue', 'other']) {
    const wire = await served.send(`POST / HTTP/1.0\r\nexpect: ${value}\r\ncontent-length: 5\r\n\r\n`);
    await served.doing('in-flight');
    await turns(5);
    assert.equal(wire.unread, '');
    wire.write('hello');
    assert.equal((await wire.response()).body, 'hello');
  }
});

test('informational responses go ahead of the answer (RFC 9110 §15.2)', async (t) => {
  const served = await Served.start(t, async (request) => {
    request.inform({ status: 103, headers: { link: '</a.css>; rel=preload' } });
    await turns(3);
    request.inform({ status: 102 });
    return { status: 200, body: 'ok' };
  });
  const wire = await served.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.equal((await wire.response()).head, 'HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload');
  assert.equal((await wire.response()).head, 'HTTP/1.1 102 Processing');
  assert.equal((await wire.response()).body, 'ok');
  const old = await served.send('GET / HTTP/1.0\r\n\r\n');
  assert.equal((await old.response()).status, 200);
});

test('an informational response carries no framing and no injected line', async (t) => {
  const thrown: unknown[] = [];
  const served = await Served.start(t, (request) => {
    request.inform({
      status: 103,
      headers: { 'content-length': 5, 'transfer-encoding': 'chunked', connection: 'close', x: 'y' },
    });
    for (const wrong of [
      { status: 103, headers: { x: 'a\r\nb: c' } },
      { status: 200 },
      { status: 101 },
      { status: 99 },
      { status: 103.5 },
    ]) {
      try {
        request.inform(wrong);
      } catch (error) {
        thrown.push(error);
      }
    }
    return { status: 200, body: 'ok' };
  });
  const wire = await served.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.equal((await wire.response()).head, 'HTTP/1.1 103 Early Hints\r\nx: y');
  assert.equal((await wire.response()).body, 'ok');
  assert.equal(thrown.length, 5);
  for (const error of thrown) assert.ok(error instanceof TypeError);
});

test('informing after the answer does nothing', async (t) => {
  const late = Promise.withResolvers<void>();
  const served = await Served.start(t, (request) => {
    setImmediate(() => {
      request.inform({ status: 103 });
      request.abort(new Failure('handler-failed'));
      late.resolve();
    });
    return { status: 200, body: 'ok' };
  });
  const wire = await served.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await wire.response();
  await late.promise;
  wire.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.equal((await wire.response()).status, 200);
});
