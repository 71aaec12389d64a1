import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IncomingBody } from '../../src/core/body.ts';
import { Failure } from '../../src/core/failure.ts';
import { HeaderFields } from '../../src/core/headers.ts';

/** A body, and what it has asked of its engine. */
function arriving(lengthBytes: number | null = null, maxBytes: number | null = null) {
  const asked: string[] = [];
  const owner = {
    demand: () => void asked.push('demand'),
    hold: () => void asked.push('hold'),
    abandon: () => void asked.push('abandon'),
  };
  return { asked, body: new IncomingBody(owner, lengthBytes, maxBytes) };
}

/** A sink that keeps what it hears; it has room until `full`. */
function sink(full = false) {
  const heard: string[] = [];
  return {
    heard,
    write: (chunk: Uint8Array) => {
      heard.push(String(chunk));
      return !full;
    },
    end: (trailers: HeaderFields | null) => void heard.push(`end ${trailers?.count ?? 0}`),
    fail: (error: Error) => void heard.push(error.message),
  };
}

const bytes = (text: string): Buffer => Buffer.from(text);
const tooLarge = (error: unknown): boolean => error instanceof Failure && error.code === 'body-too-large';

test('a reader gets what has arrived, then what arrives, then the end', () => {
  const { body, asked } = arriving();
  body.push(bytes('a'));
  assert.equal(body.heldBytes, 1);
  assert.deepEqual([body.used, asked], [false, []]);
  const reader = sink();
  body.consume(reader);
  assert.deepEqual([body.used, asked], [true, ['demand']]);
  body.push(bytes('b'));
  body.finish(HeaderFields.from({ x: 'y' }));
  body.push(bytes('late'));
  body.finish(null);
  body.fail(new Error('late'));
  assert.deepEqual(reader.heard, ['a', 'b', 'end 1']);
  assert.deepEqual([body.complete, body.receivedBytes, body.trailers?.get('x'), body.failure], [true, 2, 'y', null]);
});

test('a reader that is full holds the engine, and asks again when it has room', () => {
  const { body, asked } = arriving();
  body.push(bytes('a'));
  const reader = sink(true);
  body.consume(reader);
  for (const crumb of 'bcdef') body.push(bytes(crumb));
  assert.deepEqual([reader.heard, body.heldBytes], [['a'], 5]);
  body.resume();
  assert.deepEqual([reader.heard, body.heldBytes], [['a', 'b', 'cdef'], 0]);
  assert.deepEqual(asked, ['hold', 'hold']);
  body.resume();
  assert.deepEqual(asked, ['hold', 'hold', 'demand']);
  body.finish(null);
  body.resume();
  assert.equal(asked.length, 3);
});

test('the end of a body comes after what its reader had no room for; a reader that gives it up gets neither', () => {
  for (const gone of [false, true]) {
    const { body, asked } = arriving();
    const reader = sink(true);
    body.consume(reader);
    body.push(bytes('a'));
    body.push(bytes('b'));
    body.finish(null);
    assert.deepEqual([reader.heard, body.complete, body.heldBytes], [['a'], true, 1]);
    if (gone) body.cancel();
    body.resume();
    assert.deepEqual([reader.heard, body.heldBytes], [gone ? ['a'] : ['a', 'b', 'end 0'], 0]);
    assert.deepEqual(asked, ['demand', 'hold']);
  }
});

test('a failure reaches the reader, also one that comes later', async () => {
  const { body } = arriving();
  const reader = sink();
  body.consume(reader);
  body.fail(new Error('gone'));
  assert.deepEqual(reader.heard, ['gone']);
  const { body: second } = arriving();
  second.push(bytes('a'));
  second.fail(new Error('gone'));
  await assert.rejects(second.whole(), /gone/);
  assert.equal(second.heldBytes, 0);
});

test('a body is read once: in pieces, or whole as often as one likes', async () => {
  const { body } = arriving();
  body.push(bytes('a'));
  const whole = body.whole();
  body.push(bytes('b'));
  body.finish(null);
  assert.equal(String(await whole), 'ab');
  assert.equal(String(await body.whole()), 'ab');
  assert.throws(() => body.consume(sink()), TypeError);
  assert.equal(body.takeWhole(), null);
});

test('a whole body can be taken without waiting when it is all here, and only then', async () => {
  const { body } = arriving();
  body.push(bytes('a'));
  assert.equal(body.takeWhole(), null);
  body.push(bytes('b'));
  body.finish(null);
  assert.equal(String(body.takeWhole()), 'ab');
  assert.equal(body.takeWhole(), null);
  assert.equal(String(await body.whole()), 'ab');
});

test('a gathered body is all here and still unread', async () => {
  const { body, asked } = arriving();
  body.push(bytes('a'));
  const gathered = body.gather();
  assert.deepEqual(asked, ['demand']);
  body.push(bytes('b'));
  body.finish(null);
  await gathered;
  assert.deepEqual([body.used, body.heldBytes], [false, 2]);
  assert.equal(String((await Array.fromAsync(body))[0]), 'ab');
});

test('a length over the limit is refused before anything is read, and chunks as soon as they are too many', async () => {
  assert.throws(() => arriving(11, 10).body.admit(), tooLarge);
  arriving(10, 10).body.admit();
  assert.throws(() => arriving(11, 10).body.consume(sink()), tooLarge);
  await assert.rejects(async () => arriving(11, 10).body.whole(), tooLarge);
  const { body, asked } = arriving(null, 3);
  const whole = body.whole();
  body.push(bytes('ab'));
  body.push(bytes('cd'));
  await assert.rejects(whole, tooLarge);
  assert.deepEqual(asked, ['demand', 'abandon']);
});

test('a layer’s limit stays, the listener’s is lifted for a body that is passed on', () => {
  const { body } = arriving(11, 10);
  body.liftDefaultLimit();
  body.admit();
  const { body: limited } = arriving(11, 100);
  limited.maxBytes = 10;
  limited.liftDefaultLimit();
  assert.equal(limited.maxBytes, 10);
  assert.throws(() => limited.admit(), tooLarge);
});

test('iteration takes pieces as they come, one at a time', async () => {
  const { body, asked } = arriving();
  body.push(bytes('a'));
  const iterator = body[Symbol.asyncIterator]();
  assert.equal(String((await iterator.next()).value), 'a');
  const next = iterator.next();
  assert.deepEqual(asked, ['hold', 'demand']);
  body.push(bytes('b'));
  assert.equal(String((await next).value), 'b');
  body.finish(null);
  assert.equal((await iterator.next()).done, true);
});

test('an iteration that is left early gives the rest up', async () => {
  const { body, asked } = arriving();
  body.push(bytes('a'));
  for await (const _chunk of body) break;
  assert.deepEqual(asked, ['hold', 'abandon']);
  assert.throws(() => body.consume(sink()), TypeError);
});

test('an iteration of a body that fails throws after what had arrived', async () => {
  const { body } = arriving();
  body.push(bytes('a'));
  const iterator = body[Symbol.asyncIterator]();
  await iterator.next();
  body.push(bytes('b'));
  body.fail(new Error('gone'));
  assert.equal(String((await iterator.next()).value), 'b');
  await assert.rejects(iterator.next(), /gone/);
});

test('a cancelled body asks nothing more and keeps nothing', async () => {
  const { body, asked } = arriving();
  body.push(bytes('a'));
  body.cancel();
  body.push(bytes('b'));
  body.finish(null);
  assert.deepEqual([asked, body.heldBytes, body.complete, body.used], [['abandon'], 0, false, true]);
  await assert.rejects(body.whole(), TypeError);
  const { body: ended, asked: nothing } = arriving();
  ended.finish(null);
  ended.cancel();
  assert.deepEqual(nothing, []);
});
