import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Failure } from '../../../src/core/failure.ts';
import { HeaderFields } from '../../../src/core/headers.ts';
import {
  CODE,
  data,
  END_HEADERS,
  END_STREAM,
  goaway,
  headers,
  rstStream,
  SETTING,
  settings,
  TYPE,
  windowUpdate,
} from '../../support/http2-frames.ts';
import { turns, until } from '../../upstream/scripted.ts';
import type { Answer } from '../http1/client-peer.ts';
import { Http2Pair, resetOf, status } from './client-peer.ts';

const ANNOUNCED = [[SETTING.ENABLE_CONNECT_PROTOCOL, 1]] as const;
const UPGRADE = {
  target: '/chat',
  upgrade: 'websocket',
  headers: HeaderFields.from({ 'sec-websocket-version': '13' }),
};

/** The tunnel that a server has agreed to. */
function tunnelOf({ switched }: Answer) {
  assert.ok(switched !== null);
  assert.equal(switched.firstBytes.length, 0);
  return switched.socket;
}

test('an upgrade is an extended CONNECT, and its stream a tunnel both ways (RFC 8441 §4)', async () => {
  await using pair = await Http2Pair.open({ announced: ANNOUNCED });
  const answer = pair.send(UPGRADE);
  const { fields, flags } = await pair.server.frame(TYPE.HEADERS);
  assert.deepEqual(fields, [
    [':method', 'CONNECT'],
    [':protocol', 'websocket'],
    [':scheme', 'http'],
    [':path', '/chat'],
    [':authority', 'example.com'],
    ['te', 'trailers'],
    ['sec-websocket-version', '13'],
  ]);
  assert.equal(flags & END_STREAM, 0);
  pair.server.send(headers(1, status(200, ['x-a', '1']), END_HEADERS), data(1, 'welcome', 0));
  await answer.come();
  assert.deepEqual([answer.status, answer.headers.get('x-a')], [200, '1']);
  const tunnel = tunnelOf(answer);
  const [first]: Buffer[] = await once(tunnel, 'data');
  assert.equal(String(first), 'welcome');
  tunnel.write('hello');
  assert.equal((await pair.server.frame(TYPE.DATA)).payload.toString(), 'hello');
  pair.pass(300_000);
  assert.equal(pair.connection.life.liveCount, 1, 'it may be silent for long, and a drain waits for it');
  tunnel.end('bye');
  const last = await pair.server.frame(TYPE.DATA, ({ flags: bits }) => bits === END_STREAM);
  assert.equal(last.streamId, 1);
  pair.server.send(data(1, ''));
  await once(tunnel, 'close');
  assert.equal(pair.connection.life.liveCount, 0);
});

test('a tunnel may be silent for ever, but a server that takes none of what it is sent for bodyTimeoutMs is cut off', async () => {
  await using pair = await Http2Pair.open({
    announced: [...ANNOUNCED, [SETTING.INITIAL_WINDOW_SIZE, 0]],
    limits: { bodyTimeoutMs: 10_000 },
  });
  const tunnel = tunnelOf(await pair.exchange(UPGRADE, headers(1, status(200), END_HEADERS)));
  pair.pass(300_000);
  tunnel.on('error', () => undefined).write('waits');
  await turns();
  pair.pass(9000);
  pair.server.send(windowUpdate(1, 1));
  assert.equal((await pair.server.frame(TYPE.DATA)).payload.toString(), 'w');
  // What it says itself does not excuse that it does not listen.
  pair.pass(9000);
  pair.server.send(data(1, 'said', 0));
  await once(tunnel, 'data');
  assert.equal(tunnel.destroyed, false);
  pair.pass(2000);
  assert.equal(await resetOf(pair.server, 1), CODE.CANCEL);
  assert.equal(tunnel.destroyed, true);
});

test('a tunnel is finished when its end has left, and not while bytes wait for a window (RFC 9113 §5.2)', async () => {
  await using pair = await Http2Pair.open({ announced: [...ANNOUNCED, [SETTING.INITIAL_WINDOW_SIZE, 4]] });
  const tunnel = tunnelOf(await pair.exchange(UPGRADE, headers(1, status(200), END_HEADERS)));
  tunnel.end('tail and the rest');
  assert.equal((await pair.server.frame(TYPE.DATA)).payload.toString(), 'tail');
  await turns();
  assert.equal(tunnel.writableFinished, false);
  tunnel.once('finish', () => tunnel.destroy());
  pair.server.send(windowUpdate(1, 100));
  const { payload, flags } = await pair.server.frame(TYPE.DATA);
  assert.deepEqual([payload.toString(), flags], [' and the rest', END_STREAM]);
  // A server that has been told all may go on reading it.
  assert.equal(await resetOf(pair.server, 1), CODE.NO_ERROR);
});

test('an upgrade waits for the settings of the server; one that does not know it is not asked (RFC 8441 §3)', async () => {
  for (const known of [true, false]) {
    await using pair = await Http2Pair.open({ announced: null });
    const upgrade = pair.send(UPGRADE);
    pair.send({ target: '/other' });
    const first = await pair.server.frame(TYPE.HEADERS);
    assert.deepEqual([first.streamId, first.fields?.[2]?.[1]], [1, '/other']);
    assert.equal(pair.connection.availableCount, 98);
    pair.server.send(settings(known ? ANNOUNCED : []));
    if (known) assert.equal((await pair.server.frame(TYPE.HEADERS)).fields?.[1]?.[1], 'websocket');
    else assert.deepEqual([(await upgrade.come()).code(), pair.connection.life.liveCount], ['upgrade-unsupported', 1]);
  }
});

test('an upgrade that waits can be given up, times out, and fails with its connection', async () => {
  await using pair = await Http2Pair.open({ announced: null, limits: { headTimeoutMs: 1000 } });
  const given = pair.send(UPGRADE);
  pair.pass(900);
  pair.connection.abort(given, new Failure('client-gone'));
  assert.deepEqual([given.code(), pair.connection.life.liveCount], [null, 0]);
  const late = pair.send(UPGRADE);
  // Its time begins with itself, not with who waited before.
  pair.pass(900);
  assert.equal(late.code(), null);
  pair.pass(600);
  assert.equal(late.code(), 'upstream-head-timeout');
  const last = pair.send(UPGRADE);
  pair.server.socket.destroy();
  assert.equal((await last.come()).code(), 'upstream-refused');
});

test('an answer other than 2xx is an answer', async () => {
  await using pair = await Http2Pair.open({ announced: ANNOUNCED });
  const answer = await pair.exchange(UPGRADE, headers(1, status(403), END_HEADERS), data(1, 'no'));
  assert.equal(answer.switched, null);
  assert.deepEqual([answer.status, await answer.text()], [403, 'no']);
  assert.equal(await resetOf(pair.server, 1), CODE.NO_ERROR);
});

test('CONNECT has an authority and nothing else, and 2xx makes a tunnel (RFC 9113 §8.5)', async () => {
  await using pair = await Http2Pair.open();
  const answer = pair.send({ method: 'CONNECT', target: 'example.com:443', authority: 'example.com:443' });
  const { fields } = await pair.server.frame(TYPE.HEADERS);
  assert.deepEqual(fields, [
    [':method', 'CONNECT'],
    [':authority', 'example.com:443'],
    ['te', 'trailers'],
  ]);
  pair.server.send(headers(1, status(200), END_HEADERS));
  tunnelOf(await answer.come()).write('x');
  await pair.server.frame(TYPE.DATA);
});

test('a tunnel that is destroyed is reset, and one that is reset is destroyed; GOAWAY lets it go on', async () => {
  await using pair = await Http2Pair.open({ announced: ANNOUNCED });
  const ours = tunnelOf(await pair.exchange(UPGRADE, headers(1, status(200), END_HEADERS)));
  ours.destroy();
  assert.equal(await resetOf(pair.server, 1), CODE.CANCEL);
  const theirs = tunnelOf(await pair.exchange(UPGRADE, headers(3, status(200), END_HEADERS)));
  pair.server.send(rstStream(3, CODE.CANCEL));
  const [error]: unknown[] = await once(theirs, 'error');
  assert.ok(error instanceof Error);
  const kept = tunnelOf(await pair.exchange(UPGRADE, headers(5, status(200), END_HEADERS)));
  pair.server.send(goaway(5, CODE.NO_ERROR));
  await until(() => pair.connection.availableCount === 0);
  kept.on('data', () => undefined).write('still');
  assert.equal((await pair.server.frame(TYPE.DATA)).payload.toString(), 'still');
  kept.end();
  pair.server.send(data(5, ''));
  await until(() => pair.closeReason === 'goaway');
  await turns(1);
});
