import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { IncomingBody } from '../../../src/core/body.ts';
import { Failure } from '../../../src/core/failure.ts';
import { HeaderFields } from '../../../src/core/headers.ts';
import { data, END_HEADERS, headers, SETTING, settings, TYPE, windowUpdate } from '../../support/http2-frames.ts';
import { arrivingBody } from '../../support/request.ts';
import { turns, until } from '../../upstream/scripted.ts';
import { Http2Pair, status } from './client-peer.ts';

const OPTIONS = { streamWindowBytes: 10_000, streamWindowMaxBytes: 10_000, windowRefillThresholdBytes: 4000 };

/** A reader that takes what comes while it has room. */
class Reader {
  readonly body: IncomingBody;
  room = true;
  bytes = 0;
  ended = false;

  constructor(body: unknown) {
    assert.ok(body instanceof IncomingBody);
    this.body = body;
    body.consume({
      write: (chunk) => {
        this.bytes += chunk.length;
        return this.room;
      },
      end: () => {
        this.ended = true;
      },
      fail: () => undefined,
    });
  }
}

test('a slow reader holds its stream back, and no other (RFC 9113 §5.2)', async () => {
  await using pair = await Http2Pair.open({ options: OPTIONS });
  const answers = [await pair.asked(), await pair.asked()];
  pair.server.send(headers(1, status(200), END_HEADERS), headers(3, status(200), END_HEADERS));
  const [slow, quick] = await Promise.all(answers.map(async (answer) => new Reader((await answer.come()).body)));
  assert.ok(slow && quick);
  slow.room = false;
  pair.server.send(data(1, Buffer.alloc(8000), 0), data(3, Buffer.alloc(8000), 0));
  await pair.server.frame(TYPE.WINDOW_UPDATE, ({ streamId }) => streamId === 3);
  await turns();
  assert.ok(!pair.server.unread.some(({ type, streamId }) => type === TYPE.WINDOW_UPDATE && streamId === 1));
  slow.body.resume();
  const { payload } = await pair.server.frame(TYPE.WINDOW_UPDATE, ({ streamId }) => streamId === 1);
  assert.equal(payload.readUInt32BE(0), 8000);
});

test('the window of a stream grows as it is read, so that an unread answer never occupies much', async () => {
  await using pair = await Http2Pair.open({ options: { ...OPTIONS, streamWindowMaxBytes: 35_000 } });
  const answer = await pair.exchange({}, headers(1, status(200), END_HEADERS));
  const reader = new Reader(answer.body);
  const increments: number[] = [];
  for (let round = 0; round < 4; round += 1) {
    pair.server.send(data(1, Buffer.alloc(5000), 0));
    const { payload } = await pair.server.frame(TYPE.WINDOW_UPDATE, ({ streamId }) => streamId === 1);
    increments.push(payload.readUInt32BE(0));
  }
  assert.deepEqual(increments, [5000 + 10_000, 5000 + 15_000, 5000, 5000]);
  assert.equal(reader.bytes, 20_000);
});

test('a body that nobody reads takes its own window, and the connection is refilled all the same', async () => {
  await using pair = await Http2Pair.open({
    options: { ...OPTIONS, connectionWindowBytes: 65_535, windowRefillThresholdBytes: 5000 },
  });
  await pair.asked();
  pair.server.send(headers(1, status(200), END_HEADERS), data(1, Buffer.alloc(9000), 0));
  const { streamId } = await pair.server.frame(TYPE.WINDOW_UPDATE);
  assert.equal(streamId, 0);
});

test('a body larger than a window comes as fast as it is read', async () => {
  await using pair = await Http2Pair.open({ options: OPTIONS });
  const answer = await pair.exchange({}, headers(1, status(200), END_HEADERS));
  const reader = new Reader(answer.body);
  let leftBytes = 10_000;
  for (let sentBytes = 0; sentBytes < 100_000; sentBytes += 5000) {
    while (leftBytes < 5000) {
      const { payload } = await pair.server.frame(TYPE.WINDOW_UPDATE, ({ streamId }) => streamId === 1);
      leftBytes += payload.readUInt32BE(0);
    }
    leftBytes -= 5000;
    pair.server.send(data(1, Buffer.alloc(5000), sentBytes === 95_000 ? 1 : 0));
  }
  await until(() => reader.ended);
  assert.equal(reader.bytes, 100_000);
});

test('what is sent stays within the windows of the server, and goes on when they are opened', async () => {
  await using pair = await Http2Pair.open({ announced: [[SETTING.INITIAL_WINDOW_SIZE, 10]] });
  pair.send({ method: 'POST', body: Buffer.from('whole body of 24 octets.') });
  assert.equal((await pair.server.frame(TYPE.DATA)).payload.toString(), 'whole body');
  await turns();
  assert.deepEqual(pair.server.unread, []);
  pair.server.send(windowUpdate(1, 4));
  assert.equal((await pair.server.frame(TYPE.DATA)).payload.toString(), ' of ');
  pair.server.send(settings([[SETTING.INITIAL_WINDOW_SIZE, 100]]));
  const last = await pair.server.frame(TYPE.DATA);
  assert.deepEqual([last.payload.toString(), last.flags], ['24 octets.', 1]);
});

test('a server that takes no more holds the source of the body back', async () => {
  await using pair = await Http2Pair.open({ announced: [[SETTING.INITIAL_WINDOW_SIZE, 10]] });
  const told: string[] = [];
  const body = new IncomingBody(
    { demand: () => void told.push('demand'), hold: () => void told.push('hold'), abandon: () => undefined },
    null,
    null,
  );
  await pair.asked({ method: 'POST', body });
  body.push(Buffer.alloc(60_000));
  assert.deepEqual(told, ['demand']);
  body.push(Buffer.alloc(60_000));
  assert.deepEqual(told, ['demand', 'hold']);
  pair.server.send(windowUpdate(1, 200_000));
  await until(() => told.length === 3);
  assert.deepEqual(told, ['demand', 'hold', 'demand']);
  pair.server.send(windowUpdate(0, 100_000));
  body.push(Buffer.from('end'));
  body.finish(null);
  await pair.server.frame(TYPE.DATA, ({ flags }) => flags === 1);
});

test('trailers of a request follow its body (RFC 9113 §8.1)', async () => {
  await using pair = await Http2Pair.open();
  const body = arrivingBody();
  await pair.asked({ method: 'POST', body, trailers: () => HeaderFields.from({ 'X-Sum': '3' }) });
  body.push(Buffer.from('abc'));
  body.finish(null);
  const { fields, flags } = await pair.server.frame(TYPE.HEADERS);
  assert.deepEqual(fields, [['x-sum', '3']]);
  assert.equal(flags & 1, 1);
});

/** Bytes that tell where they belong. */
const bytesOf = (seed: number, length: number): Buffer =>
  Buffer.concat(
    Array.from({ length: Math.ceil(length / 32) }, (_, i) => createHash('sha256').update(`${seed}/${i}`).digest()),
  ).subarray(0, length);

test('bodies that came in the same reads do not run into one another, however late they are read', async () => {
  const shape = fc.record({
    lengths: fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 6 }),
    frameBytes: fc.integer({ min: 1000, max: 16_384 }),
    late: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
  });
  await fc.assert(
    fc.asyncProperty(shape, async ({ lengths, frameBytes, late }) => {
      await using pair = await Http2Pair.open();
      const answers = lengths.map(() => pair.send());
      await pair.server.frame(TYPE.HEADERS, ({ streamId }) => streamId === 2 * lengths.length - 1);
      const bodies = lengths.map((length, seed) => bytesOf(seed, length));
      pair.server.send(...bodies.map((_, i) => headers(2 * i + 1, status(200), END_HEADERS)));
      for (let at = 0; at < 60_000; at += frameBytes) {
        const pieces = bodies.flatMap((body, i) =>
          at < body.length ? [data(2 * i + 1, body.subarray(at, at + frameBytes), 0)] : [],
        );
        if (pieces.length > 0) pair.server.send(...pieces);
      }
      pair.server.send(...bodies.map((_, i) => data(2 * i + 1, '')));
      const texts = answers.map(async (answer, i) => {
        await answer.come();
        if (late[i] === true) await until(() => pair.connection.life.liveCount === 0);
        return answer.text();
      });
      const received = await Promise.all(texts);
      for (const [i, body] of bodies.entries()) assert.ok(received[i] === body.toString('latin1'), `body ${i}`);
    }),
    {
      numRuns: 12,
      examples: [
        [{ lengths: [60_000, 60_000, 60_000], frameBytes: 16_384, late: Array.from({ length: 6 }, () => true) }],
      ],
    },
  );
});

test('frames of as many streams as the server lets us open may come after we have reset them', async () => {
  await using pair = await Http2Pair.open({
    announced: [[SETTING.MAX_CONCURRENT_STREAMS, 1000]],
    options: { streamMaxCount: 1 },
  });
  const answers = Array.from({ length: 900 }, () => pair.send());
  for (const answer of answers) pair.connection.abort(answer, new Failure('client-gone'));
  await pair.server.frame(TYPE.RST_STREAM, ({ streamId }) => streamId === 1799);
  pair.server.send(headers(1, status(200), END_HEADERS), data(1, 'late'));
  assert.equal((await pair.exchange({}, headers(1801, status(200)))).status, 200);
});
