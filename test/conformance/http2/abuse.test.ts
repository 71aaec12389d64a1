import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Handler } from '../../../src/core/handler.ts';
import { BUDGETS, type BudgetName, PREMATURE_MAX_MS } from '../../../src/protocol/http2/guard.ts';
import {
  block,
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  GET,
  goaway,
  headers,
  POST,
  ping,
  priority,
  priorityUpdate,
  request,
  rstStream,
  SETTING,
  settings,
  TYPE,
  WHOLE,
  windowUpdate,
} from '../../support/http2-frames.ts';
import { eventually, turns } from '../../support/wire.ts';
import { assertConnectionError, Http2Served } from './verdict.ts';

const never: Handler = () => new Promise(() => undefined);
const hello: Handler = () => ({ status: 200, body: 'hello' });

interface Attack {
  readonly name: string;
  /** The budget that it is against. */
  readonly budget: BudgetName;
  /** What the client announces. */
  readonly announced?: readonly (readonly [id: number, value: number])[];
  readonly handler?: Handler;
  /** What comes before. */
  readonly first?: readonly Buffer[];
  /** One round of it; `id` is a new stream each time. */
  readonly round: (id: number) => readonly Buffer[];
}

const SHUT = [[SETTING.INITIAL_WINDOW_SIZE, 0]] as const;

const attacks: readonly Attack[] = [
  {
    name: 'rapid reset (CVE-2023-44487)',
    budget: 'resets',
    handler: never,
    round: (id) => [headers(id, GET), rstStream(id)],
  },
  {
    name: 'RST_STREAM again and again on a stream that is gone (CVE-2019-9514)',
    budget: 'resets',
    first: [headers(1, GET)],
    round: () => [rstStream(1)],
  },
  {
    name: 'resets that the server is made to send: WINDOW_UPDATE of 0 (CVE-2025-8671)',
    budget: 'faults',
    handler: never,
    round: (id) => [headers(id, GET), windowUpdate(id, 0)],
  },
  {
    name: 'resets that the server is made to send: a window that is too large (CVE-2025-8671)',
    budget: 'faults',
    handler: never,
    round: (id) => [headers(id, GET), windowUpdate(id, 2 ** 31 - 1)],
  },
  {
    name: 'resets that the server is made to send: DATA after the end (CVE-2025-8671)',
    budget: 'faults',
    handler: never,
    round: (id) => [headers(id, GET), data(id, 'x')],
  },
  {
    name: 'resets that the server is made to send: malformed requests (CVE-2025-8671)',
    budget: 'faults',
    round: (id) => [headers(id, [...GET, ['X', 'y']])],
  },
  {
    name: 'streams far beyond MAX_CONCURRENT_STREAMS',
    budget: 'refusals',
    handler: never,
    first: Array.from({ length: 128 }, (_, index) => headers(2 * index + 1, GET)),
    round: (id) => [headers(id, GET)],
  },
  { name: 'a PING flood (CVE-2019-9512)', budget: 'pings', round: () => [ping()] },
  { name: 'a SETTINGS flood (CVE-2019-9515)', budget: 'settings', round: () => [settings()] },
  {
    name: 'empty DATA frames (CVE-2019-9518)',
    budget: 'emptyFrames',
    first: [headers(1, POST, END_HEADERS)],
    round: () => [data(1, '', 0)],
  },
  {
    name: 'DATA frames of padding alone (CVE-2019-9518)',
    budget: 'emptyFrames',
    first: [headers(1, POST, END_HEADERS)],
    round: () => [frame(TYPE.DATA, 0x8, 1, '\x03\0\0\0')],
  },
  { name: 'frames of unknown types', budget: 'emptyFrames', round: () => [frame(0xfe, 0, 0, 'x')] },
  {
    name: 'acknowledgements of SETTINGS that nobody has sent',
    budget: 'emptyFrames',
    round: () => [frame(TYPE.SETTINGS, 1, 0)],
  },
  {
    name: 'acknowledgements of PINGs that nobody has sent',
    budget: 'emptyFrames',
    round: () => [frame(TYPE.PING, 1, 0, '12345678')],
  },
  { name: 'a GOAWAY flood', budget: 'emptyFrames', round: () => [goaway(0, 0)] },
  { name: 'a WINDOW_UPDATE flood on the connection', budget: 'windowUpdates', round: () => [windowUpdate(0, 1)] },
  {
    name: 'a WINDOW_UPDATE flood on a stream',
    budget: 'windowUpdates',
    handler: never,
    first: [headers(1, GET)],
    round: () => [windowUpdate(1, 1)],
  },
  { name: 'a PRIORITY flood (CVE-2019-9513)', budget: 'priorities', round: (id) => [priority(id, 0)] },
  {
    name: 'a PRIORITY_UPDATE flood (CVE-2019-9513)',
    budget: 'priorities',
    round: (id) => [priorityUpdate(id, 'u=1')],
  },
  {
    name: 'a window that is opened by crumbs (CVE-2019-9511, CVE-2019-9517)',
    budget: 'crumbs',
    announced: SHUT,
    handler: () => ({ status: 200, body: 'x'.repeat(100_000) }),
    first: [headers(1, GET)],
    round: () => [windowUpdate(1, 1)],
  },
];

for (const { name, budget, announced, handler = hello, first = [], round } of attacks) {
  const { burstCount } = BUDGETS[budget];
  const rounds = (count: number): Buffer[] =>
    Array.from({ length: count }, (_, index) => round(1001 + 2 * index)).flat();

  test(`${name} ends in ENHANCE_YOUR_CALM after ${burstCount} rounds`, async (t) => {
    const on = await Http2Served.start(t, handler);
    const wire = await on.open(announced);
    wire.send(...first);
    // One by one where each must be answered before the next comes: DATA leave at the end of a read.
    for (const bytes of rounds(burstCount + 2)) {
      wire.send(bytes);
      if (budget === 'crumbs') await new Promise((resolve) => setImmediate(resolve));
    }
    await assertConnectionError(wire, 'ENHANCE_YOUR_CALM');
    await on.served.closedFor('enhance-your-calm');
    await on.empty();
  });

  test(`half of that many rounds at once are borne: ${name}`, async (t) => {
    const on = await Http2Served.start(t, handler);
    const wire = await on.open(announced);
    wire.send(...first, ...rounds(Math.floor(burstCount / 2)));
    await wire.settled();
    assert.equal(wire.ended, null);
    assert.ok(!wire.unread.some(({ type }) => type === TYPE.GOAWAY));
    await on.empty();
  });
}

test('every budget is met by an attack of these tests', () => {
  const met = new Set<string>([...attacks.map(({ budget }) => budget), 'stalls']);
  assert.deepEqual(new Set(Object.keys(BUDGETS)), met);
});

test('a budget fills again with time: a client that goes on slowly is never turned away', async (t) => {
  const on = await Http2Served.start(t, hello, {}, { idleTimeoutMs: null });
  const wire = await on.open();
  for (let second = 0; second < 20; second += 1) {
    wire.send(...Array.from({ length: 7 }, () => ping()));
    await wire.settled();
    on.served.clock.advance(1000);
  }
  assert.equal(wire.ended, null);
});

test('WINDOW_UPDATE that our DATA explain cost nothing: a long download may give back every frame', async (t) => {
  const on = await Http2Served.start(t, () => ({ status: 200, body: Buffer.alloc(16_384 * 600) }));
  const wire = await on.open();
  wire.send(headers(1, GET));
  let left = 16_384 * 600;
  while (left > 0) {
    const { payload } = await wire.frame(TYPE.DATA);
    left -= payload.length;
    if (payload.length > 0) wire.send(windowUpdate(0, payload.length), windowUpdate(1, payload.length));
  }
  await wire.settled();
});

test('windows that stay shut, stream after stream, end in ENHANCE_YOUR_CALM (as CVE-2016-8740, CVE-2019-9517)', async (t) => {
  const on = await Http2Served.start(t, hello, {}, { writeStallTimeoutMs: 1000 });
  for (const count of [BUDGETS.stalls.burstCount, BUDGETS.stalls.burstCount + 1]) {
    const wire = await on.open(SHUT);
    wire.send(...Array.from({ length: count }, (_, index) => headers(2 * index + 1, GET)));
    await wire.settled();
    await on.served.pass(1250);
    if (count > BUDGETS.stalls.burstCount) await assertConnectionError(wire, 'ENHANCE_YOUR_CALM');
    else await wire.settled();
  }
});

test('a client that lets as many streams end as it leaves stalled is not cut off', async (t) => {
  const handler: Handler = ({ method }) => ({ status: 200, body: method === 'HEAD' ? null : 'hello' });
  const on = await Http2Served.start(t, handler, {}, { writeStallTimeoutMs: 1000 });
  const wire = await on.open(SHUT);
  const ended = request({ ':method': 'HEAD' });
  let id = 1;
  for (let round = 0; round < 3; round += 1) {
    for (let at = 0; at < BUDGETS.stalls.burstCount; at += 1, id += 4) {
      wire.send(headers(id, GET, END_HEADERS | END_STREAM), headers(id + 2, ended, END_HEADERS | END_STREAM));
    }
    await wire.settled();
    await on.served.pass(1250);
  }
  await wire.settled();
});

/** Runs until its client has gone. */
const untilGone: Handler = ({ signal }) =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve({ status: 503 }));
  });

const ids = (first: number, count: number): number[] => Array.from({ length: count }, (_, index) => first + 2 * index);

test('clients that go away from requests that run are borne, however many one proxy speaks for', async (t) => {
  const on = await Http2Served.start(t, untilGone);
  const wire = await on.open();
  for (let round = 0; round < 24; round += 1) {
    const some = ids(1 + 200 * round, 100);
    wire.send(...some.map((id) => headers(id, GET)));
    await wire.settled();
    on.served.clock.advance(60);
    wire.send(...some.map((id) => rstStream(id)));
    await wire.settled();
  }
  assert.equal(on.served.server.status().requests.served, 2400);
  assert.equal(wire.ended, null);
  await on.empty();
});

for (const ageMs of [1, PREMATURE_MAX_MS]) {
  test(`rapid reset with ${ageMs} ms between request and reset ends in ENHANCE_YOUR_CALM all the same`, async (t) => {
    const on = await Http2Served.start(t, untilGone);
    const wire = await on.open();
    for (let round = 0; round < 120 && wire.ended === null; round += 1) {
      const some = ids(1 + 256 * round, 128);
      wire.send(...some.map((id) => headers(id, GET)));
      await turns(3);
      on.served.clock.advance(ageMs);
      wire.send(...some.map((id) => rstStream(id)));
      await turns(3);
    }
    await assertConnectionError(wire, 'ENHANCE_YOUR_CALM');
  });
}

test('resets of uploads that were answered before their end cost nothing: the client could not know', async (t) => {
  const answerNow: Handler = Object.assign(() => ({ status: 401 }), { bodyMode: 'manual' as const });
  const on = await Http2Served.start(t, answerNow);
  const wire = await on.open();
  for (let round = 0; round < 8; round += 1) {
    const some = ids(1 + 200 * round, 100);
    wire.send(...some.flatMap((id) => [headers(id, POST, END_HEADERS), data(id, 'x', 0)]));
    await wire.settled();
    wire.send(...some.map((id) => rstStream(id)));
    await wire.settled();
  }
  assert.equal(wire.ended, null);
});

test('requests that are answered whole give back what resets have cost', async (t) => {
  const on = await Http2Served.start(t, (request) => (request.method === 'POST' ? hello : untilGone)(request));
  const wire = await on.open();
  for (let round = 0; round < 8; round += 1) {
    const some = ids(1 + 400 * round, 100);
    wire.send(...some.flatMap((id) => [headers(id, GET), rstStream(id)]));
    wire.send(...some.map((id) => headers(id + 200, POST)));
    await wire.settled();
  }
  assert.equal(wire.ended, null);
});

test('streams that are refused for the sake of others are not held against the client', async (t) => {
  const on = await Http2Served.start(t, never, { http2: { streamTotalMaxCount: 1 } });
  const wire = await on.open();
  wire.send(headers(1, GET));
  for (let round = 0; round < 12; round += 1) {
    wire.send(...ids(3 + 200 * round, 100).map((id) => headers(id, GET)));
    await wire.settled();
  }
  assert.equal(wire.unread.filter(({ type }) => type === TYPE.RST_STREAM).length, 1200);
});

test('who resets streams has no more handlers running than who lets them end (CVE-2023-44487)', async (t) => {
  let begun = 0;
  const answers: (() => void)[] = [];
  const on = await Http2Served.start(
    t,
    () => {
      begun += 1;
      return new Promise((resolve) => answers.push(() => resolve({ status: 200 })));
    },
    { http2: { streamMaxCount: 10 } },
  );
  const wire = await on.open();
  for (let id = 1; id < 61; id += 2) wire.send(headers(id, GET), rstStream(id));
  await wire.settled();
  assert.equal(begun, 10);
  for (const answer of answers.splice(0)) answer();
  wire.send(headers(101, GET));
  await eventually(() => answers.length === 1);
  answers[0]?.();
  assert.equal((await wire.response(101)).status, 200, 'there is room again');
});

test('a CONTINUATION flood ends in ENHANCE_YOUR_CALM: by number, by size, by nothing (CVE-2024-27316)', async (t) => {
  const start = headers(1, GET, END_STREAM);
  const floods = [
    Array.from({ length: 40 }, () => continuation(1, [['x', 'y']], 0)),
    Array.from({ length: 4 }, () => continuation(1, [['x', 'y'.repeat(16_000)]], 0)),
    Array.from({ length: 100 }, () => continuation(1, [], 0)),
  ];
  for (const flood of floods) {
    const on = await Http2Served.start(t, never);
    const wire = await on.open();
    wire.send(start, ...flood);
    await assertConnectionError(wire, 'ENHANCE_YOUR_CALM');
  }
});

test('an HPACK bomb ends in ENHANCE_YOUR_CALM: a small block that means a huge list (CVE-2016-1546 and its kin)', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.open();
  const entry = Buffer.concat([Buffer.from('400178', 'hex'), Buffer.from([0x7f, 0xa1, 0x1e]), Buffer.alloc(4000, 'x')]);
  const bomb = Buffer.concat([block(GET), entry, Buffer.alloc(1000, 0xbe)]);
  wire.send(frame(TYPE.HEADERS, WHOLE, 1, bomb));
  await assertConnectionError(wire, 'ENHANCE_YOUR_CALM');
});

test('fields without a name or without bytes end their streams, and hold nothing (CVE-2019-9516)', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.open();
  wire.send(...Array.from({ length: 70 }, (_, index) => headers(2 * index + 1, [...GET, ['', '']])));
  await assertConnectionError(wire, 'ENHANCE_YOUR_CALM');
});

test('a client that takes no answers is not read from: requests wait in its own kernel', async (t) => {
  let begun = 0;
  const on = await Http2Served.start(t, () => {
    begun += 1;
    return { status: 200, headers: { x: 'y'.repeat(15_000) } };
  });
  const wire = await on.open();
  wire.socket.pause();
  for (let id = 1; id < 8001; id += 2) wire.send(headers(id, GET));
  let before = -1;
  for (let calm = 0; calm < 50; ) {
    await new Promise((resolve) => setImmediate(resolve));
    calm = begun === before ? calm + 1 : 0;
    before = begun;
  }
  assert.ok(begun < 2000, `${begun} requests were begun`);
  wire.socket.resume();
  await eventually(() => begun === 4000);
});
