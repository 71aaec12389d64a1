import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IncomingBody } from '../../../src/core/body.ts';
import { Failure } from '../../../src/core/failure.ts';
import { HeaderFields } from '../../../src/core/headers.ts';
import { turns, until } from '../../upstream/scripted.ts';
import { ClientPair } from './client-peer.ts';

test('a request leaves with its fields and framing, and the answer comes back whole', async () => {
  await using pair = await ClientPair.open();
  const answer = pair.send({
    method: 'POST',
    target: '/a%2Fb?c',
    headers: HeaderFields.from({ 'X-One': '1' }),
    body: Buffer.from('hello'),
  });
  assert.equal(
    await pair.server.take('hello'),
    'POST /a%2Fb?c HTTP/1.1\r\nhost: example.com\r\nX-One: 1\r\ncontent-length: 5\r\n\r\nhello',
  );
  pair.server.write('HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok');
  await answer.come();
  assert.equal(answer.status, 201);
  assert.ok(answer.body instanceof Uint8Array, 'a body that came with its head is whole');
  assert.equal(await answer.text(), 'ok');
  assert.equal(pair.freeCount, 1);
});

test('a method that anticipates content says when it has none (RFC 9110 §8.6)', async () => {
  await using pair = await ClientPair.open();
  pair.send({ method: 'PUT' });
  assert.match(await pair.server.head(), /content-length: 0\r\n/);
  await using other = await ClientPair.open();
  other.send({ method: 'DELETE' });
  assert.doesNotMatch(await other.server.head(), /content-length/);
});

test('the connection is used again after an answer', async () => {
  await using pair = await ClientPair.open();
  for (const body of ['one', 'two', 'three']) {
    const answer = pair.send();
    await pair.server.answer(body);
    assert.equal(await answer.text(), body);
  }
  assert.equal(pair.freeCount, 3);
  assert.ok(pair.connection.reused);
});

test('answers to HEAD, 204 and 304 have no body whatever their fields say (RFC 9112 §6.3)', async () => {
  await using pair = await ClientPair.open();
  for (const [method, line] of [
    ['HEAD', '200 OK'],
    ['GET', '204 No Content'],
    ['GET', '304 Not Modified'],
  ] as const) {
    const answer = await pair.exchange(`HTTP/1.1 ${line}\r\ncontent-length: 7\r\n\r\n`, { method });
    assert.equal(answer.body, null);
    assert.equal(answer.headers.get('content-length'), '7');
  }
  assert.equal(pair.freeCount, 3);
});

test('a chunked answer ends with its trailers (RFC 9112 §7.1)', async () => {
  await using pair = await ClientPair.open();
  const answer = await pair.exchange(
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 5\r\n\r\n',
  );
  assert.ok(answer.body instanceof IncomingBody);
  assert.ok(answer.body.complete, 'all of it came with the head');
  assert.equal(await answer.text(), 'abcde');
  assert.equal(answer.body.trailers?.get('x-sum'), '5');
  assert.equal(pair.freeCount, 1);
});

test('an answer without a length ends with the connection (RFC 9112 §6.3)', async () => {
  await using pair = await ClientPair.open();
  const answer = await pair.exchange('HTTP/1.1 200 OK\r\n\r\nall of it', {}, true);
  assert.equal(await answer.text(), 'all of it');
  assert.equal(pair.freeCount, 0);
});

test('what the server says about persistence is kept to (RFC 9112 §9.3)', async () => {
  const cases: readonly [head: string, free: number][] = [
    ['HTTP/1.1 200 OK\r\nconnection: close\r\n', 0],
    ['HTTP/1.1 200 OK\r\nConnection: foo, Close\r\n', 0],
    ['HTTP/1.0 200 OK\r\n', 0],
    ['HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n', 1],
    ['HTTP/1.1 200 OK\r\nkeep-alive: timeout=7, max=5\r\n', 1],
  ];
  for (const [head, freeCount] of cases) {
    await using pair = await ClientPair.open();
    const answer = await pair.exchange(`${head}content-length: 2\r\n\r\nok`);
    assert.equal(await answer.text(), 'ok');
    assert.equal(pair.freeCount, freeCount, head);
    if (freeCount === 0) assert.equal(pair.closeReason, 'keep-alive-off');
    if (head.includes('timeout')) assert.equal(pair.connection.keepAliveMs, 7000);
  }
});

test('informational answers are told, and are not the answer (RFC 9110 §15.2)', async () => {
  await using pair = await ClientPair.open();
  const answer = await pair.exchange(
    'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
  );
  assert.deepEqual(answer.informed, [103, 102]);
  assert.equal(answer.status, 200);
});

test('a switch of protocols that nobody asked for is refused (RFC 9110 §15.2.2)', async () => {
  await using pair = await ClientPair.open();
  const answer = await pair.exchange('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n');
  assert.equal(answer.code(), 'upstream-invalid');
  assert.equal(pair.closeReason, 'invalid-answer');
});

test('bytes or an end while idle close the connection at once', async () => {
  await using pair = await ClientPair.open();
  pair.server.write('HTTP/1.1 408 Request Timeout\r\n\r\n');
  await until(() => pair.closeReason === 'unexpected-bytes');
  await using other = await ClientPair.open();
  other.server.socket.end();
  await until(() => other.closeReason === 'peer-closed');
});

test('bytes after an answer close the connection: they could be taken for the next answer', async () => {
  await using pair = await ClientPair.open();
  const answer = await pair.exchange('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n');
  assert.equal(await answer.text(), 'ok');
  assert.equal(pair.freeCount, 0);
  assert.equal(pair.closeReason, 'unexpected-bytes');
});

test('a connection that ends before any byte of the answer is stale when it was reused, else reset', async () => {
  await using fresh = await ClientPair.open();
  const first = fresh.send();
  await fresh.server.head();
  fresh.server.socket.end();
  assert.equal((await first.come()).failure?.code, 'upstream-reset');

  for (const cut of ['end', 'reset'] as const) {
    await using reused = await ClientPair.open();
    const before = reused.send();
    await reused.server.answer();
    await before.come();
    const answer = reused.send();
    await reused.server.head();
    if (cut === 'end') reused.server.socket.end();
    else reused.server.reset();
    assert.equal((await answer.come()).failure?.code, 'upstream-stale');
  }
});

test('a connection that ends in the middle of an answer truncates it', async () => {
  await using inHead = await ClientPair.open();
  assert.equal((await inHead.exchange('HTTP/1.1 200 O', {}, true)).failure?.code, 'upstream-truncated');
  await using afterInform = await ClientPair.open();
  const informed = await afterInform.exchange('HTTP/1.1 103 Early Hints\r\n\r\n', {}, true);
  assert.equal(informed.failure?.code, 'upstream-truncated');
  for (const fields of ['content-length: 10', 'transfer-encoding: chunked']) {
    await using pair = await ClientPair.open();
    const answer = await pair.exchange(`HTTP/1.1 200 OK\r\n${fields}\r\n\r\n5\r\nab`, {}, true);
    await assert.rejects(answer.text(), (error) => error instanceof Failure && error.code === 'upstream-truncated');
  }
});

test('an answer whose length is ambiguous or whose syntax is wrong is refused (RFC 9112 §11.2)', async () => {
  const answers = [
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-2\r\nab\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\ncontent-length: 2\n\nok',
    'HTTP/1.1 200 OK\r\nbad name: 1\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/1.1 999 Weird\r\ncontent-length: 0\r\n\r\n',
    'HTTP/2 200\r\n\r\n',
    'SSH-2.0-OpenSSH\r\n',
  ];
  for (const bytes of answers) {
    await using pair = await ClientPair.open();
    const answer = await pair.exchange(bytes);
    assert.equal(answer.code(), 'upstream-invalid', JSON.stringify(bytes));
    assert.equal(pair.closeReason, 'invalid-answer');
  }
});

test('a chunk that is wrong after the head was handed on breaks the body', async () => {
  await using pair = await ClientPair.open();
  const answer = await pair.exchange('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n');
  assert.equal(answer.status, 200);
  pair.server.write('zz\r\n');
  await assert.rejects(answer.text(), (error) => error instanceof Failure && error.code === 'upstream-invalid');
});

test('the head of an answer is bounded', async () => {
  const limits = { headMaxBytes: 6000, headerMaxCount: 3 };
  for (const head of [`x: ${'y'.repeat(7000)}\r\n`, 'a: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\n']) {
    await using pair = await ClientPair.open(limits);
    const answer = await pair.exchange(`HTTP/1.1 200 OK\r\n${head}\r\n`);
    assert.equal(answer.code(), 'upstream-invalid');
  }
  await using drip = await ClientPair.open(limits);
  const answer = drip.send();
  await drip.server.head();
  for (let i = 0; i < 10 && answer.failure === null; i += 1) {
    drip.server.write(i === 0 ? 'HTTP/1.1 200 OK\r\nx: ' : 'y'.repeat(1000));
    await turns();
  }
  assert.equal((await answer.come()).failure?.code, 'upstream-invalid');
});

test('a reader that is slow stops the server, and nothing grows meanwhile', async () => {
  await using pair = await ClientPair.open();
  const total = 64 * 1024 * 1024;
  const answer = await pair.exchange(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`);
  const block = Buffer.alloc(1024 * 1024, 'x');
  let sentBytes = 0;
  pair.server.socket.on('drain', () => pour());
  const pour = (): void => {
    while (sentBytes < total) {
      sentBytes += block.length;
      if (!pair.server.socket.write(block)) return;
    }
  };
  pour();
  assert.ok(answer.body instanceof IncomingBody);
  const { body } = answer;
  await until(() => body.heldBytes > 65_536);
  await turns(200);
  assert.ok(body.heldBytes < 1024 * 1024, `${body.heldBytes} bytes are held`);
  assert.ok(sentBytes < total / 2, 'the server has been stopped');
  let readBytes = 0;
  for await (const chunk of body) readBytes += chunk.length;
  assert.equal(readBytes, total);
  assert.equal(pair.freeCount, 1);
});

test('a body that nobody reads on is thrown away when little is left, else the connection is closed', async () => {
  await using pair = await ClientPair.open();
  const small = await pair.exchange('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc');
  assert.ok(small.body instanceof IncomingBody);
  small.body.cancel();
  pair.server.write('defghij');
  await until(() => pair.freeCount === 1);
  const large = await pair.exchange('HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nabc');
  assert.ok(large.body instanceof IncomingBody);
  large.body.cancel();
  assert.equal(pair.closeReason, 'aborted');
});

test('an abort closes the connection; one that comes after the exchange does nothing', async () => {
  await using pair = await ClientPair.open();
  const done = pair.send();
  await pair.server.answer();
  await done.come();
  pair.connection.abort(done, new Failure('client-gone'));
  assert.equal(pair.closeReason, null);
  const answer = pair.send();
  await pair.server.head();
  pair.connection.abort(answer, new Failure('client-gone'));
  await pair.server.closed();
  assert.equal(answer.failure, null, 'who aborts is not told');
  assert.equal(pair.closeReason, 'aborted');
});

test('a drain lets the exchange finish and closes what is idle', async () => {
  await using idle = await ClientPair.open();
  idle.pool.drain();
  assert.equal(idle.closeReason, 'drain');
  await using busy = await ClientPair.open();
  const answer = busy.send();
  await busy.server.head();
  busy.pool.drain();
  busy.server.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
  assert.equal(await answer.text(), 'ok');
  assert.equal(busy.freeCount, 0);
  assert.equal(busy.closeReason, 'drain');
});

test('a forced close fails the request in flight', async () => {
  await using pair = await ClientPair.open();
  const answer = pair.send();
  await pair.server.head();
  pair.pool.close();
  assert.equal(answer.code(), 'server-draining');
});

test('an answer that nobody reads does not keep its connection for ever', async () => {
  await using pair = await ClientPair.open({ bodyTimeoutMs: 500 });
  const answer = pair.send();
  await pair.server.head();
  pair.server.write(`HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n${'x'.repeat(400_000)}`);
  await answer.come();
  await until(() => answer.body instanceof IncomingBody && answer.body.heldBytes > 65_536);
  pair.connection.sweep(0);
  pair.connection.sweep(500);
  assert.equal(pair.closeReason, 'timeout');
});

test('100 Continue that nobody waits for does not restart the deadline of the head', async () => {
  await using pair = await ClientPair.open({ headTimeoutMs: 500 });
  const answer = pair.send();
  await pair.server.head();
  for (let nowMs = 0; nowMs < 500; nowMs += 100) {
    pair.connection.sweep(nowMs);
    pair.server.write('HTTP/1.1 100 Continue\r\n\r\n');
    await turns(5);
  }
  pair.connection.sweep(500);
  assert.equal(answer.code(), 'upstream-head-timeout');
});
