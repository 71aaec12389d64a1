import { type ClientHttp2Session, connect } from 'node:http2';

/** What happened to the requests of Node's HTTP/2 clients. */
export interface Http2Tally {
  answered: number;
  /**
   * Never begun: GOAWAY has come between a request and its way out, and Node's client drops what it has not sent. May be
   * sent elsewhere.
   */
  refused: number;
  /** Everything else that was begun and not answered whole. */
  lost: number;
  /** Connections that could not be opened. */
  unopened: number;
  /** The same by kind, for a failed test. */
  readonly how: Map<string, number>;
}

export const newHttp2Tally = (): Http2Tally => ({ answered: 0, refused: 0, lost: 0, unopened: 0, how: new Map() });

/** One request; resolves when its stream is over. */
function ask(session: ClientHttp2Session, target: string, wanted: string, tally: Http2Tally): Promise<void> {
  return new Promise((resolve) => {
    const stream = session.request({ ':path': target });
    let text = '';
    let status = 0;
    let error = 'closed';
    stream.setEncoding('utf8');
    stream.on('response', (headers) => {
      status = headers[':status'] ?? 0;
    });
    stream.on('data', (piece: string) => {
      text += piece;
    });
    stream.on('error', (cause) => {
      error = cause.message;
    });
    stream.on('close', () => {
      if (status === 200 && text === wanted) tally.answered += 1;
      else if (stream.rstCode === 7) tally.refused += 1;
      else {
        tally.lost += 1;
        const how = `${status} ${error} ${stream.rstCode} ${text.length} bytes`;
        tally.how.set(how, (tally.how.get(how) ?? 0) + 1);
      }
      resolve();
    });
  });
}

/** One connection with closed loops on it, until it takes no more requests. `false` when it could not be opened. */
function connection(
  port: number,
  loopCount: number,
  target: string,
  wanted: string,
  tally: Http2Tally,
): Promise<boolean> {
  return new Promise((resolve) => {
    const session = connect(`http://127.0.0.1:${port}`);
    let opened = false;
    session.on('error', () => undefined);
    session.on('close', () => {
      if (!opened) tally.unopened += 1;
      resolve(opened);
    });
    session.on('connect', () => {
      opened = true;
      const loop = async (): Promise<void> => {
        while (!session.closed && !session.destroyed) await ask(session, target, wanted, tally);
      };
      for (let count = 0; count < loopCount; count += 1) void loop();
    });
  });
}

/** Many connections with many closed loops each; a connection that ends is followed by the next one until `over`. */
export async function http2Fleet(
  port: number,
  counts: { readonly connectionCount: number; readonly loopCount: number },
  { target, wanted }: { readonly target: string; readonly wanted: string },
  tally: Http2Tally,
  over: () => boolean,
): Promise<void> {
  const client = async (): Promise<void> => {
    while (!over()) {
      const opened = await connection(port, counts.loopCount, target, wanted, tally);
      if (!opened) return;
    }
  };
  await Promise.all(Array.from({ length: counts.connectionCount }, client));
}
