import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BodyOwner, IncomingBody } from '../../src/core/body.ts';
import { HeaderFields } from '../../src/core/headers.ts';
import { ReplayBody } from '../../src/upstream/replay.ts';

/** A client that sends a body, as fast as it is let. */
class Source implements BodyOwner {
  readonly body: IncomingBody;
  holds = true;
  abandoned = false;

  constructor(lengthBytes: number | null = null) {
    this.body = new IncomingBody(this, lengthBytes, null);
  }

  demand(): void {
    this.holds = false;
  }

  hold(): void {
    this.holds = true;
  }

  abandon(): void {
    this.abandoned = true;
  }

  send(...texts: readonly string[]): void {
    for (const text of texts) this.body.push(Buffer.from(text));
  }
}

/** A connection that sends the body of one attempt. */
class Attempt {
  text = '';
  ended = false;
  trailers: HeaderFields | null = null;
  failure: Error | null = null;
  /** It takes no more for now. */
  full = false;
  readonly body: IncomingBody;

  constructor(replay: ReplayBody) {
    this.body = replay.attempt();
  }

  read(): this {
    this.body.consume({
      write: (piece) => {
        this.text += Buffer.from(piece).toString();
        return !this.full;
      },
      end: (trailers) => {
        this.ended = true;
        this.trailers = trailers;
      },
      fail: (error) => {
        this.failure = error;
      },
    });
    return this;
  }
}

const made = (maxBytes: number, lengthBytes: number | null = null): { source: Source; replay: ReplayBody } => {
  const source = new Source(lengthBytes);
  return { source, replay: new ReplayBody(source.body, maxBytes) };
};

test('each attempt begins from the start and ends with the trailers', () => {
  const { source, replay } = made(100, 6);
  const first = new Attempt(replay).read();
  source.send('ab', 'cd');
  const second = new Attempt(replay).read();
  assert.equal(second.body.lengthBytes, 6);
  source.send('ef');
  const trailers = HeaderFields.from({ 'x-sum': '1' });
  source.body.finish(trailers);
  assert.equal(second.text, 'abcdef');
  assert.deepEqual([second.ended, second.trailers], [true, trailers]);
  assert.equal(first.text, 'abcd', 'the one before hears nothing more');
  assert.ok(first.failure !== null);
  const third = new Attempt(replay).read();
  assert.deepEqual([third.text, third.ended, third.trailers], ['abcdef', true, trailers]);
});

test('the client waits as long as the attempt does', () => {
  const { source, replay } = made(100);
  const attempt = new Attempt(replay).read();
  assert.equal(source.holds, false);
  attempt.full = true;
  source.send('ab');
  assert.equal(source.holds, true);
  attempt.full = false;
  attempt.body.resume();
  assert.equal(source.holds, false);
});

test('between two attempts the client waits, and what still comes is kept, more than the limit too', () => {
  const { source, replay } = made(4);
  new Attempt(replay).read();
  source.send('abc');
  replay.pause();
  source.send('def');
  assert.equal(source.holds, true);
  source.send('ghi');
  assert.equal(replay.replayable, true, 'an attempt that was promised can be made');
  const second = new Attempt(replay).read();
  assert.equal(second.text, 'abcdefghi');
  assert.equal(replay.replayable, false);
  assert.equal(source.holds, false);
});

test('an attempt that is not read yet keeps the client waiting', () => {
  const { source, replay } = made(100);
  new Attempt(replay).read();
  source.send('ab');
  const held = new Attempt(replay);
  source.send('cd');
  assert.equal(source.holds, true);
  held.read();
  assert.equal(held.text, 'abcd');
  assert.equal(source.holds, false);
});

test('more than the limit is not kept once it has been sent', () => {
  const { source, replay } = made(4);
  const attempt = new Attempt(replay).read();
  source.send('abcd');
  assert.equal(replay.replayable, true);
  source.send('e');
  assert.equal(replay.replayable, false);
  source.send('f');
  assert.equal(attempt.text, 'abcdef');
});

test('a body that breaks off breaks its attempt off, and no other is made', () => {
  const { source, replay } = made(100);
  const attempt = new Attempt(replay).read();
  const error = new Error('gone');
  source.body.fail(error);
  assert.equal(attempt.failure, error);
  assert.equal(replay.replayable, false);
});

test('when the answer is settled an attempt goes on to its end; one that was given up gives the client up', () => {
  const going = made(100);
  const attempt = new Attempt(going.replay).read();
  going.replay.settle();
  assert.equal(going.replay.replayable, false, 'nothing is kept any more');
  going.source.send('abc');
  going.source.body.finish(null);
  assert.deepEqual([attempt.text, attempt.ended], ['abc', true]);

  const left = made(100);
  new Attempt(left.replay).read().body.cancel();
  assert.equal(left.source.abandoned, false);
  left.replay.settle();
  assert.equal(left.source.abandoned, true);

  const leaving = made(100);
  const late = new Attempt(leaving.replay).read();
  leaving.replay.settle();
  late.body.cancel();
  assert.equal(leaving.source.abandoned, true);

  const untouched = made(100);
  void new Attempt(untouched.replay);
  untouched.replay.settle();
  assert.equal(untouched.source.abandoned, false, 'nobody has asked for it');
});

const step = fc.oneof(
  fc.string({ minLength: 1, maxLength: 4, unit: 'grapheme-ascii' }).map((text) => ({ kind: 'send' as const, text })),
  fc.constantFrom({ kind: 'pause' as const }, { kind: 'attempt' as const }, { kind: 'cancel' as const }),
);

test('whatever comes when, every attempt that is begun has all that was sent, in order', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat(40), (steps, maxBytes) => {
      const { source, replay } = made(maxBytes);
      let attempt: Attempt | null = new Attempt(replay).read();
      let sent = '';
      let overBytes = 0;
      for (const one of steps) {
        if (one.kind === 'send') {
          source.send(one.text);
          sent += one.text;
          if (attempt === null) overBytes += one.text.length;
        } else if (one.kind === 'attempt') {
          if (replay.replayable) attempt = new Attempt(replay).read();
        } else if (one.kind === 'pause') {
          replay.pause();
          attempt = null;
        } else {
          attempt?.body.cancel();
          attempt = null;
        }
        if (attempt !== null) assert.equal(attempt.text, sent);
        if (attempt === null && overBytes === 0 && sent.length <= maxBytes) assert.equal(replay.replayable, true);
      }
      source.body.finish(null);
      if (attempt !== null) assert.deepEqual([attempt.text, attempt.ended], [sent, true]);
      else if (replay.replayable) assert.equal(new Attempt(replay).read().text, sent);
    }),
  );
});
