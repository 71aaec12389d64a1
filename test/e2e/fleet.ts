import { connect } from 'node:net';

/** What happened to a client's requests. */
export interface Tally {
  answered: number;
  /** The connection was refused: nothing was sent. */
  refused: number;
  /** Closed or reset after a request had been sent, before any byte of its answer. */
  unanswered: number;
  /** Cut off in the middle of an answer. */
  broken: number;
  /** Answers that announced the end of the connection. */
  lastWords: number;
  /** The same by kind, for a failed test. */
  readonly how: Map<string, number>;
}

/** One client in a closed loop: sends its next request when the last one is answered, until nobody listens any more. */
async function loop(port: number, perConnection: boolean, target: string, tally: Tally): Promise<void> {
  const request = `GET ${target} HTTP/1.1\r\nhost: fleet\r\n${perConnection ? 'connection: close\r\n' : ''}\r\n`;
  while (await connection(port, request, perConnection, tally));
}

/** One connection, until it ends. `false` when nobody listens any more. */
function connection(port: number, request: string, once: boolean, tally: Tally): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true).setEncoding('latin1');
    let text = '';
    let waiting = false;
    let last = false;
    let error = 'closed';
    const send = (): void => {
      waiting = true;
      socket.write(request);
    };
    socket.on('connect', send);
    socket.on('data', (chunk: string) => {
      text += chunk;
      const headEnd = text.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/.exec(text)?.[1] ?? Number.NaN);
      if (headEnd === -1 || text.length < headEnd + 4 + length) return;
      tally.answered += 1;
      waiting = false;
      last = once || /\r\nconnection: close\r\n/.test(text);
      if (!once && last) tally.lastWords += 1;
      text = '';
      if (last) socket.end();
      else send();
    });
    socket.on('error', (cause) => {
      error = 'code' in cause ? String(cause.code) : cause.message;
    });
    socket.on('close', () => {
      const refused = error === 'ECONNREFUSED';
      if (refused) tally.refused += 1;
      else if (text !== '') tally.broken += 1;
      else if (!last) tally.unanswered += 1;
      if (!last && !refused) {
        const how = `${error}${waiting ? ' after sending' : ''}${text === '' ? '' : ' within an answer'}`;
        tally.how.set(how, (tally.how.get(how) ?? 0) + 1);
      }
      resolve(!refused);
    });
  });
}

export const newTally = (): Tally => ({
  answered: 0,
  refused: 0,
  unanswered: 0,
  broken: 0,
  lastWords: 0,
  how: new Map(),
});

/** Many clients in closed loops; resolves when every one has met a closed port. */
export async function fleet(
  port: number,
  clientCount: number,
  perConnection: boolean,
  target: string,
  tally: Tally,
): Promise<void> {
  await Promise.all(Array.from({ length: clientCount }, () => loop(port, perConnection, target, tally)));
}
