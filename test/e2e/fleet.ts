import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { TEST_AUTHORITY } from '../support/certificates.ts';

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

/** How a fleet connects. */
export interface Course {
  readonly port: number;
  /** Over TLS, to `localhost`. */
  readonly secure?: boolean;
  /** A new connection for each request. */
  readonly perConnection: boolean;
  readonly target: string;
}

/** One client in a closed loop: sends its next request when the last one is answered, until nobody listens any more. */
async function loop(course: Course, tally: Tally): Promise<void> {
  const { target, perConnection } = course;
  const request = `GET ${target} HTTP/1.1\r\nhost: fleet\r\n${perConnection ? 'connection: close\r\n' : ''}\r\n`;
  while (await connection(course, request, tally));
}

/** One connection, until it ends. `false` when nobody listens any more. */
function connection(course: Course, request: string, tally: Tally): Promise<boolean> {
  const once = course.perConnection;
  return new Promise((resolve) => {
    const socket = dial(course);
    socket.setNoDelay(true).setEncoding('latin1');
    let text = '';
    let waiting = false;
    let last = false;
    let error = 'closed';
    const send = (): void => {
      waiting = true;
      socket.write(request);
    };
    socket.on(course.secure === true ? 'secureConnect' : 'connect', send);
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

function dial({ port, secure = false }: Course): Socket {
  const tls = { ca: TEST_AUTHORITY.cert, servername: 'localhost', ecdhCurve: 'X25519' };
  return secure ? connectTls({ port, host: '127.0.0.1', ...tls }) : connect(port, '127.0.0.1');
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
export async function fleet(clientCount: number, course: Course, tally: Tally): Promise<void> {
  await Promise.all(Array.from({ length: clientCount }, () => loop(course, tally)));
}
