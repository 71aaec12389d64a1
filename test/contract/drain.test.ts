import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Failure } from '../../src/core/failure.ts';
import type { HttpResponse } from '../../src/core/message.ts';
import type { DrainReport } from '../../src/server/drain.ts';
import { reply } from '../../src/web/reply.ts';
import { eventually, turns } from '../support/wire.ts';
import { contract, type Served } from './served.ts';

/** The report of a drain that lost nothing. */
function assertClean({ forced, mayHaveLostCount, outcome }: DrainReport): void {
  assert.deepEqual([outcome, mayHaveLostCount, forced], ['clean', 0, []]);
}

/** A handler whose answers wait until the test opens the gate. */
function gated() {
  const gate = Promise.withResolvers<void>();
  const handler = async (): Promise<HttpResponse> => {
    await gate.promise;
    return reply.text('late');
  };
  return { handler, open: gate.resolve };
}

contract('a drain closes what is idle and loses nothing', async (served) => {
  await served.serve(() => reply.text('ok'));
  assert.deepEqual(await served.answer(), [200, 'ok']);
  const report = await served.drained(served.server.drain());
  assertClean(report);
  assert.equal(served.server.status().phase, 'closed');
});

contract('a request that is being handled when a drain begins is answered', async (served) => {
  const { handler, open } = gated();
  await served.serve(handler);
  const asked = served.ask();
  await served.inFlight(1);
  const report = served.server.drain();
  await served.reaches('finish');
  await served.pass(5000);
  open();
  assert.equal(await asked.text(), 'late');
  assertClean(await served.drained(report));
  assert.equal((await report).finishedCount, 1);
});

contract('a request that is half sent when a drain begins is taken to its end and answered', async (served) => {
  await served.serve(async (request) => reply.text(await request.text()));
  const asked = served.ask({ method: 'POST', open: true });
  asked.write('one ');
  await eventually(
    () => served.server.status().connections.total === 1 && served.server.status().connections.idle === 0,
  );
  await turns(20);
  const report = served.server.drain();
  await served.reaches('finish');
  await served.pass(2000);
  asked.end('and two');
  assert.equal(await asked.text(), 'one and two');
  assertClean(await served.drained(report));
});

contract('an answer that is half sent when a drain begins is sent to its end', async (served) => {
  const gate = Promise.withResolvers<void>();
  await served.serve(() => ({
    status: 200,
    body: (async function* () {
      yield 'one ';
      await gate.promise;
      yield 'and two';
    })(),
  }));
  const asked = served.ask();
  const body = await asked.body();
  const [first]: Buffer[] = await once(body, 'data');
  assert.equal(String(first), 'one ');
  body.pause();
  const report = served.server.drain();
  await served.reaches('finish');
  await served.pass(2000);
  gate.resolve();
  assert.equal(await asked.text(), 'and two');
  assertClean(await served.drained(report));
});

contract('a request that crosses the beginning of a drain on its way is answered', async (served) => {
  await served.serve(({ path }) => reply.text(path));
  await served.answer();
  const before = served.answer({ path: '/before' });
  const report = served.server.drain();
  assert.deepEqual(await before, [200, '/before']);
  assertClean(await served.drained(report));
});

/** Asks until the server is gone. Returns how often there was an answer, and what ended it. */
async function askOn(served: Served): Promise<{ answers: number; error: unknown }> {
  for (let answers = 0; ; answers += 1) {
    try {
      const [status, body] = await served.answer({ method: 'POST', body: 'x'.repeat(answers % 50) });
      assert.deepEqual([status, body.length], [200, answers % 50]);
    } catch (error) {
      return { answers, error };
    }
  }
}

contract('what clients ask all through a drain is answered, or was never taken', async (served) => {
  await served.serve(async (request) => {
    const text = await request.text();
    await turns(text.length % 3);
    return reply.text(text);
  });
  await served.answer({ method: 'POST', body: '' });
  const asking = Array.from({ length: 8 }, () => askOn(served));
  await eventually(() => served.server.status().requests.served > 100);
  assertClean(await served.drained(served.server.drain()));
  const ends = await Promise.all(asking);
  const answers = ends.reduce((count, end) => count + end.answers, 1);
  assert.equal(answers, served.server.status().requests.served, 'no answer was lost');
  for (const { error } of ends) assert.ok(!(error instanceof assert.AssertionError), String(error));
});

/** A stream of events that ends by itself when it is told of a drain, if it is polite. */
function stream(polite: boolean, told: number[]): HttpResponse {
  const drained = Promise.withResolvers<void>();
  const body = (async function* () {
    yield 'hello ';
    await drained.promise;
    yield 'goodbye';
  })();
  const onDrain = ({ graceMs }: { readonly graceMs: number }): void => {
    told.push(graceMs);
    if (polite) drained.resolve();
  };
  return { status: 200, headers: { 'content-type': 'text/event-stream' }, body, onDrain };
}

contract('a long stream is told of a drain and how long it has, and may say goodbye', async (served) => {
  const told: number[] = [];
  await served.serve(() => stream(true, told), { drain: { streamGraceMs: 7000 } });
  const asked = served.ask();
  await once(await asked.body(), 'data');
  assert.equal(served.server.status().connections.stream, 1);
  const report = served.server.drain();
  assert.equal(await asked.text(), 'goodbye');
  assertClean(await served.drained(report));
  assert.deepEqual(told, [7000]);
});

contract(
  'a long stream that goes on is cut off when its grace is over, and requests that run are not',
  async (served) => {
    const { handler, open } = gated();
    const told: number[] = [];
    await served.serve(({ path }) => (path === '/stream' ? stream(false, told) : handler()), {
      drain: { streamGraceMs: 2000, graceMs: 20_000 },
    });
    const asked = served.ask({ path: '/stream' });
    await once(await asked.body(), 'data');
    const other = served.ask();
    await served.inFlight(2);
    const report = served.server.drain();
    const cut = assert.rejects(asked.text());
    await served.reaches('finish');
    await served.pass(3000);
    await cut;
    open();
    assert.equal(await other.text(), 'late');
    await served.drained(report);
    assert.equal(told.length, 1);
  },
);

contract('a tunnel is told of a drain and may end by itself', async (served) => {
  await served.serve(() => {
    let end = (): void => undefined;
    return {
      status: 101,
      headers: { upgrade: 'echo' },
      takeover: (socket) => {
        socket.resume();
        end = () => void socket.end('goodbye');
      },
      onDrain: () => end(),
    };
  });
  const { socket } = await served.caller.upgrade('echo');
  let received = '';
  socket.on('data', (chunk: Buffer) => {
    received += String(chunk);
  });
  const report = served.server.drain();
  await once(socket, 'end');
  socket.end();
  assert.equal(received, 'goodbye');
  assertClean(await served.drained(report));
});

contract('what is not done when the grace is over is told by its signal, and may still answer', async (served) => {
  await served.serve(
    ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(reply.text(String(signal.reason), { status: 503 })));
      }),
    { drain: { graceMs: 3000 } },
  );
  const answer = served.answer();
  await served.inFlight(1);
  const report = served.server.drain();
  await served.reaches('finish');
  await served.pass(4000);
  const { outcome, forced } = await served.drained(report);
  assert.deepEqual([outcome, forced.length], ['forced', 1]);
  const [status, text] = await answer;
  assert.equal(status, 503);
  assert.match(text, /shutting down/);
});

contract('what ignores its signal is cut off', async (served) => {
  const reasons: unknown[] = [];
  await served.serve(
    ({ signal }) => {
      signal.addEventListener('abort', () => reasons.push(signal.reason));
      return new Promise(() => undefined);
    },
    { drain: { graceMs: 3000 } },
  );
  const asked = served.ask();
  await served.inFlight(1);
  const report = served.server.drain();
  await served.reaches('finish');
  await served.pass(4000);
  await assert.rejects(asked.head());
  assert.equal((await served.drained(report)).outcome, 'forced');
  const [reason] = reasons;
  assert.ok(reason instanceof Failure);
  assert.equal(reason.code, 'server-draining');
});
