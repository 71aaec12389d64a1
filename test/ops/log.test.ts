import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { jsonLine, Log, type LogOptions, textLine } from '../../src/ops/log.ts';

class Collector extends Writable {
  readonly writes: string[] = [];
  readonly isTTY: boolean;
  /** Writes are taken only when this is off. */
  stalled = false;

  constructor(isTTY = false) {
    super({ decodeStrings: false });
    this.isTTY = isTTY;
  }

  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    this.writes.push(chunk);
    if (!this.stalled) done();
  }
}

const logTo = (stream: Collector, options: Partial<LogOptions> = {}): Log =>
  new Log({ level: 'info', format: 'auto', environment: {}, ...options, stream });

test('lines of one turn leave in one write, below the level none', async () => {
  const stream = new Collector();
  const log = logTo(stream);
  log.info('one', { a: 1 });
  log.debug('not written');
  log.error('two');
  assert.deepEqual(stream.writes, []);
  await log.flush(1000);
  assert.equal(stream.writes.length, 1);
  const written = stream.writes.join('').trimEnd();
  const entries = written.split('\n').map((line): unknown => JSON.parse(line));
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
  for (const entry of entries) assert.match(String(Reflect.get(Object(entry), 'time')), time);
  assert.deepEqual(
    entries.map((entry) => ({ ...Object(entry), time: '' })),
    [
      { time: '', level: 'info', message: 'one', a: 1 },
      { time: '', level: 'error', message: 'two' },
    ],
  );
});

test('a terminal gets text, colored unless NO_COLOR is set', async () => {
  const colored = new Collector(true);
  const plain = new Collector(true);
  for (const [stream, environment] of [
    [colored, {}],
    [plain, { NO_COLOR: '1' }],
  ] as const) {
    const log = logTo(stream, { environment });
    log.info('hello', { n: 1 });
    await log.flush(1000);
  }
  assert.ok(colored.writes[0]?.includes('\x1b[36mINFO \x1b[0m hello'));
  assert.match(plain.writes[0] ?? '', /^\d\d:\d\d:\d\d\.\d{3} INFO {2}hello n=1\n$/);
});

test('text shows control characters instead of obeying them', () => {
  const line = textLine('info', 'a\x1b[2Jb', { path: '/\x9b2J', quoted: 'a b' }, false);
  assert.match(line, / a\\x1b\[2Jb path="\/\\x9b2J" quoted="a b"\n$/);
});

test('an error is written with its code, stack and cause', () => {
  const error = Object.assign(new Error('outer', { cause: new TypeError('inner') }), { code: 'E1' });
  const entry: unknown = JSON.parse(jsonLine('error', 'failed', { error }));
  const written: unknown = Reflect.get(Object(entry), 'error');
  assert.equal(Reflect.get(Object(written), 'code'), 'E1');
  assert.match(String(Reflect.get(Object(written), 'stack')), /outer/);
  assert.equal(Reflect.get(Object(Reflect.get(Object(written), 'cause')), 'message'), 'inner');
  assert.match(textLine('error', 'failed', { error }, false), /failed\n {4}Error: outer\n.*inner/s);
});

test('fields that JSON cannot hold do not cost the line', () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  assert.match(jsonLine('info', 'odd', { cycle, big: 1n }), /"message":"odd".*Circular.*"big":"1n"/);
});

test('a reader that has gone does not stop the program', async () => {
  const stream = new Collector();
  const log = logTo(stream);
  stream.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  log.info('lost');
  await log.flush(1000);
  log.info('lost too');
  await log.flush(1000);
  assert.deepEqual(stream.writes, []);
});

test('a reader that has stopped costs lines, not memory, and is told how many', async () => {
  const stream = new Collector();
  stream.stalled = true;
  const log = logTo(stream);
  const text = 'x'.repeat(1_000_000);
  for (let count = 0; count < 10; count += 1) log.info(text);
  assert.ok(!log.writes('debug'));
  await log.flush(1);
  assert.ok(stream.writableLength < 6_000_000);
  const next = new Collector();
  const again = logTo(next);
  for (let count = 0; count < 10; count += 1) again.info(text);
  await again.flush(1000);
  again.info('after');
  await again.flush(1000);
  assert.match(next.writes[1] ?? '', /"level":"warn","message":"log lines were dropped.*"droppedCount":[1-9]/);
});
