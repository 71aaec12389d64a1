import { Duplex } from 'node:stream';
import { connect } from 'node:tls';

/** The first message of a TLS client that asks for `localhost`, as the bytes of its records. */
export async function clientHello(): Promise<Buffer> {
  const sent = Promise.withResolvers<Buffer>();
  const wire = new Duplex({ read: () => undefined, write: (chunk: Buffer) => sent.resolve(chunk) });
  const client = connect({ socket: wire, servername: 'localhost' }).on('error', () => undefined);
  const bytes = await sent.promise;
  client.destroy();
  return bytes;
}
