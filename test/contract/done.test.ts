import assert from 'node:assert/strict';
import { reply } from '../../src/web/reply.ts';
import { eventually, turns } from '../support/wire.ts';
import { contract } from './served.ts';

contract(
  'the end of a request is told once: with its last byte, and at once to who asks afterwards',
  async (served) => {
    let endCount = 0;
    let ask: (() => void) | null = null;
    const gate = Promise.withResolvers<void>();
    await served.serve((request) => {
      request.onDone(() => {
        endCount += 1;
      });
      ask = () => request.onDone(() => (endCount += 1));
      if (request.path === '/whole') return reply.text('whole');
      return reply.stream(
        (async function* () {
          yield 'first ';
          await gate.promise;
          yield 'second';
        })(),
      );
    });
    assert.deepEqual(await served.answer({ path: '/whole' }), [200, 'whole']);
    await eventually(() => endCount === 1);
    const streamed = served.ask({ path: '/streamed' });
    assert.equal((await streamed.head()).status, 200);
    await turns(5);
    assert.equal(endCount, 1);
    gate.resolve();
    assert.equal(await streamed.text(), 'first second');
    await eventually(() => endCount === 2);
    assert.ok(ask);
    const askLate: () => void = ask;
    askLate();
    await turns(5);
    assert.equal(endCount, 3);
  },
);

contract(
  'a request ends when its client leaves, although its handler goes on, and when its body fails',
  async (served) => {
    const ended: string[] = [];
    const begun: string[] = [];
    await served.serve((request) => {
      request.onDone(() => ended.push(request.path));
      begun.push(request.path);
      if (request.path === '/stuck') return new Promise(() => {});
      return reply.stream(
        (async function* () {
          yield 'first';
          throw new Error('broken');
        })(),
      );
    });
    const stuck = served.ask({ path: '/stuck' });
    await eventually(() => begun.length === 1);
    assert.deepEqual(ended, []);
    stuck.abort();
    await assert.rejects(stuck.head());
    await eventually(() => ended.length === 1);
    await assert.rejects(served.ask({ path: '/broken' }).text());
    await eventually(() => ended.length === 2);
    assert.deepEqual(ended, ['/stuck', '/broken']);
  },
);
