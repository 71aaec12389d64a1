import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type NetConnectOpts, type Server } from 'node:net';
import { test } from 'node:test';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { TlsServer, UPSTREAM_TLS_DEFAULTS, UpstreamTls } from '../../src/transport/upstream-tls.ts';
import { LOCALHOST, TEST_AUTHORITY } from '../support/certificates.ts';

async function listening(server: Server): Promise<NetConnectOpts> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return { host: '127.0.0.1', port: typeof address === 'object' && address !== null ? address.port : 0 };
}

test('a session with which a handshake has failed is not tried again', async (context) => {
  const honest = createTlsServer(LOCALHOST, (socket) => socket.on('error', () => undefined).end('bye'));
  const broken = createServer((socket) => socket.destroy());
  context.after(() => {
    honest.close();
    broken.close();
  });
  const [good, bad] = [await listening(honest), await listening(broken)];
  const tls = new UpstreamTls('test', { ...UPSTREAM_TLS_DEFAULTS, ca: TEST_AUTHORITY.cert });
  const server = new TlsServer(tls, '127.0.0.1', ['http/1.1']);
  const resumed = async (): Promise<boolean> => {
    const socket: TLSSocket = server.connect(good);
    await once(socket, 'secureConnect');
    const reused = socket.isSessionReused();
    await once(socket.resume(), 'close');
    return reused;
  };
  assert.deepEqual([await resumed(), await resumed()], [false, true]);
  const [error] = await once(server.connect(bad), 'error');
  assert.equal(server.explain(error), 'it closed the connection during the handshake (ECONNRESET)');
  assert.deepEqual([await resumed(), await resumed()], [false, true]);
});
