import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Field, GET, headers, priorityUpdate, request, TYPE, windowUpdate } from '../../support/http2-frames.ts';
import type { Http2Wire } from '../../support/http2-wire.ts';
import { Http2Served } from './verdict.ts';

const BODY_BYTES = 40_000;

/** A client whose window is used up, so that what it asks for now waits together for the next. */
async function waiting(t: TestContext): Promise<Http2Wire> {
  const on = await Http2Served.start(t, () => ({ status: 200, body: 'x'.repeat(BODY_BYTES) }));
  const wire = await on.open();
  wire.send(headers(1, GET), headers(3, GET), windowUpdate(3, 100_000), windowUpdate(1, 100_000));
  let bytes = 0;
  while (bytes < 65_535) bytes += (await wire.frame(TYPE.DATA)).payload.length;
  return wire;
}

const prioritised = (value: string): Field[] => request({}, [['priority', value]]);

/** Opens the window, and gives the streams of the DATA frames, each as often as it comes in a row once. */
async function order(wire: Http2Wire, ids: readonly number[]): Promise<number[]> {
  wire.send(windowUpdate(0, 1_000_000));
  for (const id of ids)
    await wire.sees(
      ({ streamId, type, flags }) => streamId === id && type === TYPE.DATA && flags === 1,
      `the end of ${id}`,
    );
  const seen = wire.unread.filter(({ type, streamId }) => type === TYPE.DATA && ids.includes(streamId));
  return seen.map(({ streamId }) => streamId).filter((id, index, all) => id !== all[index - 1]);
}

test('the more urgent answer goes first (RFC 9218 §4.1, §10)', async (t) => {
  const wire = await waiting(t);
  wire.send(headers(5, prioritised('u=5')), headers(7, prioritised('u=0')), headers(9, prioritised('u=2')));
  assert.deepEqual(await order(wire, [5, 7, 9]), [7, 9, 5]);
});

test('answers that are of use only as a whole go one after another; without a word, or incremental, they share (RFC 9218 §4.2)', async (t) => {
  const whole = await waiting(t);
  whole.send(headers(5, prioritised('u=3')), headers(7, prioritised('u=3')));
  assert.deepEqual(await order(whole, [5, 7]), [5, 7]);
  for (const fields of [prioritised('i'), prioritised('u=3, i'), prioritised('i=?1'), GET]) {
    const sharing = await waiting(t);
    sharing.send(headers(5, fields), headers(7, fields));
    const turns = await order(sharing, [5, 7]);
    assert.ok(turns.length > 3, String(turns));
  }
});

test('PRIORITY_UPDATE changes the turn of a stream that waits (RFC 9218 §7)', async (t) => {
  const wire = await waiting(t);
  wire.send(headers(5, prioritised('u=3')), headers(7, prioritised('u=3')), priorityUpdate(7, 'u=1'));
  assert.deepEqual(await order(wire, [5, 7]), [7, 5]);
});

test('PRIORITY_UPDATE before its stream counts more than the field (RFC 9218 §7)', async (t) => {
  const wire = await waiting(t);
  wire.send(priorityUpdate(7, 'u=0'), headers(5, prioritised('u=3')), headers(7, prioritised('u=7')));
  assert.deepEqual(await order(wire, [5, 7]), [7, 5]);
});

test('PRIORITY_UPDATE of a value that is longer than any is not kept: its stream has the default', async (t) => {
  const wire = await waiting(t);
  const long = `u=0${' '.repeat(100)}`;
  wire.send(priorityUpdate(7, long), headers(5, prioritised('u=2')), headers(7, prioritised('u=1')));
  assert.deepEqual(await order(wire, [5, 7]), [5, 7]);
});

test('PRIORITY_UPDATE of streams that have ended, and more of them than streams may be open, mean nothing', async (t) => {
  const wire = await waiting(t);
  for (let id = 1001; id < 1501; id += 2) wire.send(priorityUpdate(id, 'u=0'));
  wire.send(priorityUpdate(1, 'u=0'));
  wire.send(headers(1501, prioritised('u=3')), priorityUpdate(1503, 'u=0'), headers(1503, prioritised('u=3')));
  assert.deepEqual(
    await order(wire, [1501, 1503]),
    [1503, 1501],
    'those of streams that were passed over are forgotten',
  );
});

test('a priority that is not understood is the default (RFC 9218 §4)', async (t) => {
  for (const value of ['u=9', 'u=-1', 'urgent', 'u="0"', '', 'u=0.5']) {
    const wire = await waiting(t);
    wire.send(headers(5, prioritised('u=4')), headers(7, prioritised(value)), headers(9, prioritised('u=2')));
    assert.deepEqual(await order(wire, [5, 7, 9]), [9, 7, 5], value);
  }
});

test('the last of several members counts (RFC 8941 §3.2)', async (t) => {
  const wire = await waiting(t);
  wire.send(headers(5, prioritised('u=3')), headers(7, prioritised('u=7, u=1')));
  assert.deepEqual(await order(wire, [5, 7]), [7, 5]);
});
