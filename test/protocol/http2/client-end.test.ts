import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IncomingBody } from '../../../src/core/body.ts';
import { Failure } from '../../../src/core/failure.ts';
import {
  CODE,
  data,
  END_HEADERS,
  frame,
  goaway,
  headers,
  rstStream,
  SETTING,
  TYPE,
  WHOLE,
} from '../../support/http2-frames.ts';
import { arrivingBody } from '../../support/request.ts';
import { turns, until } from '../../upstream/scripted.ts';
import { Http2Pair, resetOf, status } from './client-peer.ts';

test('a stream that the server refuses was surely not processed, and may be asked for elsewhere (RFC 9113 §8.7)', async () => {
  await using pair = await Http2Pair.open();
  const answer = await pair.exchange({}, rstStream(1, CODE.REFUSED_STREAM));
  assert.equal(answer.code(), 'upstream-refused');
  assert.equal(answer.failure?.retry, 'safe');
  assert.equal((await pair.exchange({}, headers(3, status(200)))).status, 200);
});

test('any other reset before the head may have been processed; after it the answer is cut off', async () => {
  await using pair = await Http2Pair.open();
  for (const [id, code] of [
    [1, CODE.INTERNAL_ERROR],
    [3, CODE.CANCEL],
    [5, CODE.NO_ERROR],
  ] as const) {
    assert.equal((await pair.exchange({}, rstStream(id, code))).code(), 'upstream-reset');
  }
  const begun = await pair.exchange({}, headers(7, status(200), END_HEADERS), data(7, 'half', 0));
  pair.server.send(rstStream(7, CODE.INTERNAL_ERROR));
  await assert.rejects(begun.text(), { code: 'upstream-truncated' });
  assert.equal(pair.connection.life.phase, 'accepting');
});

test('a reset after a complete answer ends the rest of the request, and nothing else (RFC 9113 §8.1)', async () => {
  await using pair = await Http2Pair.open();
  const body = arrivingBody();
  const answer = await pair.exchange({ method: 'POST', body }, headers(1, status(403), END_HEADERS), data(1, 'no'));
  assert.equal(answer.status, 403);
  assert.equal(await answer.text(), 'no');
  assert.ok(body.used && body.failure !== null, 'what is still to come is not wanted');
  pair.server.send(rstStream(1, CODE.NO_ERROR));
  assert.equal((await pair.exchange({}, headers(3, status(200)))).status, 200);
});

test('a server that has said itself that it wants no more of the request is not told so (RFC 9113 §8.1)', async () => {
  await using pair = await Http2Pair.open();
  const body = arrivingBody();
  const no = [headers(1, status(403), END_HEADERS), data(1, 'no'), rstStream(1, CODE.NO_ERROR)];
  const answer = await pair.exchange({ method: 'POST', body }, ...no);
  assert.deepEqual([answer.status, await answer.text()], [403, 'no']);
  assert.ok(body.failure !== null, 'what is still to come is not wanted');
  await pair.server.settled();
  assert.ok(!pair.server.unread.some(({ type }) => type === TYPE.RST_STREAM));
});

test('an answer with all of its length is complete when NO_ERROR ends it; a shorter one, or one without a length, is cut off', async () => {
  await using pair = await Http2Pair.open();
  const answered = (id: number, text: string, length: string | null) =>
    pair.exchange(
      {},
      headers(id, length === null ? status(200) : [...status(200), ['content-length', length]], END_HEADERS),
      data(id, text, 0),
    );
  const whole = await answered(1, 'all of it', '9');
  pair.server.send(rstStream(1, CODE.NO_ERROR));
  await turns();
  assert.equal(await whole.text(), 'all of it', 'also when it is read later');
  const failing = await answered(3, 'all of it', '9');
  pair.server.send(rstStream(3, CODE.INTERNAL_ERROR));
  await assert.rejects(failing.text(), { code: 'upstream-truncated' });
  for (const [id, length] of [
    [5, '10'],
    [7, null],
  ] as const) {
    const cut = await answered(id, 'all of it', length);
    pair.server.send(rstStream(id, CODE.NO_ERROR));
    await assert.rejects(cut.text(), { code: 'upstream-truncated' });
  }
});

test('a complete answer ends the upload that it does not wait for', async () => {
  await using pair = await Http2Pair.open();
  const body = arrivingBody();
  const answer = await pair.asked({ method: 'POST', body });
  body.push(Buffer.from('begun'));
  await pair.server.frame(TYPE.DATA);
  pair.server.send(headers(1, status(200)));
  await answer.come();
  assert.equal(await resetOf(pair.server, 1), CODE.NO_ERROR);
  assert.equal(pair.connection.life.liveCount, 0);
});

test('GOAWAY: what the server has not taken goes elsewhere, what it has is answered, then the connection ends (RFC 9113 §6.8)', async () => {
  await using pair = await Http2Pair.open();
  const [first, second, third] = [pair.send(), pair.send(), pair.send()];
  await pair.server.frame(TYPE.HEADERS, ({ streamId }) => streamId === 5);
  pair.server.send(goaway(0x7fff_ffff, CODE.NO_ERROR));
  await until(() => pair.connection.availableCount === 0);
  await turns(3);
  assert.equal(third.failure, null, 'the announcement takes nothing back');
  assert.equal(pair.send().code(), 'upstream-refused', 'nothing more is sent');
  pair.server.send(goaway(3, CODE.NO_ERROR));
  assert.equal((await third.come()).code(), 'upstream-refused');
  pair.server.send(headers(3, status(200), END_HEADERS), headers(1, status(204)));
  assert.equal((await first.come()).status, 204);
  await second.come();
  assert.equal(pair.closeReason, null);
  pair.server.send(data(3, 'late'));
  assert.equal(await second.text(), 'late');
  assert.equal(pair.closeReason, 'goaway');
  assert.equal(pair.connection.availableCount, 0);
  assert.equal(await pair.server.closed(), 'fin');
});

test('GOAWAY to an idle connection closes it', async () => {
  await using pair = await Http2Pair.open();
  pair.server.send(goaway(0, CODE.NO_ERROR));
  await until(() => pair.closeReason === 'goaway');
  await pair.server.closed();
});

test('a connection that ends before anything came is stale when it was reused, else reset', async () => {
  await using fresh = await Http2Pair.open();
  const first = await fresh.asked();
  fresh.server.socket.end();
  assert.equal((await first.come()).code(), 'upstream-reset');
  for (const how of ['end', 'reset'] as const) {
    await using pair = await Http2Pair.open();
    await pair.exchange({}, headers(1, status(200)));
    const answers = [await pair.asked(), await pair.asked()];
    if (how === 'end') pair.server.socket.end();
    else pair.server.socket.resetAndDestroy();
    for (const answer of answers) assert.equal((await answer.come()).code(), 'upstream-stale');
    assert.equal(pair.closeReason, how === 'end' ? 'peer-closed' : 'peer-error');
  }
});

test('a reused connection that has said something since is not stale; an answer that had begun is cut off', async () => {
  await using pair = await Http2Pair.open();
  await pair.exchange({}, headers(1, status(200)));
  const silent = await pair.asked();
  const begun = await pair.exchange({}, headers(5, status(200), END_HEADERS));
  pair.server.socket.resetAndDestroy();
  assert.equal((await silent.come()).code(), 'upstream-reset');
  await assert.rejects(begun.text(), { code: 'upstream-truncated' });
});

test('a connection that dies while it drains tells why its requests failed', async () => {
  await using pair = await Http2Pair.open();
  const answer = await pair.asked();
  pair.pool.drain();
  pair.server.socket.resetAndDestroy();
  assert.equal((await answer.come()).code(), 'upstream-reset');
});

test('a request that is given up is reset, its observer hears nothing more, and others go on (RFC 9113 §8.7)', async () => {
  await using pair = await Http2Pair.open();
  const other = await pair.asked();
  const answer = await pair.exchange({}, headers(3, status(200), END_HEADERS), data(3, 'half', 0));
  const gone = new Failure('client-gone');
  pair.connection.abort(answer, gone);
  assert.equal(await resetOf(pair.server, 3), CODE.CANCEL);
  assert.ok(answer.body instanceof IncomingBody);
  assert.equal(answer.body.failure, gone);
  const early = await pair.asked();
  pair.connection.abort(early, gone);
  pair.connection.abort(early, gone);
  assert.equal(await resetOf(pair.server, 5), CODE.CANCEL);
  pair.server.send(data(3, 'more', 0), headers(5, status(200)), headers(1, status(200)));
  assert.equal((await other.come()).status, 200);
  assert.deepEqual([early.status, early.failure], [0, null]);
  assert.equal(pair.connection.life.liveCount, 0);
});

test('a body whose reader wants no more is reset', async () => {
  await using pair = await Http2Pair.open();
  const { body } = await pair.exchange({}, headers(1, status(200), END_HEADERS), data(1, 'half', 0));
  assert.ok(body instanceof IncomingBody);
  body.cancel();
  assert.equal(await resetOf(pair.server, 1), CODE.CANCEL);
  assert.equal(pair.connection.life.liveCount, 0);
});

test('a request whose body breaks off is reset, so that it does not look finished', async () => {
  await using pair = await Http2Pair.open();
  const body = arrivingBody(10);
  const answer = await pair.asked({ method: 'POST', body });
  body.push(Buffer.from('half'));
  await pair.server.frame(TYPE.DATA);
  body.fail(new Failure('client-gone'));
  assert.equal(await resetOf(pair.server, 1), CODE.CANCEL);
  assert.equal(answer.code(), 'client-gone');
});

test('resets that our own requests explain never end the connection; others do (CVE-2023-44487 from the other side)', async () => {
  await using pair = await Http2Pair.open();
  for (let id = 1; id < 1200; id += 2) {
    const answer = await pair.exchange({}, rstStream(id, CODE.REFUSED_STREAM));
    assert.equal(answer.code(), 'upstream-refused');
  }
  const answer = await pair.asked();
  pair.server.send(...Array.from({ length: 400 }, () => rstStream(1)));
  assert.equal((await answer.come()).code(), 'upstream-invalid');
  assert.equal((await pair.server.frame(TYPE.GOAWAY)).payload.readUInt32BE(4), CODE.ENHANCE_YOUR_CALM);
});

test('answers that are malformed one after another harm no other', async () => {
  await using pair = await Http2Pair.open();
  for (let id = 1; id < 400; id += 2) {
    assert.equal((await pair.exchange({}, headers(id, [['x', 'no status']]))).code(), 'upstream-invalid');
  }
  assert.equal(pair.connection.life.phase, 'accepting');
});

test('a drain lets what runs be answered, then says GOAWAY and closes; an idle connection closes at once', async () => {
  await using pair = await Http2Pair.open();
  const answer = await pair.asked();
  pair.pool.drain();
  await turns(3);
  assert.deepEqual([pair.connection.availableCount, pair.closeReason], [0, null]);
  pair.server.send(headers(1, status(200), END_HEADERS), data(1, 'answered'));
  assert.equal(await answer.text(), 'answered');
  assert.equal(pair.pool.phase, 'closed');
  assert.equal((await pair.server.frame(TYPE.GOAWAY)).payload.readUInt32BE(4), CODE.NO_ERROR);
  assert.equal(await pair.server.closed(), 'fin');
  await using idle = await Http2Pair.open();
  idle.pool.drain();
  assert.equal(idle.pool.phase, 'closed');
  await idle.server.frame(TYPE.GOAWAY);
});

test('closing cuts off what runs', async () => {
  await using pair = await Http2Pair.open();
  const answer = await pair.asked();
  pair.pool.close();
  assert.equal(answer.code(), 'server-draining');
  await pair.server.closed();
});

test('when its identifiers are used up, a connection carries no more and ends (RFC 9113 §5.1.1)', async () => {
  await using pair = await Http2Pair.open();
  pair.connection.session.lastOwnStreamId = 0x7fff_fffd;
  const answer = await pair.asked();
  assert.equal(pair.connection.availableCount, 0);
  pair.server.send(headers(0x7fff_ffff, status(200)));
  assert.equal((await answer.come()).status, 200);
  assert.equal(pair.closeReason, 'keep-alive-off');
});

// ── deadlines ─────────────────────────────────────────────────────────────────────────────────────────────────────

test('a server that does not answer in time is given up, and asked whether it is there at all', async () => {
  await using pair = await Http2Pair.open({ limits: { headTimeoutMs: 1000, pingTimeoutMs: 2000 } });
  const answer = await pair.asked();
  pair.pass(750);
  pair.server.send(headers(1, status(103), END_HEADERS));
  await until(() => answer.informed.length === 1);
  pair.pass(750);
  assert.equal(answer.code(), 'upstream-head-timeout');
  assert.equal(await resetOf(pair.server, 1), CODE.CANCEL);
  const probe = await pair.server.frame(TYPE.PING);
  assert.equal(pair.connection.availableCount, 0, 'nobody is sent where nobody may be');
  pair.freeCount = 0;
  pair.server.send(frame(TYPE.PING, 1, 0, probe.payload));
  await until(() => pair.freeCount === 1);
  assert.ok(pair.connection.availableCount > 0);
  pair.pass(3000);
  assert.equal(pair.closeReason, null);
});

test('a server that does not even answer a PING is left, with everything that was asked of it', async () => {
  await using pair = await Http2Pair.open({ limits: { headTimeoutMs: 1000, pingTimeoutMs: 2000 } });
  await pair.asked();
  pair.pass(750);
  const later = await pair.asked();
  pair.pass(500);
  await pair.server.frame(TYPE.PING);
  const begun = pair.closeReason;
  pair.connection.sweep(pair.clock.now() + 2000);
  assert.deepEqual([begun, pair.closeReason], [null, 'timeout']);
  assert.equal((await later.come()).code(), 'upstream-reset');
});

test('an answer that stands still is given up; not while it is our reader that is slow', async () => {
  await using pair = await Http2Pair.open({ limits: { bodyTimeoutMs: 1000 } });
  const answer = await pair.exchange({}, headers(1, status(200), END_HEADERS));
  const { body } = answer;
  assert.ok(body instanceof IncomingBody);
  let room = true;
  const failures: Error[] = [];
  body.consume({
    write: () => room,
    end: () => undefined,
    fail: (error) => void failures.push(error),
  });
  for (let i = 0; i < 4; i += 1) {
    pair.pass(750);
    pair.server.send(data(1, 'x', 0));
    await until(() => body.receivedBytes === i + 1);
  }
  room = false;
  pair.server.send(data(1, 'x', 0));
  await until(() => body.receivedBytes === 5);
  pair.pass(5000);
  assert.equal(failures.length, 0);
  room = true;
  body.resume();
  pair.pass(1500);
  const [failure] = failures;
  assert.ok(failure instanceof Failure);
  assert.equal(failure.code, 'upstream-body-timeout');
  assert.equal(await resetOf(pair.server, 1), CODE.CANCEL);
});

test('a server that takes none of the request is given up; not while it is our client that is slow', async () => {
  await using pair = await Http2Pair.open({
    announced: [[SETTING.INITIAL_WINDOW_SIZE, 4]],
    limits: { bodyTimeoutMs: 1000, headTimeoutMs: 1000 },
  });
  const body = arrivingBody();
  const answer = await pair.asked({ method: 'POST', body });
  pair.pass(5000);
  assert.equal(answer.code(), null);
  body.push(Buffer.from('more than its window'));
  await pair.server.frame(TYPE.DATA);
  pair.pass(1500);
  await answer.come();
  assert.deepEqual([answer.code(), /stopped taking/.test(String(answer.failure))], ['upstream-head-timeout', true]);
});

test('a head in pieces has a deadline of its own', async () => {
  await using pair = await Http2Pair.open({ limits: { headTimeoutMs: 1000 } });
  const answer = await pair.asked();
  pair.server.send(headers(1, status(200), WHOLE & ~END_HEADERS));
  await turns();
  pair.pass(1500);
  assert.notEqual(answer.code(), null);
  assert.equal(pair.closeReason, 'invalid-answer');
});
