import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { ServerProcess } from '../server/process.ts';
import { LOCALHOST } from '../support/certificates.ts';
import { eventually } from '../support/wire.ts';
import { type Course, fleet, newTally } from './fleet.ts';

const CLIENT_COUNT = 200;

const loops = [
  { what: 'on connections they keep', perConnection: false, target: '/' },
  { what: 'on connections they keep, with a handler that takes time', perConnection: false, target: '/?delayMs=5' },
  { what: 'on a new connection for each request', perConnection: true, target: '/' },
  {
    what: 'on a new connection for each request, with a handler that takes time',
    perConnection: true,
    target: '/?delayMs=5',
  },
];

for (const { what, perConnection, target } of loops) {
  test(`${CLIENT_COUNT} clients in closed loops ${what}: a drain loses no request, and the process ends by itself`, async (t) => {
    for (let round = 0; round < 2; round += 1) {
      const server = new ServerProcess(t, { listeners: [{ bind: '127.0.0.1:0' }] });
      const [port = 0] = await server.ports();
      await drainedUnder(server, CLIENT_COUNT, { port, perConnection, target }, round * 37);
    }
  });
}

for (const { what, perConnection, target } of loops) {
  test(`clients in closed loops over TLS ${what}: a drain loses no request`, async (t) => {
    const server = new ServerProcess(t, { listeners: [{ bind: '127.0.0.1:0', tls: { certificates: [LOCALHOST] } }] });
    const [port = 0] = await server.ports();
    await drainedUnder(server, 50, { port, perConnection, target, secure: true }, 19);
  });
}

/** Sends a fleet, drains the server under it, and sees that nothing is lost. */
async function drainedUnder(server: ServerProcess, clientCount: number, course: Course, head: number): Promise<void> {
  const tally = newTally();
  const done = fleet(clientCount, course, tally);
  await eventually(() => tally.answered > clientCount + head);
  const [report] = await Promise.all([server.drain(), done]);
  // A connection that is refused has sent nothing; everything that was sent has been answered.
  assert.deepEqual([...tally.how], [], 'connections that ended otherwise');
  assert.deepEqual([tally.refused, tally.unanswered, tally.broken], [clientCount, 0, 0]);
  if (!course.perConnection) assert.equal(tally.lastWords, clientCount, 'each was told that it was the last answer');
  assert.equal(report.outcome, 'clean');
  assert.equal(report.mayHaveLostCount, 0);
  const { served } = await server.last();
  assert.equal(served, tally.answered);
  assert.equal(await server.ended, 0);
}

test('connections that wait in the accept queue when a drain begins are all served', async (t) => {
  const server = new ServerProcess(t, { listeners: [{ bind: '127.0.0.1:0' }] });
  const [port = 0] = await server.ports();
  const drained = server.drain({ do: 'drain-blocked', blockMs: 500, options: { quietMs: 0 } });
  assert.equal(await server.says(), 'blocked');
  const answers = await Promise.all(
    Array.from({ length: CLIENT_COUNT }, async () => {
      const socket = connect(port, '127.0.0.1');
      socket.setEncoding('latin1').write('GET / HTTP/1.1\r\nhost: queue\r\n\r\n');
      const [answer] = await once(socket, 'data');
      socket.end();
      return String(answer);
    }),
  );
  for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 200 OK\r\n.*\r\nconnection: close\r\n/s);
  const report = await drained;
  assert.deepEqual([report.finishedCount, report.closed], [CLIENT_COUNT, { 'drained-answered': CLIENT_COUNT }]);
  assert.equal(await server.ended, 0);
});
