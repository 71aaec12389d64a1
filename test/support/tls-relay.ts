import { connect, createServer } from 'node:net';
import { PassThrough } from 'node:stream';
import type { TestContext } from 'node:test';
import { eventually } from './wire.ts';

/** Stands between a TLS client and a server, and sees what a client cannot: the records, and how TCP ended. */
export interface TlsRelay {
  /** Where clients connect to. */
  readonly port: number;
  /** Waits for the server's FIN. The type and length of each of its records (RFC 8446 §5.1), as `23:19`. */
  readonly records: () => Promise<string[]>;
  /** Holds back what the server sends from now on; the returned function lets it go. */
  readonly hold: () => () => void;
}

/** Relays one connection. */
export async function tlsRelay(context: TestContext, serverPort: number): Promise<TlsRelay> {
  const chunks: Buffer[] = [];
  let ended = false;
  const gate = new PassThrough();
  const relay = createServer({ allowHalfOpen: true }, (client) => {
    const server = connect({ port: serverPort, host: '127.0.0.1', allowHalfOpen: true });
    context.after(() => {
      client.destroy();
      server.destroy();
    });
    client.on('error', () => undefined).pipe(server);
    server
      .on('error', () => undefined)
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => {
        ended = true;
      })
      .pipe(gate)
      .pipe(client);
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  context.after(() => relay.close());
  const address = relay.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    hold: () => {
      gate.cork();
      return () => gate.uncork();
    },
    records: async () => {
      await eventually(() => ended, 'the FIN of the server');
      const bytes = Buffer.concat(chunks);
      const records: string[] = [];
      for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) {
        records.push(`${bytes[at]}:${bytes.readUInt16BE(at + 3)}`);
      }
      return records;
    },
  };
}
