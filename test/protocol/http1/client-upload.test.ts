import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BodyOwner, IncomingBody } from '../../../src/core/body.ts';
import { Failure } from '../../../src/core/failure.ts';
import { HeaderFields } from '../../../src/core/headers.ts';
import { turns, until } from '../../upstream/scripted.ts';
import { ClientPair } from './client-peer.ts';

/** A request body that a test gives piece by piece, and what is asked of its owner. */
class Source implements BodyOwner {
  held = false;
  abandoned = false;
  readonly body: IncomingBody;

  constructor(lengthBytes: number | null) {
    this.body = new IncomingBody(this, lengthBytes, null);
  }

  demand(): void {
    this.held = false;
  }

  hold(): void {
    this.held = true;
  }

  abandon(): void {
    this.abandoned = true;
  }

  push(text: string): void {
    this.body.push(Buffer.from(text, 'latin1'));
  }
}

test('a body of a known length is sent as it comes', async () => {
  await using pair = await ClientPair.open();
  const source = new Source(6);
  source.push('abc');
  pair.send({ method: 'POST', body: source.body });
  assert.equal(
    await pair.server.take('abc'),
    'POST / HTTP/1.1\r\nhost: example.com\r\ncontent-length: 6\r\n\r\nabc',
    'what has arrived leaves with the head',
  );
  source.push('def');
  source.body.finish(null);
  assert.equal(await pair.server.take('def'), 'def');
});

test('a body of an unknown length is sent in chunks, with its trailers (RFC 9112 §7.1)', async () => {
  await using pair = await ClientPair.open();
  const source = new Source(null);
  const answer = pair.send({ method: 'POST', body: source.body });
  assert.match(await pair.server.head(), /transfer-encoding: chunked\r\n/);
  source.push('abc');
  assert.equal(await pair.server.take('abc\r\n'), '3\r\nabc\r\n');
  source.body.finish(HeaderFields.from({ 'x-sum': '3' }));
  assert.equal(await pair.server.take('\r\n\r\n'), '0\r\nx-sum: 3\r\n\r\n');
  pair.server.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  await answer.come();
  assert.equal(pair.freeCount, 1);
});

test('a large body that is here already leaves in one go', async () => {
  await using pair = await ClientPair.open();
  const text = 'x'.repeat(100_000);
  pair.send({ method: 'POST', body: Buffer.from(`${text}end`) });
  assert.match(await pair.server.take('end'), /content-length: 100003\r\n\r\nx{100000}end$/);
});

test('a server that takes nothing holds the client', async () => {
  await using pair = await ClientPair.open();
  const source = new Source(null);
  pair.send({ method: 'POST', body: source.body });
  await pair.server.head();
  pair.server.socket.pause();
  const piece = 'x'.repeat(262_144);
  for (let i = 0; i < 200 && !source.held; i += 1) {
    source.push(piece);
    await turns(2);
  }
  assert.ok(source.held, 'the client is asked to wait');
  pair.server.socket.resume();
  await until(() => !source.held);
});

test('a body that breaks off is never finished: the server sees the connection end (RFC 9112 §8)', async () => {
  for (const lengthBytes of [null, 100]) {
    await using pair = await ClientPair.open();
    const source = new Source(lengthBytes);
    const answer = pair.send({ method: 'POST', body: source.body });
    source.push('abc');
    await pair.server.take('abc');
    source.body.fail(new Failure('body-truncated'));
    await pair.server.closed();
    assert.doesNotMatch(pair.server.received, /0\r\n\r\n/);
    assert.equal(answer.code(), 'body-truncated');
  }
});

test('a body that is longer than it said does not become a second request', async () => {
  await using pair = await ClientPair.open();
  const source = new Source(3);
  const answer = pair.send({ method: 'POST', body: source.body });
  source.push('abcGET /evil HTTP/1.1\r\n\r\n');
  await pair.server.closed();
  assert.doesNotMatch(pair.server.received, /evil/);
  assert.notEqual(answer.code(), null);
});

test('an early refusal stops the body; the answer is read, and the connection is not used again (RFC 9112 §9.5)', async () => {
  await using pair = await ClientPair.open();
  const source = new Source(1000);
  const answer = pair.send({ method: 'POST', body: source.body });
  source.push('abc');
  await pair.server.take('abc');
  pair.server.write('HTTP/1.1 413 Content Too Large\r\ncontent-length: 4\r\n\r\nno');
  await answer.come();
  assert.equal(answer.status, 413);
  assert.ok(source.abandoned, 'the client may stop sending');
  pair.server.write('pe');
  assert.equal(await answer.text(), 'nope');
  assert.equal(pair.freeCount, 0);
  assert.equal(pair.closeReason, 'answered-early');
});

test('a server may answer while it reads: both bodies go on', async () => {
  await using pair = await ClientPair.open();
  const source = new Source(null);
  const answer = pair.send({ method: 'POST', body: source.body });
  await pair.server.head();
  pair.server.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
  await answer.come();
  source.push('ping');
  await pair.server.take('ping\r\n');
  pair.server.write('4\r\npong\r\n');
  source.body.finish(null);
  await pair.server.take('0\r\n\r\n');
  pair.server.write('0\r\n\r\n');
  assert.equal(await answer.text(), 'pong');
  assert.equal(pair.freeCount, 1);
});

test('a held body is sent when the server asks for it (RFC 9110 §10.1.1)', async () => {
  await using pair = await ClientPair.open();
  const source = new Source(3);
  const answer = pair.send({ method: 'PUT', body: source.body, expectContinue: true });
  assert.match(await pair.server.head(), /expect: 100-continue\r\n/);
  await turns();
  assert.equal(source.body.used, false, 'the client has not been asked for it either');
  pair.server.write('HTTP/1.1 100 Continue\r\n\r\n');
  await until(() => source.body.used);
  source.push('abc');
  source.body.finish(null);
  await pair.server.take('abc');
  pair.server.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  await answer.come();
  assert.deepEqual(answer.informed, []);
  assert.equal(pair.freeCount, 1);
});

test('a held body is not sent after a final answer, and that connection is not used again', async () => {
  await using pair = await ClientPair.open();
  const source = new Source(3);
  const answer = await pair.exchange('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n', {
    method: 'PUT',
    body: source.body,
    expectContinue: true,
  });
  assert.equal(answer.status, 401);
  assert.equal(source.body.used, false);
  assert.equal(pair.closeReason, 'answered-early');
});

test('a held body is sent after a while to a server that does not know the expectation', async () => {
  await using pair = await ClientPair.open({ continueTimeoutMs: 1000 });
  const source = new Source(3);
  pair.send({ method: 'PUT', body: source.body, expectContinue: true });
  await pair.server.head();
  pair.connection.sweep(0);
  pair.connection.sweep(999);
  assert.equal(source.body.used, false);
  pair.connection.sweep(1000);
  assert.equal(source.body.used, true);
});

test('a server that does not answer is given up; informational answers win it no time', async () => {
  await using pair = await ClientPair.open({ headTimeoutMs: 500 });
  const answer = pair.send();
  await pair.server.head();
  pair.connection.sweep(0);
  pair.server.write('HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 20');
  await until(() => answer.informed.length === 1);
  pair.connection.sweep(499);
  assert.equal(answer.code(), null);
  pair.connection.sweep(500);
  assert.equal(answer.code(), 'upstream-head-timeout');
  assert.equal(pair.closeReason, 'timeout');
});

test('a server that stops in the middle of a body is given up; a slow reader is not the server’s fault', async () => {
  await using pair = await ClientPair.open({ bodyTimeoutMs: 500 });
  const answer = await pair.exchange('HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nabc');
  const { body } = answer;
  assert.ok(body instanceof IncomingBody);
  pair.connection.sweep(0);
  pair.server.write('d');
  await until(() => body.receivedBytes === 4);
  pair.connection.sweep(500);
  let failure: Error | null = null;
  const slow = {
    write: () => false,
    end: () => assert.fail('it is not complete'),
    fail(error: Error) {
      failure = error;
    },
  };
  body.consume(slow);
  await turns();
  pair.connection.sweep(1000);
  pair.connection.sweep(5000);
  pair.connection.sweep(9000);
  assert.equal(failure, null);
  body.resume();
  pair.connection.sweep(10_000);
  pair.connection.sweep(10_500);
  assert.ok(body.failure instanceof Failure && body.failure.code === 'upstream-body-timeout');
  assert.equal(failure, body.failure);
});

test('a server that takes no byte of a request is given up; a client that sends none is not its fault', async () => {
  await using pair = await ClientPair.open({ bodyTimeoutMs: 500, headTimeoutMs: 100 });
  const source = new Source(null);
  const answer = pair.send({ method: 'POST', body: source.body });
  await pair.server.head();
  pair.connection.sweep(0);
  pair.connection.sweep(10_000);
  pair.connection.sweep(20_000);
  assert.equal(answer.code(), null);
  pair.server.socket.pause();
  const piece = 'x'.repeat(262_144);
  for (let i = 0; i < 200 && !source.held; i += 1) {
    source.push(piece);
    await turns(2);
  }
  pair.connection.sweep(20_000);
  pair.connection.sweep(20_500);
  assert.equal(answer.code(), 'upstream-head-timeout');
  assert.ok(source.abandoned);
});
