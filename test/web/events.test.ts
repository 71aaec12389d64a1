import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderFields } from '../../src/core/headers.ts';
import type { HttpResponse } from '../../src/core/message.ts';
import type { EventItem, EventsDrain, EventsOptions } from '../../src/web/events.ts';
import { lastEventId } from '../../src/web/events.ts';
import { reply } from '../../src/web/reply.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { makeRequest } from '../support/request.ts';
import { turns } from '../support/wire.ts';

/** A source that a test feeds. */
class Feed implements AsyncIterableIterator<EventItem> {
  stopped = false;
  askedCount = 0;
  private readonly items: EventItem[] = [];
  private asked: ((result: IteratorResult<EventItem>) => void) | null = null;

  [Symbol.asyncIterator](): this {
    return this;
  }

  push(...items: EventItem[]): void {
    this.items.push(...items);
    this.settle();
  }

  next(): Promise<IteratorResult<EventItem>> {
    this.askedCount += 1;
    return new Promise((resolve) => {
      this.asked = resolve;
      this.settle();
    });
  }

  return(): Promise<IteratorResult<EventItem>> {
    this.stopped = true;
    return Promise.resolve({ done: true, value: undefined });
  }

  private settle(): void {
    const { asked } = this;
    if (asked === null) return;
    const value = this.items.shift();
    if (value === undefined) return;
    this.asked = null;
    asked({ done: false, value });
  }
}

/** The pieces of the body, as an engine reads them. */
function pieces(response: HttpResponse): AsyncIterator<unknown> {
  const { body } = response;
  assert.ok(typeof body === 'object' && body !== null && Symbol.asyncIterator in body);
  return body[Symbol.asyncIterator]();
}

async function all(response: HttpResponse): Promise<string> {
  const read: string[] = [];
  const iterator = pieces(response);
  for (;;) {
    const result = await iterator.next();
    if (result.done === true) return read.join('');
    read.push(String(result.value));
  }
}

async function* items(...given: EventItem[]): AsyncGenerator<EventItem> {
  yield* given;
}

const quiet = (options: Partial<EventsOptions> = {}): Partial<EventsOptions> => ({
  clock: new ManualClock(),
  ...options,
});

const textOf = (item: EventItem): Promise<string> => all(reply.events(items(item), quiet()));

test('an event is fields in lines and an empty line (WHATWG HTML §9.2.6)', async () => {
  assert.equal(await textOf('hello'), 'data: hello\n\n');
  assert.equal(await textOf(' two\n\nlines'), 'data:  two\ndata: \ndata: lines\n\n');
  assert.equal(await textOf(''), 'data: \n\n');
  assert.equal(await textOf({ data: { a: [1] } }), 'data: {"a":[1]}\n\n');
  assert.equal(await textOf({ data: null }), 'data: null\n\n');
  const whole = { data: 'x', event: 'tick', id: '7', retryMs: 250 };
  assert.equal(await textOf(whole), 'event: tick\nid: 7\nretry: 250\ndata: x\n\n');
  assert.equal(await textOf({ id: '7' }), 'id: 7\n\n');
});

test('no text can add a field or an event: every kind of line break in data begins another line of data', async () => {
  assert.equal(await textOf('a\rid: 1'), 'data: a\ndata: id: 1\n\n');
  assert.equal(await textOf('a\r\n\r\nevent: b'), 'data: a\ndata: \ndata: event: b\n\n');
  for (const bad of ['a\nb', 'a\rb', 'a\0b']) {
    await assert.rejects(textOf({ data: 'x', id: bad }), TypeError);
    await assert.rejects(textOf({ data: 'x', event: bad }), TypeError);
  }
  for (const retryMs of [-1, 1.5, Number.NaN]) await assert.rejects(textOf({ retryMs }), TypeError);
  await assert.rejects(textOf({ data: () => 1 }), /no JSON form/);
  assert.throws(() => reply.events(items(), { retryMs: -1 }), /retryMs/);
  assert.throws(() => reply.events(items(), { retryMs: 1.5 }), /whole number/);
});

test('a stream of events is not kept or held back by anybody on the way; fields can be replaced', () => {
  const { status, headers } = reply.events(items());
  assert.equal(status, 200);
  assert.equal(
    HeaderFields.from(headers).text,
    'content-type: text/event-stream\r\ncache-control: no-store\r\nx-accel-buffering: no\r\n',
  );
  const other = reply.events(items(), { headers: { 'cache-control': 'no-cache', 'x-mine': 'yes' } });
  const fields = HeaderFields.from(other.headers);
  assert.equal(fields.get('cache-control'), 'no-cache');
  assert.equal(fields.get('x-mine'), 'yes');
});

test('the time to wait before coming again is told first', async () => {
  assert.equal(await all(reply.events(items('a'), quiet({ retryMs: 3000 }))), 'retry: 3000\ndata: a\n\n');
});

test('events that are ready in one turn leave as one piece, and later ones as another', async () => {
  const feed = new Feed();
  const iterator = pieces(reply.events(feed, quiet()));
  const first = iterator.next();
  feed.push('a', 'b', 'c');
  assert.equal((await first).value, 'data: a\n\ndata: b\n\ndata: c\n\n');
  const second = iterator.next();
  feed.push('d');
  assert.equal((await second).value, 'data: d\n\n');
});

test('a client that takes nothing holds the source back: it is at most one event ahead', async () => {
  const feed = new Feed();
  const iterator = pieces(reply.events(feed, quiet()));
  const first = iterator.next();
  feed.push('a');
  await first;
  feed.push('b', 'c', 'd');
  await turns(3);
  assert.equal(feed.askedCount, 2);
  assert.equal((await iterator.next()).value, 'data: b\n\ndata: c\n\ndata: d\n\n');
});

test('a source that never waits is cut into pieces of bounded size', async () => {
  const endless = async function* (): AsyncGenerator<string> {
    for (;;) yield 'x'.repeat(1000);
  };
  const iterator = pieces(reply.events(endless(), quiet()));
  const { value } = await iterator.next();
  assert.ok(typeof value === 'string' && value.length >= 16_384 && value.length < 18_000);
  await iterator.return?.();
});

test('a quiet stream has a heartbeat, but none piles up for a client that takes nothing', async () => {
  const clock = new ManualClock();
  const feed = new Feed();
  const iterator = pieces(reply.events(feed, { clock }));
  const first = iterator.next();
  clock.advance(14_999);
  await turns(2);
  clock.advance(1);
  assert.equal((await first).value, ':\n');
  clock.advance(60_000);
  const second = iterator.next();
  feed.push('a');
  assert.equal((await second).value, 'data: a\n\n');
  await iterator.return?.();
  assert.equal(clock.timerCount, 0);
});

test('heartbeatMs: null has none', async () => {
  const clock = new ManualClock();
  const iterator = pieces(reply.events(new Feed(), { clock, heartbeatMs: null }));
  void iterator.next();
  assert.equal(clock.timerCount, 0);
});

test('the source is stopped when the client leaves, and its timer with it', async () => {
  const clock = new ManualClock();
  const feed = new Feed();
  const iterator = pieces(reply.events(feed, { clock }));
  void iterator.next();
  assert.equal(clock.timerCount, 1);
  await iterator.return?.();
  assert.deepEqual([feed.stopped, clock.timerCount], [true, 0]);
});

test('a source that fails breaks the stream after what was ready before', async () => {
  const failing = async function* (): AsyncGenerator<string> {
    yield 'a';
    throw new Error('source broken');
  };
  const iterator = pieces(reply.events(failing(), quiet()));
  assert.equal((await iterator.next()).value, 'data: a\n\n');
  await assert.rejects(iterator.next(), /source broken/);
});

test('a drain lets the handler say goodbye: a last event, and the end', async () => {
  const feed = new Feed();
  const drains: EventsDrain[] = [];
  const response = reply.events(feed, quiet({ onDrain: (drain) => drains.push(drain) }));
  const iterator = pieces(response);
  const first = iterator.next();
  response.onDrain?.({ graceMs: 5000 });
  const [drain] = drains;
  assert.equal(drain?.graceMs, 5000);
  drain?.send({ event: 'bye' });
  drain?.end();
  drain?.send('too late');
  assert.equal((await first).value, 'event: bye\n\n');
  assert.equal((await iterator.next()).done, true);
  assert.equal(feed.stopped, true);
});

test('without onDrain a stream goes on in a drain', async () => {
  const feed = new Feed();
  const response = reply.events(feed, quiet());
  const first = pieces(response).next();
  response.onDrain?.({ graceMs: 5000 });
  feed.push('still here');
  assert.equal((await first).value, 'data: still here\n\n');
  assert.equal(feed.stopped, false);
});

test('lastEventId reads what the client has seen last as UTF-8 (WHATWG HTML §9.2.3)', () => {
  const value = Buffer.from('ä-7').toString('latin1');
  assert.equal(lastEventId(makeRequest('GET', '/', { headers: { 'last-event-id': value } })), 'ä-7');
  assert.equal(lastEventId(makeRequest('GET', '/')), null);
});
